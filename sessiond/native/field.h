/*
 * Arithmetic modulo p = 2^255 - 19 (RFC 8032, section 5.1.1): five limbs of 51 bits.
 *
 * Rule 1: every function states the bounds that its limbs must have and will have; the bounds are the FIELD_*_MAX
 *         below and nowhere else. tests/native proves them with interval arithmetic.
 * Rule 2: public data only. Nothing here is constant in time, and nothing here may ever sign.
 */
#ifndef SESSIOND_FIELD_H
#define SESSIOND_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __SIZEOF_INT128__
#error "sessiond needs a 64-bit machine, and a compiler with 128-bit integers: gcc or clang"
#endif

#define FIELD_INLINE static inline __attribute__((always_inline))

#define FIELD_LIMBS 5
#define FIELD_LIMB_BITS 51
#define FIELD_LIMB_MASK ((UINT64_C(1) << 51) - 1)

/* The largest limb of a value that is fully reduced. */
#define FIELD_CANONICAL_MAX ((UINT64_C(1) << 51) - 1)
/* The largest limb that a multiplication leaves. */
#define FIELD_CARRIED_MAX ((UINT64_C(1) << 51) + (UINT64_C(1) << 13))
/* The largest limb that may be subtracted: the smallest limb of 2p. */
#define FIELD_SUBTRAHEND_MAX ((UINT64_C(1) << 52) - 38)
/* The largest limb that a multiplication takes. */
#define FIELD_FACTOR_MAX ((UINT64_C(1) << 54) - 1)

/* 2p in limbs: the bias that keeps a difference of limbs from going below zero. */
#define FIELD_BIAS_0 ((UINT64_C(1) << 52) - 38)
#define FIELD_BIAS ((UINT64_C(1) << 52) - 2)

/* The value is the sum of limb[i] * 2^(51 i), taken modulo p. */
typedef struct {
    uint64_t limb[FIELD_LIMBS];
} field;

__extension__ typedef unsigned __int128 uint128;

static const field FIELD_ZERO = {{0, 0, 0, 0, 0}};
static const field FIELD_ONE = {{1, 0, 0, 0, 0}};

/* sum = a + b. Limb bounds add up. */
FIELD_INLINE void field_add(field *sum, const field *a, const field *b)
{
    for (int i = 0; i < FIELD_LIMBS; i++) {
        sum->limb[i] = a->limb[i] + b->limb[i];
    }
}

/* difference = a - b. Needs b <= FIELD_SUBTRAHEND_MAX; leaves limbs <= those of a + 2^52 - 2. */
FIELD_INLINE void field_sub(field *difference, const field *a, const field *b)
{
    difference->limb[0] = a->limb[0] + FIELD_BIAS_0 - b->limb[0];
    for (int i = 1; i < FIELD_LIMBS; i++) {
        difference->limb[i] = a->limb[i] + FIELD_BIAS - b->limb[i];
    }
}

/* a = -a if *negative* is 1, a itself if it is 0. Needs a <= FIELD_SUBTRAHEND_MAX; leaves limbs <= 2^52 - 2. */
FIELD_INLINE void field_negate_if(field *a, uint64_t negative)
{
    /* With all bits of the mask set, (limb ^ mask) + bias + 1 is bias - limb modulo 2^64. */
    const uint64_t mask = 0 - negative;
    a->limb[0] = (a->limb[0] ^ mask) + (mask & (FIELD_BIAS_0 + 1));
    for (int i = 1; i < FIELD_LIMBS; i++) {
        a->limb[i] = (a->limb[i] ^ mask) + (mask & (FIELD_BIAS + 1));
    }
}

