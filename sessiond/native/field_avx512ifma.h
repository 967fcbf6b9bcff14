/*
 * Arithmetic modulo p = 2^255 - 19 in eight lanes: the limbs of field.h, eight numbers side by side.
 *
 * Rule 1: as in field.h, every function states the bounds of its limbs, by the FIELD8_*_MAX below; tests/native proves
 *         them with interval arithmetic.
 * Rule 2: the processor multiplies 52-bit numbers and silently drops what lies above them, so no limb of a factor may
 *         pass FIELD8_FACTOR_MAX. Products are left uncarried: sums and differences of two of them are carried once,
 *         on their way to the next product.
 */
#ifndef SESSIOND_FIELD_AVX512IFMA_H
#define SESSIOND_FIELD_AVX512IFMA_H

#include <stdint.h>

#include "avx512.h"
#include "field.h"
#include "inverse.h"

/* The largest limb that a multiplication takes. */
#define FIELD8_FACTOR_MAX ((UINT64_C(1) << 52) - 1)
/* The largest limb that a multiplication leaves: column 0 with 1 + 19 * (4 + 2 * 5) halves of products. */
#define FIELD8_PRODUCT_MAX (267 * FIELD8_FACTOR_MAX)
/* The largest limb that carrying leaves. */
#define FIELD8_CARRIED_MAX ((UINT64_C(1) << 51) + (UINT64_C(1) << 18))

/* 2^10 p in limbs: the bias that keeps a difference of products from going below zero. */
#define FIELD8_BIAS_0 (((UINT64_C(1) << 51) - 19) << 10)
#define FIELD8_BIAS (((UINT64_C(1) << 51) - 1) << 10)

/* In each lane the sum of limb[i] * 2^(51 i), taken modulo p. */
typedef struct {
    lanes limb[FIELD_LIMBS];
} field8;

/* The same element in every lane. */
LANES_INLINE void field8_all(field8 *out, const field *a)
{
    LANES_UNROLL
    for (int i = 0; i < FIELD_LIMBS; i++) {
        out->limb[i] = lanes_all(a->limb[i]);
    }
}

/* The element in lane 0. */
LANES_INLINE void field8_first(field *out, const field8 *a)
{
    LANES_UNROLL
    for (int i = 0; i < FIELD_LIMBS; i++) {
        out->limb[i] = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(a->limb[i]));
    }
}

/* sum = a + b. Limb bounds add up. */
LANES_INLINE void field8_add(field8 *sum, const field8 *a, const field8 *b)
{
    LANES_UNROLL
    for (int i = 0; i < FIELD_LIMBS; i++) {
        sum->limb[i] = _mm512_add_epi64(a->limb[i], b->limb[i]);
    }
}

/* difference = a - b. Needs b <= FIELD8_PRODUCT_MAX; leaves limbs <= those of a + FIELD8_BIAS. */
LANES_INLINE void field8_sub(field8 *difference, const field8 *a, const field8 *b)
{
    LANES_UNROLL
    for (int i = 0; i < FIELD_LIMBS; i++) {
        const lanes bias = lanes_all(i == 0 ? FIELD8_BIAS_0 : FIELD8_BIAS);
        difference->limb[i] = _mm512_sub_epi64(_mm512_add_epi64(a->limb[i], bias), b->limb[i]);
    }
}

/* a = -a in the lanes of *negative*. Needs a <= FIELD_SUBTRAHEND_MAX; leaves limbs <= 2^52 - 2 there. */
LANES_INLINE void field8_negate_if(field8 *a, lanes_mask negative)
{
    LANES_UNROLL
    for (int i = 0; i < FIELD_LIMBS; i++) {
        const lanes bias = lanes_all(i == 0 ? FIELD_BIAS_0 : FIELD_BIAS);
        a->limb[i] = _mm512_mask_sub_epi64(a->limb[i], negative, bias, a->limb[i]);
    }
}

