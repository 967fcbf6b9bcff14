/*
 * Scalars modulo L = 2^252 + 27742317777372353535851937790883648493, the order of B (RFC 8032, section 5.1).
 *
 * Public data only, as in field.h.
 */
#ifndef SESSIOND_SCALAR_H
#define SESSIOND_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "field.h"

#define SCALAR_LEN 32

/* Words, least significant first; always below L. */
typedef struct {
    uint64_t word[4];
} scalar;

static const uint64_t SCALAR_L[4] = {
    UINT64_C(0x5812631a5cf5d3ed),
    UINT64_C(0x14def9dea2f79cd6),
    UINT64_C(0x0000000000000000),
    UINT64_C(0x1000000000000000),
};

/* floor(2^512 / L) */
static const uint64_t SCALAR_RECIPROCAL[5] = {
    UINT64_C(0xed9ce5a30a2c131b),
    UINT64_C(0x2106215d086329a7),
    UINT64_C(0xffffffffffffffeb),
    UINT64_C(0xffffffffffffffff),
    UINT64_C(0x000000000000000f),
};

/* difference = a - b over n words; return the borrow, 1 when a < b. */
static inline uint64_t scalar_words_sub(uint64_t *difference, const uint64_t *a, const uint64_t *b, int n)
{
    uint64_t borrow = 0;
    for (int i = 0; i < n; i++) {
        const uint128 t = (uint128)a[i] - b[i] - borrow;
        difference[i] = (uint64_t)t;
        borrow = (uint64_t)(t >> 64) & 1;
    }
    return borrow;
}

/* Read the S of a signature; return false when it is not below L (RFC 8032, section 5.1.7, step 1). */
static inline bool scalar_from_bytes(scalar *s, const uint8_t bytes[SCALAR_LEN])
{
    uint64_t unused[4];
    for (int i = 0; i < 4; i++) {
        s->word[i] = load_le64(bytes + 8 * i);
    }
    return scalar_words_sub(unused, s->word, SCALAR_L, 4) == 1;
}

/*
 * r = x modulo L for any x of 512 bits, words least significant first: the k of a signature from its digest.
 *
 * Barrett's reduction in base 2^64. Before it is rounded down, the estimate of x / L is less than 1/4 too small: 0.2249
 * for the fraction of 2^512 / L that the reciprocal lacks, below 2^-59 for the low words of x. So the quotient is at
 * most 1 too small, the remainder before the subtraction below 2L < 2^254, and five words hold every value on the way.
 */
static inline void scalar_reduce(scalar *r, const uint64_t x[8])
{
    /* quotient = floor(floor(x / 2^192) * floor(2^512 / L) / 2^320) */
    uint64_t product[10] = {0};
    for (int i = 0; i < 5; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < 5; j++) {
            const uint128 t = (uint128)x[3 + i] * SCALAR_RECIPROCAL[j] + product[i + j] + carry;
            product[i + j] = (uint64_t)t;
            carry = (uint64_t)(t >> 64);
        }
        product[i + 5] = carry;
    }
    const uint64_t *quotient = product + 5;

    /* remainder = (x - quotient * L) modulo 2^320 */
    uint64_t multiple[5] = {0};
    for (int i = 0; i < 5; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < 4 && i + j < 5; j++) {
            const uint128 t = (uint128)quotient[i] * SCALAR_L[j] + multiple[i + j] + carry;
            multiple[i + j] = (uint64_t)t;
            carry = (uint64_t)(t >> 64);
        }
        if (i + 4 < 5) {
            multiple[i + 4] = carry;
        }
    }
    uint64_t remainder[5];
    scalar_words_sub(remainder, x, multiple, 5);

    if (scalar_words_sub(r->word, remainder, SCALAR_L, 4) == 1) {
        for (int i = 0; i < 4; i++) {
            r->word[i] = remainder[i]; /* it is below L already */
        }
    }
}

/*
 * Cut s into signed digits: s = sum of digit[i] * 2^(width * i), each digit in [-2^(width - 1), 2^(width - 1)).
 *
 * Needs width to divide 64 and to be at most 8. Since s < L < 2^253, the top digit is never negative and no carry
 * leaves it.
 */
FIELD_INLINE void scalar_recode(int16_t *digits, const scalar *s, int width)
{
    /* Adding half to every digit makes all of them non-negative; the sum stays below 2^256. */
    const uint64_t mask = (UINT64_C(1) << width) - 1;
    const uint64_t halves = UINT64_MAX / mask << (width - 1);
    uint64_t carry = 0;
    for (int i = 0; i < 4; i++) {
        const uint128 t = (uint128)s->word[i] + halves + carry;
        carry = (uint64_t)(t >> 64);
        for (int j = 0; j < 64 / width; j++) {
            *digits++ = (int16_t)((int)((uint64_t)t >> (j * width) & mask) - (1 << (width - 1)));
        }
    }
}

#endif
