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

/* Read words 4 part .. 4 part + 3 of a table entry into each lane. */
LANES_INLINE void addend8_words(lanes words[4], const table_entry *const entry[N_LANES], int part)
{
    const void *row[N_LANES];
    LANES_UNROLL
    for (int l = 0; l < N_LANES; l++) {
        row[l] = (const uint64_t *)entry[l] + 4 * part;
    }
    lanes_from_rows_4(words, row);
}

/* Make y + x and y - x, exchanged in the lanes of *negative*. */
LANES_INLINE void addend8_y_pm_x(addend8 *Q, const lanes y_plus_x[4], const lanes y_minus_x[4], lanes_mask negative)
{
    lanes plus[4], minus[4];
    LANES_UNROLL
    for (int i = 0; i < 4; i++) {
        plus[i] = _mm512_mask_blend_epi64(negative, y_plus_x[i], y_minus_x[i]);
        minus[i] = _mm512_mask_blend_epi64(negative, y_minus_x[i], y_plus_x[i]);
    }
    field8_from_words(&Q->y_plus_x, plus);
    field8_from_words(&Q->y_minus_x, minus);
}

/* Make 2 d x y, negated in the lanes of *negative*. */
LANES_INLINE void addend8_xy2d(addend8 *Q, const lanes xy2d[4], lanes_mask negative)
{
    field8_from_words(&Q->xy2d, xy2d);
    field8_negate_if(&Q->xy2d, negative);
}

/* Read a table entry into each lane, with the sign turned in the lanes of *negative*, as table_add does. */
LANES_INLINE void addend8_load(addend8 *Q, const table_entry *const entry[N_LANES], lanes_mask negative)
{
    lanes word[3][4];
    LANES_UNROLL
    for (int part = 0; part < 3; part++) {
        addend8_words(word[part], entry, part);
    }
    addend8_y_pm_x(Q, word[0], word[1], negative);
    addend8_xy2d(Q, word[2], negative);
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
 * The end of an addition: E = B - A, F = D - C, G = D + C, H = B + A.
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

/*
 * P = P + Q: seven multiplications. Then Q = what addend8_load makes of *next* and *negative*.
 *
 * Carries and loads that do not wait for a multiplication stand between its halves, and the products are in the order
 * that leaves each the longest time until it is used: the units that multiply are the bottleneck, and a processor does
 * not see far enough ahead to find work for them, and for the others, by itself.
 */
LANES_INLINE void point8_add_addend(
    point8 *P, addend8 *Q, const table_entry *const next[N_LANES], lanes_mask negative)
{
    field8 A, B, C, D, E, F, G, H, s, t;
    field8_upper upper;
    lanes word[3][4];
    field8_mul_upper(&upper, &P->T, &Q->xy2d);
    field8_sub_carry(&s, &P->Y, &P->X);
    field8_mul_lower(&C, &upper, &P->T, &Q->xy2d);
    field8_mul_upper(&upper, &s, &Q->y_minus_x);
    field8_add_carry(&t, &P->Y, &P->X);
    field8_mul_lower(&A, &upper, &s, &Q->y_minus_x);
    field8_mul_upper(&upper, &t, &Q->y_plus_x);
    field8_add(&D, &P->Z, &P->Z);
    field8_sub_carry(&F, &D, &C);
    field8_add_carry(&G, &D, &C);
    field8_mul_lower(&B, &upper, &t, &Q->y_plus_x);
    field8_mul_upper(&upper, &F, &G);
    field8_sub_carry(&E, &B, &A);
    field8_add_carry(&H, &B, &A);
    field8_mul_lower(&P->Z, &upper, &F, &G);
    field8_mul_upper(&upper, &E, &H);
    addend8_words(word[2], next, 2);
    addend8_xy2d(Q, word[2], negative);
    field8_mul_lower(&P->T, &upper, &E, &H);
    field8_mul_upper(&upper, &E, &F);
    field8_carry(&P->T, &P->T);
    addend8_words(word[0], next, 0);
    field8_mul_lower(&P->X, &upper, &E, &F);
    field8_mul_upper(&upper, &G, &H);
    addend8_words(word[1], next, 1);
    field8_mul_lower(&P->Y, &upper, &G, &H);
    addend8_y_pm_x(Q, word[0], word[1], negative);
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

/* The point in lane 0. Leaves limbs <= FIELD8_CARRIED_MAX: more than group.h leaves, but fit to be factors. */
LANES_INLINE void point8_first(point *first, const point8 *P)
{
    field8 X, Y, Z;
    field8_carry(&X, &P->X);
    field8_carry(&Y, &P->Y);
    field8_carry(&Z, &P->Z);
    field8_first(&first->X, &X);
    field8_first(&first->Y, &Y);
    field8_first(&first->Z, &Z);
    field8_first(&first->T, &P->T);
}

/* A point8 that shares one inversion with those before and after it. Limbs <= FIELD8_CARRIED_MAX. */
typedef struct {
    field8 X, Y, Z;
    field8 before; /* the product of the Z of all before */
} point8_shared;

/* Add P to those that share: product = product * Z. Needs and leaves product <= FIELD8_CARRIED_MAX. */
LANES_INLINE void point8_share(point8_shared *shared, const point8 *P, field8 *product)
{
    field8_carry(&shared->X, &P->X);
    field8_carry(&shared->Y, &P->Y);
    field8_carry(&shared->Z, &P->Z);
    shared->before = *product;
    field8_mul_carry(product, product, &shared->Z);
}

/*
 * Take the last one of those that share away again: the words of its x and y, fully reduced, given 1 / product, which
 * becomes that of those before. Needs and leaves inverse <= FIELD8_CARRIED_MAX.
 */
LANES_INLINE void point8_unshare(lanes x[4], lanes y[4], const point8_shared *shared, field8 *inverse)
{
    field8 z_inverse, t;
    field8_mul_carry(&z_inverse, inverse, &shared->before);
    field8_mul_carry(inverse, inverse, &shared->Z);
    field8_mul_carry(&t, &shared->X, &z_inverse);
    field8_to_words(x, &t);
    field8_mul_carry(&t, &shared->Y, &z_inverse);
    field8_to_words(y, &t);
}

#endif
