/*
 * Points of edwards25519 (RFC 8032, section 5.1): -x^2 + y^2 = 1 + d x^2 y^2.
 *
 * The addition formulas are complete: no pair of points is an exception (RFC 8032, section 5.1.4).
 * Bounds: every coordinate that a function leaves is <= FIELD_CARRIED_MAX, and every function needs them so.
 */
#ifndef SESSIOND_GROUP_H
#define SESSIOND_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bytes.h"
#include "field.h"

#define POINT_LEN 32

/* x = X/Z, y = Y/Z, x y = T/Z. */
typedef struct {
    field X, Y, Z, T;
} point;

/* An affine point as a mixed addition wants it: y + x, y - x and 2 d x y. Limbs <= FIELD_FACTOR_MAX. */
typedef struct {
    field y_plus_x, y_minus_x, xy2d;
} point_addend;

static const field GROUP_D = {
    {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff}};
static const field GROUP_2D = {
    {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff}};
/* 2^((p - 1) / 4), a square root of -1 */
static const field GROUP_SQRT_M1 = {
    {0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e, 0x2b8324804fc1d}};
/* The coordinates of the base point B. */
static const field GROUP_B_X = {
    {0x62d608f25d51a, 0x412a4b4f6592a, 0x75b7171a4b31d, 0x1ff60527118fe, 0x216936d3cd6e5}};
static const field GROUP_B_Y = {
    {0x6666666666658, 0x4cccccccccccc, 0x1999999999999, 0x3333333333333, 0x6666666666666}};

/* The y of the eight points whose order divides 8, as words: 0, 1, p - 1 and the y of the points of order 8. */
#define GROUP_N_SMALL_ORDER 5
static const uint64_t GROUP_SMALL_ORDER_Y[GROUP_N_SMALL_ORDER][4] = {
    {0, 0, 0, 0},
    {1, 0, 0, 0},
    {UINT64_C(0xffffffffffffffec), UINT64_MAX, UINT64_MAX, UINT64_C(0x7fffffffffffffff)},
    {UINT64_C(0xb027b2c28f95e826), UINT64_C(0xf098eff289f4c345), UINT64_C(0x3933c6d305acdfd5),
     UINT64_C(0x05fc536d880238b1)},
    {UINT64_C(0x4fd84d3d706a17c7), UINT64_C(0x0f67100d760b3cba), UINT64_C(0xc6cc392cfa53202a),
     UINT64_C(0x7a03ac9277fdc74e)},
};

static inline void point_from_affine(point *P, const field *x, const field *y)
{
    P->X = *x;
    P->Y = *y;
    P->Z = FIELD_ONE;
    field_mul(&P->T, x, y);
}

/* negated = -P */
static inline void point_negate(point *negated, const point *P)
{
    field minus_x;
    field_sub(&minus_x, &FIELD_ZERO, &P->X);
    field_mul(&negated->X, &minus_x, &FIELD_ONE); /* back to carried limbs */
    negated->Y = P->Y;
    negated->Z = P->Z;
    field_sub(&minus_x, &FIELD_ZERO, &P->T);
    field_mul(&negated->T, &minus_x, &FIELD_ONE);
}

/*
 * The common end of every addition: E = B - A, F = D - C, G = D + C, H = B + A.
 * Needs A and B carried, C carried, D at most twice that.
 *
 * Here and in point_add_addend, what needs C, D or T comes first: a processor that runs ahead then fills the wait for
 * the last carries of one product with the start of the next. It is worth a sixth of an addition.
 */
FIELD_INLINE void point_finish_addition(
    point *sum, const field *A, const field *B, const field *C, const field *D)
{
    field E, F, G, H;
    field_sub(&F, D, C);
    field_add(&G, D, C);
    field_mul(&sum->Z, &F, &G);
    field_sub(&E, B, A);
    field_add(&H, B, A);
    field_mul(&sum->T, &E, &H);
    field_mul(&sum->Y, &G, &H);
    field_mul(&sum->X, &E, &F);
}

/* sum = P + Q (RFC 8032, section 5.1.4). The sum may be P or Q. */
static inline void point_add(point *sum, const point *P, const point *Q)
{
    field A, B, C, D, s, t;
    field_sub(&s, &P->Y, &P->X);
    field_sub(&t, &Q->Y, &Q->X);
    field_mul(&A, &s, &t);
    field_add(&s, &P->Y, &P->X);
    field_add(&t, &Q->Y, &Q->X);
    field_mul(&B, &s, &t);
    field_mul(&t, &P->T, &GROUP_2D);
    field_mul(&C, &t, &Q->T);
    field_add(&s, &P->Z, &P->Z);
    field_mul(&D, &s, &Q->Z);
    point_finish_addition(sum, &A, &B, &C, &D);
}

