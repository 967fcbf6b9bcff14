/*
 * Points of edwards25519 in eight lanes: the formulas of group.h, on the limbs of field_avx512ifma.h.
 *
 * Bounds: X, Y and Z of a point8 are <= FIELD8_PRODUCT_MAX, T is <= FIELD8_CARRIED_MAX; every function needs and leaves
 * them so.
 */
#ifndef SESSIOND_GROUP_AVX512IFMA_H
#define SESSIOND_GROUP_AVX512IFMA_H

#include "field_avx512ifma.h"
#include "group.h"
#include "table.h"

/* In each lane x = X/Z, y = Y/Z, x y = T/Z. */
typedef struct {
    field8 X, Y, Z, T;
} point8;

/* In each lane an affine point as a mixed addition wants it. Limbs <= FIELD8_FACTOR_MAX. */
typedef struct {
    field8 y_plus_x, y_minus_x, xy2d;
} addend8;

/* 1/d */
static const field GROUP_1_D = {
    {0x0f276cdc9f843, 0x3084f2a85c4bc, 0x6e73d982d775a, 0x721958b108a66, 0x40907ed214d5c}};

/* Read a table entry into each lane, with the sign turned in the lanes of *negative*, as table_add does. */
LANES_INLINE void addend8_load(addend8 *Q, const table_entry *const entry[N_LANES], lanes_mask negative)
{
    const void *row[N_LANES];
    lanes word[3][4];
    LANES_UNROLL
    for (int part = 0; part < 3; part++) {
        LANES_UNROLL
        for (int l = 0; l < N_LANES; l++) {
            row[l] = (const uint64_t *)entry[l] + 4 * part;
        }
        lanes_from_rows_4(word[part], row);
    }
    lanes y_plus_x[4], y_minus_x[4];
    LANES_UNROLL
    for (int i = 0; i < 4; i++) {
        y_plus_x[i] = _mm512_mask_blend_epi64(negative, word[0][i], word[1][i]);
        y_minus_x[i] = _mm512_mask_blend_epi64(negative, word[1][i], word[0][i]);
    }
    field8_from_words(&Q->y_plus_x, y_plus_x);
    field8_from_words(&Q->y_minus_x, y_minus_x);
    field8_from_words(&Q->xy2d, word[2]);
    field8_negate_if(&Q->xy2d, negative);
}

/* P = Q: X = 2x, Y = 2y, Z = 2, T = 2xy. */
LANES_INLINE void point8_from_addend(point8 *P, const addend8 *Q)
{
    field8 inverse_of_d;
    field8_sub_carry(&P->X, &Q->y_plus_x, &Q->y_minus_x);
    field8_add(&P->Y, &Q->y_plus_x, &Q->y_minus_x);
    field8_all(&P->Z, &FIELD_ONE);
    field8_add(&P->Z, &P->Z, &P->Z);
    field8_all(&inverse_of_d, &GROUP_1_D);
    field8_mul_carry(&P->T, &Q->xy2d, &inverse_of_d);
}

/*
 * The common end of every addition: E = B - A, F = D - C, G = D + C, H = B + A.
 * Needs A, B and C <= FIELD8_PRODUCT_MAX, D at most twice that.
 */
LANES_INLINE void point8_finish_addition(
    point8 *sum, const field8 *A, const field8 *B, const field8 *C, const field8 *D)
{
    field8 E, F, G, H;
    field8_sub_carry(&E, B, A);
    field8_add_carry(&H, B, A);
    field8_mul_carry(&sum->T, &E, &H);
    field8_sub_carry(&F, D, C);
    field8_mul(&sum->X, &E, &F);
    field8_add_carry(&G, D, C);
    field8_mul(&sum->Y, &G, &H);
    field8_mul(&sum->Z, &F, &G);
}

/* P = P + Q: seven multiplications. */
LANES_INLINE void point8_add_addend(point8 *P, const addend8 *Q)
{
    field8 A, B, C, D, s;
    field8_sub_carry(&s, &P->Y, &P->X);
    field8_mul(&A, &s, &Q->y_minus_x);
    field8_add_carry(&s, &P->Y, &P->X);
    field8_mul(&B, &s, &Q->y_plus_x);
    field8_mul(&C, &P->T, &Q->xy2d);
    field8_add(&D, &P->Z, &P->Z);
    point8_finish_addition(P, &A, &B, &C, &D);
}

/* In each lane P = P + the P of the lane that lanes_exchange puts there. */
LANES_INLINE void point8_add_exchanged(point8 *P, int distance)
{
    field8 A, B, C, D, s, t;
    field8_sub_carry(&s, &P->Y, &P->X);
    field8_exchange(&t, &s, distance);
    field8_mul(&A, &s, &t);
    field8_add_carry(&s, &P->Y, &P->X);
    field8_exchange(&t, &s, distance);
    field8_mul(&B, &s, &t);
    field8_all(&t, &GROUP_2D);
    field8_mul_carry(&s, &P->T, &t);
    field8_exchange(&t, &P->T, distance);
    field8_mul(&C, &s, &t);
    field8_carry(&s, &P->Z);
    field8_exchange(&t, &s, distance);
    field8_mul(&D, &s, &t);
    field8_add(&D, &D, &D);
    point8_finish_addition(P, &A, &B, &C, &D);
}

#endif