/* Bring any limbs to <= FIELD8_CARRIED_MAX: each gives its carry to the next, all at once, and none runs further. */
LANES_INLINE void field8_carry(field8 *carried, const field8 *a)
{
    lanes carry[FIELD_LIMBS]; /* below 2^13 */
    LANES_UNROLL
    for (int i = 0; i < FIELD_LIMBS; i++) {
        carry[i] = _mm512_srli_epi64(a->limb[i], FIELD_LIMB_BITS);
        carried->limb[i] = _mm512_and_si512(a->limb[i], lanes_all(FIELD_LIMB_MASK));
    }
    carried->limb[0] = _mm512_madd52lo_epu64(carried->limb[0], carry[4], lanes_all(19)); /* 2^255 = 19 modulo p */
    LANES_UNROLL
    for (int i = 1; i < FIELD_LIMBS; i++) {
        carried->limb[i] = _mm512_add_epi64(carried->limb[i], carry[i - 1]);
    }
}

/* The upper halves of the products of limbs by columns, each of weight 2^(51 k + 52): up to five of FACTOR_MAX. */
typedef struct {
    lanes column[2 * FIELD_LIMBS - 1];
} field8_upper;

/* Begin a * b. Needs limbs <= FIELD8_FACTOR_MAX. */
LANES_INLINE void field8_mul_upper(field8_upper *upper, const field8 *a, const field8 *b)
{
    LANES_UNROLL
    for (int k = 0; k < 2 * FIELD_LIMBS - 1; k++) {
        upper->column[k] = _mm512_setzero_si512();
    }
    LANES_UNROLL
    for (int i = 0; i < FIELD_LIMBS; i++) {
        LANES_UNROLL
        for (int j = 0; j < FIELD_LIMBS; j++) {
            upper->column[i + j] = _mm512_madd52hi_epu64(upper->column[i + j], a->limb[i], b->limb[j]);
        }
    }
}

/*
 * product = a * b, given its upper halves. Needs limbs <= FIELD8_FACTOR_MAX; leaves limbs <= FIELD8_PRODUCT_MAX.
 *
 * The upper half of a product in column k has weight 2^(51 k + 52): it counts twice in column k + 1. (Doubling a factor
 * instead would count bit 51 of the product in both halves.) Column k + 5 comes back 19-fold in column k. Every column
 * is summed on top of what comes into it, which needs no register for a sum of its own.
 */
LANES_INLINE void field8_mul_lower(field8 *product, const field8_upper *upper, const field8 *a, const field8 *b)
{
    field8 column;
    LANES_UNROLL
    for (int k = 0; k < FIELD_LIMBS; k++) {
        /* All of column k + 5, up to 4 + 2 * 5 halves. */
        lanes beyond = _mm512_slli_epi64(upper->column[k + FIELD_LIMBS - 1], 1);
        LANES_UNROLL
        for (int i = k + 1; i < FIELD_LIMBS; i++) {
            beyond = _mm512_madd52lo_epu64(beyond, a->limb[i], b->limb[k + FIELD_LIMBS - i]);
        }
        /* 19 beyond + 2 upper = beyond + 2 (beyond + upper) + 16 beyond */
        lanes twice = beyond;
        if (k > 0) {
            twice = _mm512_add_epi64(twice, upper->column[k - 1]);
        }
        column.limb[k] = _mm512_add_epi64(beyond, _mm512_slli_epi64(twice, 1));
        column.limb[k] = _mm512_add_epi64(column.limb[k], _mm512_slli_epi64(beyond, 4));
        LANES_UNROLL
        for (int i = 0; i <= k; i++) {
            column.limb[k] = _mm512_madd52lo_epu64(column.limb[k], a->limb[i], b->limb[k - i]);
        }
    }
    *product = column;
}

/* product = a * b. Needs limbs <= FIELD8_FACTOR_MAX; leaves limbs <= FIELD8_PRODUCT_MAX. */
LANES_INLINE void field8_mul(field8 *product, const field8 *a, const field8 *b)
{
    field8_upper upper;
    field8_mul_upper(&upper, a, b);
    field8_mul_lower(product, &upper, a, b);
}

/* product = a * b, carried. Needs limbs <= FIELD8_FACTOR_MAX; leaves limbs <= FIELD8_CARRIED_MAX. */
LANES_INLINE void field8_mul_carry(field8 *product, const field8 *a, const field8 *b)
{
    field8_mul(product, a, b);
    field8_carry(product, product);
}

/* difference = a - b, carried. Needs b <= FIELD8_PRODUCT_MAX, a + FIELD8_BIAS < 2^64; leaves FIELD8_CARRIED_MAX. */
LANES_INLINE void field8_sub_carry(field8 *difference, const field8 *a, const field8 *b)
{
    field8_sub(difference, a, b);
    field8_carry(difference, difference);
}