/*
 * sum = P + Q for an affine Q made ready: seven multiplications. The sum may be P.
 *
 * Not inlined: within a loop around it gcc keeps fewer limbs in registers and loses a fifth.
 */
static __attribute__((noinline, unused)) void point_add_addend(point *sum, const point *P, const point_addend *Q)
{
    field A, B, C, D, s;
    field_add(&D, &P->Z, &P->Z);
    field_mul(&C, &P->T, &Q->xy2d);
    field_sub(&s, &P->Y, &P->X);
    field_mul(&A, &s, &Q->y_minus_x);
    field_add(&s, &P->Y, &P->X);
    field_mul(&B, &s, &Q->y_plus_x);
    point_finish_addition(sum, &A, &B, &C, &D);
}

/* twice = P + P (RFC 8032, section 5.1.4). It may be P. */
static inline void point_double(point *twice, const point *P)
{
    field A, B, C, E, F, G, H, s;
    field_sqr(&A, &P->X);
    field_sqr(&B, &P->Y);
    field_sqr(&C, &P->Z);
    field_add(&C, &C, &C);
    field_add(&H, &A, &B);
    field_add(&s, &P->X, &P->Y);
    field_sqr(&s, &s);
    field_sub(&E, &H, &s);
    field_sub(&G, &A, &B);
    field_add(&F, &C, &G);
    field_mul(&twice->X, &E, &F);
    field_mul(&twice->Y, &G, &H);
    field_mul(&twice->T, &E, &H);
    field_mul(&twice->Z, &F, &G);
}

/* Tell whether the low 255 bits of *encoding* are the canonical y of a point of small order. */
static inline bool point_encoding_is_small_order(const uint8_t encoding[POINT_LEN])
{
    uint64_t y[4];
    for (int i = 0; i < 4; i++) {
        y[i] = load_le64(encoding + 8 * i);
    }
    y[3] &= UINT64_MAX >> 1;
    for (int i = 0; i < GROUP_N_SMALL_ORDER; i++) {
        if (memcmp(y, GROUP_SMALL_ORDER_Y[i], sizeof y) == 0) {
            return true;
        }
    }
    return false;
}

/* The encoding of the point (x, y) as words: y, with the lowest bit of x on top (RFC 8032, section 5.1.2). */
static inline void point_encode(uint64_t words[4], const field *x, const field *y)
{
    uint64_t x_words[4];
    field_to_words(x_words, x);
    field_to_words(words, y);
    words[3] |= x_words[0] << 63;
}

/* Decode a point; return false when y is p or more, or when no x fits (RFC 8032, section 5.1.3, but for x = 0). */
static inline bool point_decode(point *P, const uint8_t encoding[POINT_LEN])
{
    uint64_t words[4], canonical[4];
    for (int i = 0; i < 4; i++) {
        words[i] = load_le64(encoding + 8 * i);
    }
    const uint64_t x_0 = words[3] >> 63;
    words[3] &= UINT64_MAX >> 1;
    field y;
    field_from_words(&y, words);
    field_to_words(canonical, &y);
    if (memcmp(words, canonical, sizeof words) != 0) {
        return false;
    }

    /* x^2 = u/v with u = y^2 - 1 and v = d y^2 + 1; the candidate is x = u v^3 (u v^7)^((p-5)/8). */
    field y2, u, v, v3, x, t, minus_u;
    field_sqr(&y2, &y);
    field_sub(&u, &y2, &FIELD_ONE);
    field_mul(&u, &u, &FIELD_ONE); /* carried, as a subtrahend must be */
    field_mul(&v, &y2, &GROUP_D);
    field_add(&v, &v, &FIELD_ONE);
    field_sqr(&t, &v);
    field_mul(&v3, &t, &v);
    field_sqr(&t, &v3);
    field_mul(&t, &t, &v);
    field_mul(&t, &t, &u);
    field_pow_p58(&t, &t);
    field_mul(&t, &t, &v3);
    field_mul(&x, &t, &u);

    field_sqr(&t, &x);
    field_mul(&t, &t, &v);
    if (!field_equal(&t, &u)) {
        field_sub(&minus_u, &FIELD_ZERO, &u);
        if (!field_equal(&t, &minus_u)) {
            return false;
        }
        field_mul(&x, &x, &GROUP_SQRT_M1);
    }
    field_to_words(canonical, &x);
    if ((canonical[0] & 1) != x_0) {
        field_sub(&x, &FIELD_ZERO, &x);
        field_mul(&x, &x, &FIELD_ONE);
    }
    point_from_affine(P, &x, &y);
    return true;
}

#endif