/* Reduce column sums of weight 2^(51 i) to limbs <= FIELD_CARRIED_MAX. Needs the columns of two factors, see below. */
FIELD_INLINE void field_carry(field *out, uint128 c0, uint128 c1, uint128 c2, uint128 c3, uint128 c4)
{
    /* Each column is below 2^115, so that every carry fits in 64 bits; the last is below 2^59.4 and does so 19-fold. */
    c1 += (uint64_t)(c0 >> FIELD_LIMB_BITS);
    c2 += (uint64_t)(c1 >> FIELD_LIMB_BITS);
    c3 += (uint64_t)(c2 >> FIELD_LIMB_BITS);
    c4 += (uint64_t)(c3 >> FIELD_LIMB_BITS);
    uint64_t low = ((uint64_t)c0 & FIELD_LIMB_MASK) + 19 * (uint64_t)(c4 >> FIELD_LIMB_BITS);
    out->limb[0] = low & FIELD_LIMB_MASK;
    out->limb[1] = ((uint64_t)c1 & FIELD_LIMB_MASK) + (low >> FIELD_LIMB_BITS);
    out->limb[2] = (uint64_t)c2 & FIELD_LIMB_MASK;
    out->limb[3] = (uint64_t)c3 & FIELD_LIMB_MASK;
    out->limb[4] = (uint64_t)c4 & FIELD_LIMB_MASK;
}

/* product = a * b. Needs limbs <= FIELD_FACTOR_MAX; leaves limbs <= FIELD_CARRIED_MAX. */
FIELD_INLINE void field_mul(field *product, const field *a, const field *b)
{
    const uint128 a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3], a4 = a->limb[4];
    const uint64_t b0 = b->limb[0], b1 = b->limb[1], b2 = b->limb[2], b3 = b->limb[3], b4 = b->limb[4];
    /* 2^255 = 19 modulo p, so what passes the top column comes back 19-fold: below 2^58.3. */
    const uint64_t w1 = 19 * b1, w2 = 19 * b2, w3 = 19 * b3, w4 = 19 * b4;

    const uint128 c0 = a0 * b0 + a1 * w4 + a2 * w3 + a3 * w2 + a4 * w1;
    const uint128 c1 = a0 * b1 + a1 * b0 + a2 * w4 + a3 * w3 + a4 * w2;
    const uint128 c2 = a0 * b2 + a1 * b1 + a2 * b0 + a3 * w4 + a4 * w3;
    const uint128 c3 = a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 + a4 * w4;
    const uint128 c4 = a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0;
    field_carry(product, c0, c1, c2, c3, c4);
}

/* square = a * a. Needs limbs <= FIELD_FACTOR_MAX; leaves limbs <= FIELD_CARRIED_MAX. */
FIELD_INLINE void field_sqr(field *square, const field *a)
{
    const uint64_t a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3], a4 = a->limb[4];
    const uint64_t d0 = 2 * a0, d1 = 2 * a1, d2 = 2 * a2, d3 = 2 * a3;
    const uint64_t w3 = 19 * a3, w4 = 19 * a4;

    const uint128 c0 = (uint128)a0 * a0 + (uint128)d1 * w4 + (uint128)d2 * w3;
    const uint128 c1 = (uint128)d0 * a1 + (uint128)d2 * w4 + (uint128)a3 * w3;
    const uint128 c2 = (uint128)d0 * a2 + (uint128)a1 * a1 + (uint128)d3 * w4;
    const uint128 c3 = (uint128)d0 * a3 + (uint128)d1 * a2 + (uint128)a4 * w4;
    const uint128 c4 = (uint128)d0 * a4 + (uint128)d1 * a3 + (uint128)a2 * a2;
    field_carry(square, c0, c1, c2, c3, c4);
}

/* out = a^(2^n), n >= 1. Bounds as field_sqr. */
static inline void field_sqr_times(field *out, const field *a, int n)
{
    field_sqr(out, a);
    for (int i = 1; i < n; i++) {
        field_sqr(out, out);
    }
}