/* sum = a + b, carried. Needs a + b < 2^64; leaves limbs <= FIELD8_CARRIED_MAX. */
LANES_INLINE void field8_add_carry(field8 *sum, const field8 *a, const field8 *b)
{
    field8_add(sum, a, b);
    field8_carry(sum, sum);
}

/* out = a with lanes exchanged, as lanes_exchange. */
LANES_INLINE void field8_exchange(field8 *out, const field8 *a, int distance)
{
    LANES_UNROLL
    for (int i = 0; i < FIELD_LIMBS; i++) {
        out->limb[i] = lanes_exchange(a->limb[i], distance);
    }
}

/*
 * inverse = 1/a in every lane, by one inversion for all of them. Needs and leaves limbs <= FIELD8_CARRIED_MAX.
 *
 * If any lane is 0, the inverse is 0 in all of them.
 */
static inline void field8_invert(field8 *inverse, const field8 *a)
{
    /* product[i] holds the product of 2^i lanes in each of them. */
    field8 product[4], exchanged;
    product[0] = *a;
    for (int i = 0; i < 3; i++) {
        field8_exchange(&exchanged, &product[i], 1 << i);
        field8_mul_carry(&product[i + 1], &product[i], &exchanged);
    }
    field all;
    field8_first(&all, &product[3]);
    field_invert(&all, &all);
    field8_all(inverse, &all);
    for (int i = 2; i >= 0; i--) {
        field8_exchange(&exchanged, &product[i], 1 << i);
        field8_mul_carry(inverse, inverse, &exchanged);
    }
}

/* Take the low 255 bits of four words. Leaves limbs <= FIELD_CANONICAL_MAX, the value itself may be p or more. */
LANES_INLINE void field8_from_words(field8 *out, const lanes words[4])
{
    const lanes mask = lanes_all(FIELD_LIMB_MASK);
    out->limb[0] = _mm512_and_si512(words[0], mask);
    out->limb[1] = _mm512_and_si512(_mm512_shrdi_epi64(words[0], words[1], 51), mask);
    out->limb[2] = _mm512_and_si512(_mm512_shrdi_epi64(words[1], words[2], 38), mask);
    out->limb[3] = _mm512_and_si512(_mm512_shrdi_epi64(words[2], words[3], 25), mask);
    out->limb[4] = _mm512_and_si512(_mm512_srli_epi64(words[3], 12), mask);
}

/* Reduce a fully: words of the one value in [0, p), least significant first. Needs limbs <= FIELD8_FACTOR_MAX. */
LANES_INLINE void field8_to_words(lanes words[4], const field8 *a)
{
    const lanes mask = lanes_all(FIELD_LIMB_MASK);
    field8 t;
    field8_carry(&t, a); /* limbs <= 2^51 + 18, so the value is below 2p */
    /* The value is p or more exactly when adding 19 carries past bit 255. */
    lanes carry = _mm512_srli_epi64(_mm512_add_epi64(t.limb[0], lanes_all(19)), FIELD_LIMB_BITS);
    LANES_UNROLL
    for (int i = 1; i < FIELD_LIMBS; i++) {
        carry = _mm512_srli_epi64(_mm512_add_epi64(t.limb[i], carry), FIELD_LIMB_BITS);
    }
    t.limb[0] = _mm512_madd52lo_epu64(t.limb[0], carry, lanes_all(19));
    LANES_UNROLL
    for (int i = 1; i < FIELD_LIMBS; i++) {
        t.limb[i] = _mm512_add_epi64(t.limb[i], _mm512_srli_epi64(t.limb[i - 1], FIELD_LIMB_BITS));
        t.limb[i - 1] = _mm512_and_si512(t.limb[i - 1], mask);
    }
    t.limb[4] = _mm512_and_si512(t.limb[4], mask);

    words[0] = _mm512_or_si512(t.limb[0], _mm512_slli_epi64(t.limb[1], 51));
    words[1] = _mm512_or_si512(_mm512_srli_epi64(t.limb[1], 13), _mm512_slli_epi64(t.limb[2], 38));
    words[2] = _mm512_or_si512(_mm512_srli_epi64(t.limb[2], 26), _mm512_slli_epi64(t.limb[3], 25));
    words[3] = _mm512_or_si512(_mm512_srli_epi64(t.limb[3], 39), _mm512_slli_epi64(t.limb[4], 12));
}

#endif