/* power = a^((p - 5) / 8) = a^(2^252 - 3), for square roots (RFC 8032, section 5.1.3). Bounds as field_mul. */
static inline void field_pow_p58(field *power, const field *a)
{
    field a2, a9, a11, x5, x10, x20, x40, x50, x100, t; /* x_n stands for a^(2^n - 1) */
    field_sqr(&a2, a);
    field_sqr_times(&t, &a2, 2);
    field_mul(&a9, &t, a);
    field_mul(&a11, &a9, &a2);
    field_sqr(&t, &a11);
    field_mul(&x5, &t, &a9);
    field_sqr_times(&t, &x5, 5);
    field_mul(&x10, &t, &x5);
    field_sqr_times(&t, &x10, 10);
    field_mul(&x20, &t, &x10);
    field_sqr_times(&t, &x20, 20);
    field_mul(&x40, &t, &x20);
    field_sqr_times(&t, &x40, 10);
    field_mul(&x50, &t, &x10);
    field_sqr_times(&t, &x50, 50);
    field_mul(&x100, &t, &x50);
    field_sqr_times(&t, &x100, 100);
    field_mul(&t, &t, &x100);
    field_sqr_times(&t, &t, 50);
    field_mul(&t, &t, &x50);
    field_sqr_times(&t, &t, 2);
    field_mul(power, &t, a);
}

/* Reduce a fully: words of the one value in [0, p), least significant first. Needs limbs <= FIELD_FACTOR_MAX. */
static inline void field_to_words(uint64_t words[4], const field *a)
{
    uint64_t t0 = a->limb[0], t1 = a->limb[1], t2 = a->limb[2], t3 = a->limb[3], t4 = a->limb[4];
    t1 += t0 >> FIELD_LIMB_BITS;
    t0 &= FIELD_LIMB_MASK;
    t2 += t1 >> FIELD_LIMB_BITS;
    t1 &= FIELD_LIMB_MASK;
    t3 += t2 >> FIELD_LIMB_BITS;
    t2 &= FIELD_LIMB_MASK;
    t4 += t3 >> FIELD_LIMB_BITS;
    t3 &= FIELD_LIMB_MASK;
    t0 += 19 * (t4 >> FIELD_LIMB_BITS);
    t4 &= FIELD_LIMB_MASK;

    /*
     * t0 < 2^51 + 19 * 9 and the others < 2^51, so the value is below 2^255 + 171 < 2p. It is p or more exactly when
     * adding 19 carries past bit 255: then 19 is added and the carry dropped, which takes p away.
     */
    uint64_t carry = (t0 + 19) >> FIELD_LIMB_BITS;
    carry = (t1 + carry) >> FIELD_LIMB_BITS;
    carry = (t2 + carry) >> FIELD_LIMB_BITS;
    carry = (t3 + carry) >> FIELD_LIMB_BITS;
    carry = (t4 + carry) >> FIELD_LIMB_BITS;
    t0 += 19 * carry;
    t1 += t0 >> FIELD_LIMB_BITS;
    t0 &= FIELD_LIMB_MASK;
    t2 += t1 >> FIELD_LIMB_BITS;
    t1 &= FIELD_LIMB_MASK;
    t3 += t2 >> FIELD_LIMB_BITS;
    t2 &= FIELD_LIMB_MASK;
    t4 += t3 >> FIELD_LIMB_BITS;
    t3 &= FIELD_LIMB_MASK;
    t4 &= FIELD_LIMB_MASK;

    words[0] = t0 | t1 << 51;
    words[1] = t1 >> 13 | t2 << 38;
    words[2] = t2 >> 26 | t3 << 25;
    words[3] = t3 >> 39 | t4 << 12;
}

/* Take the low 255 bits of four words. Leaves limbs <= FIELD_CANONICAL_MAX, the value itself may be p or more. */
FIELD_INLINE void field_from_words(field *out, const uint64_t words[4])
{
    out->limb[0] = words[0] & FIELD_LIMB_MASK;
    out->limb[1] = (words[0] >> 51 | words[1] << 13) & FIELD_LIMB_MASK;
    out->limb[2] = (words[1] >> 38 | words[2] << 26) & FIELD_LIMB_MASK;
    out->limb[3] = (words[2] >> 25 | words[3] << 39) & FIELD_LIMB_MASK;
    out->limb[4] = (words[3] >> 12) & FIELD_LIMB_MASK;
}

/* Tell whether a = b modulo p. Needs limbs <= FIELD_FACTOR_MAX. */
static inline bool field_equal(const field *a, const field *b)
{
    uint64_t x[4], y[4];
    field_to_words(x, a);
    field_to_words(y, b);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3])) == 0;
}

#endif
