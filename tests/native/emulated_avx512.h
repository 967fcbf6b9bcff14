/*
 * The instructions of AVX-512 that native/ uses, in plain C: its code for eight lanes then runs on any little-endian
 * machine. Each function follows the operation that Intel's guide to the intrinsics gives for its name.
 *
 * One thing is stricter than a processor: a multiplication ends the program when a factor has more than 52 bits, whose
 * upper ones a processor drops.
 */
#ifndef SESSIOND_TESTS_EMULATED_AVX512_H
#define SESSIOND_TESTS_EMULATED_AVX512_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "lanes lie in memory as on x86");

typedef struct {
    uint64_t word[2];
} __m128i;
typedef struct {
    uint64_t word[4];
} __m256i;
typedef struct {
    uint64_t word[8];
} __m512i;
typedef uint8_t __mmask8;
typedef uint16_t __mmask16;
typedef uint64_t __mmask64;

#define EMULATED static inline __attribute__((unused))

/* A function of one word of each operand at a time. */
#define EMULATED_UNARY_64(name, expression)                                                                            \
    EMULATED __m512i name(__m512i a)                                                                                   \
    {                                                                                                                  \
        __m512i made;                                                                                                  \
        for (int i = 0; i < 8; i++) {                                                                                  \
            const uint64_t x = a.word[i];                                                                              \
            made.word[i] = (expression);                                                                               \
        }                                                                                                              \
        return made;                                                                                                   \
    }
#define EMULATED_BINARY_64(name, expression)                                                                           \
    EMULATED __m512i name(__m512i a, __m512i b)                                                                        \
    {                                                                                                                  \
        __m512i made;                                                                                                  \
        for (int i = 0; i < 8; i++) {                                                                                  \
            const uint64_t x = a.word[i], y = b.word[i];                                                               \
            made.word[i] = (expression);                                                                               \
        }                                                                                                              \
        return made;                                                                                                   \
    }
#define EMULATED_IMMEDIATE_64(name, expression)                                                                        \
    EMULATED __m512i name(__m512i a, unsigned n)                                                                       \
    {                                                                                                                  \
        __m512i made;                                                                                                  \
        for (int i = 0; i < 8; i++) {                                                                                  \
            const uint64_t x = a.word[i];                                                                              \
            made.word[i] = (expression);                                                                               \
        }                                                                                                              \
        return made;                                                                                                   \
    }
#define EMULATED_MASKED_64(name, expression)                                                                           \
    EMULATED __m512i name(__m512i source, __mmask8 mask, __m512i a, __m512i b)                                         \
    {                                                                                                                  \
        __m512i made;                                                                                                  \
        for (int i = 0; i < 8; i++) {                                                                                  \
            const uint64_t x = a.word[i], y = b.word[i];                                                               \
            made.word[i] = mask >> i & 1 ? (expression) : source.word[i];                                              \
        }                                                                                                              \
        return made;                                                                                                   \
    }

/* --- Words of 64 bits --- */

EMULATED_BINARY_64(_mm512_add_epi64, x + y)
EMULATED_BINARY_64(_mm512_sub_epi64, x - y)
EMULATED_BINARY_64(_mm512_and_si512, x & y)
EMULATED_BINARY_64(_mm512_or_si512, x | y)
EMULATED_BINARY_64(_mm512_xor_si512, x ^ y)
EMULATED_BINARY_64(_mm512_mul_epu32, (x & 0xffffffff) * (y & 0xffffffff))
EMULATED_IMMEDIATE_64(_mm512_slli_epi64, n > 63 ? 0 : x << n)
EMULATED_IMMEDIATE_64(_mm512_srli_epi64, n > 63 ? 0 : x >> n)
EMULATED_IMMEDIATE_64(_mm512_ror_epi64, n % 64 == 0 ? x : x >> n % 64 | x << (64 - n % 64))
EMULATED_MASKED_64(_mm512_mask_add_epi64, x + y)
EMULATED_MASKED_64(_mm512_mask_sub_epi64, x - y)

EMULATED __m512i _mm512_mask_blend_epi64(__mmask8 mask, __m512i a, __m512i b)
{
    __m512i made;
    for (int i = 0; i < 8; i++) {
        made.word[i] = mask >> i & 1 ? b.word[i] : a.word[i];
    }
    return made;
}

/* The lower 64 bits of high:low >> n, for n from 1 to 63. */
EMULATED __m512i _mm512_shrdi_epi64(__m512i low, __m512i high, int n)
{
    __m512i made;
    for (int i = 0; i < 8; i++) {
        made.word[i] = low.word[i] >> n | high.word[i] << (64 - n);
    }
    return made;
}

/* Bit 4 a + 2 b + c of *truth* for the bits a, b and c at each place. */
EMULATED __m512i _mm512_ternarylogic_epi64(__m512i a, __m512i b, __m512i c, int truth)
{
    __m512i made;
    for (int i = 0; i < 8; i++) {
        made.word[i] = 0;
        for (int row = 0; row < 8; row++) {
            const uint64_t of_a = row & 4 ? a.word[i] : ~a.word[i], of_b = row & 2 ? b.word[i] : ~b.word[i];
            const uint64_t of_c = row & 1 ? c.word[i] : ~c.word[i];
            made.word[i] |= truth >> row & 1 ? of_a & of_b & of_c : 0;
        }
    }
    return made;
}

__extension__ typedef unsigned __int128 emulated_uint128;

EMULATED emulated_uint128 emulated_product_52(uint64_t a, uint64_t b)
{
    if ((a | b) >> 52 != 0) {
        abort();
    }
    return (emulated_uint128)a * b;
}

EMULATED __m512i _mm512_madd52lo_epu64(__m512i sum, __m512i a, __m512i b)
{
    for (int i = 0; i < 8; i++) {
        sum.word[i] += (uint64_t)emulated_product_52(a.word[i], b.word[i]) & (UINT64_MAX >> 12);
    }
    return sum;
}

EMULATED __m512i _mm512_madd52hi_epu64(__m512i sum, __m512i a, __m512i b)
{
    for (int i = 0; i < 8; i++) {
        sum.word[i] += (uint64_t)(emulated_product_52(a.word[i], b.word[i]) >> 52);
    }
    return sum;
}

EMULATED __mmask8 _mm512_test_epi64_mask(__m512i a, __m512i b)
{
    unsigned made = 0;
    for (int i = 0; i < 8; i++) {
        made |= (unsigned)((a.word[i] & b.word[i]) != 0) << i;
    }
    return (__mmask8)made;
}

EMULATED __mmask8 _mm512_testn_epi64_mask(__m512i a, __m512i b)
{
    return (__mmask8)~_mm512_test_epi64_mask(a, b);
}

/* --- Words of 32 bits, which lie in memory as in the lanes; for shorter ones see emulated_bytes.h --- */

#define EMULATED_PARTS(type, count, name, value)                                                                       \
    type name[count];                                                                                                  \
    memcpy(name, &(value), sizeof name)

EMULATED __m512i _mm512_add_epi32(__m512i a, __m512i b)
{
    EMULATED_PARTS(uint32_t, 16, x, a);
    EMULATED_PARTS(uint32_t, 16, y, b);
    for (int i = 0; i < 16; i++) {
        x[i] += y[i];
    }
    memcpy(&a, x, sizeof a);
    return a;
}

EMULATED __m512i _mm512_sub_epi32(__m512i a, __m512i b)
{
    EMULATED_PARTS(uint32_t, 16, x, a);
    EMULATED_PARTS(uint32_t, 16, y, b);
    for (int i = 0; i < 16; i++) {
        x[i] -= y[i];
    }
    memcpy(&a, x, sizeof a);
    return a;
}

EMULATED __m512i _mm512_abs_epi32(__m512i a)
{
    EMULATED_PARTS(uint32_t, 16, x, a);
    for (int i = 0; i < 16; i++) {
        x[i] = x[i] >> 31 ? 0 - x[i] : x[i];
    }
    memcpy(&a, x, sizeof a);
    return a;
}

EMULATED __m512i _mm512_slli_epi32(__m512i a, unsigned n)
{
    EMULATED_PARTS(uint32_t, 16, x, a);
    for (int i = 0; i < 16; i++) {
        x[i] = n > 31 ? 0 : x[i] << n;
    }
    memcpy(&a, x, sizeof a);
    return a;
}

EMULATED __m512i _mm512_srli_epi32(__m512i a, unsigned n)
{
    EMULATED_PARTS(uint32_t, 16, x, a);
    for (int i = 0; i < 16; i++) {
        x[i] = n > 31 ? 0 : x[i] >> n;
    }
    memcpy(&a, x, sizeof a);
    return a;
}

EMULATED __m512i _mm512_srlv_epi32(__m512i a, __m512i count)
{
    EMULATED_PARTS(uint32_t, 16, x, a);
    EMULATED_PARTS(uint32_t, 16, n, count);
    for (int i = 0; i < 16; i++) {
        x[i] = n[i] > 31 ? 0 : x[i] >> n[i];
    }
    memcpy(&a, x, sizeof a);
    return a;
}

EMULATED __mmask16 _mm512_movepi32_mask(__m512i a)
{
    EMULATED_PARTS(uint32_t, 16, x, a);
    unsigned made = 0;
    for (int i = 0; i < 16; i++) {
        made |= (x[i] >> 31) << i;
    }
    return (__mmask16)made;
}

/* --- From lane to lane --- */

EMULATED __m512i _mm512_permutexvar_epi64(__m512i index, __m512i a)
{
    __m512i made;
    for (int i = 0; i < 8; i++) {
        made.word[i] = a.word[index.word[i] & 7];
    }
    return made;
}

EMULATED __m512i _mm512_permutex2var_epi64(__m512i a, __m512i index, __m512i b)
{
    __m512i made;
    for (int i = 0; i < 8; i++) {
        made.word[i] = (index.word[i] & 8 ? b : a).word[index.word[i] & 7];
    }
    return made;
}

EMULATED __m512i _mm512_unpacklo_epi64(__m512i a, __m512i b)
{
    __m512i made;
    for (int i = 0; i < 8; i += 2) {
        made.word[i] = a.word[i];
        made.word[i + 1] = b.word[i];
    }
    return made;
}

EMULATED __m512i _mm512_unpackhi_epi64(__m512i a, __m512i b)
{
    __m512i made;
    for (int i = 0; i < 8; i += 2) {
        made.word[i] = a.word[i + 1];
        made.word[i + 1] = b.word[i + 1];
    }
    return made;
}

/* --- Numbers in, numbers out --- */

EMULATED __m512i _mm512_setzero_si512(void)
{
    return (__m512i){{0}};
}

EMULATED __m512i _mm512_setr_epi64(
    long long a, long long b, long long c, long long d, long long e, long long f, long long g, long long h)
{
    return (__m512i){{(uint64_t)a, (uint64_t)b, (uint64_t)c, (uint64_t)d, (uint64_t)e, (uint64_t)f, (uint64_t)g,
                      (uint64_t)h}};
}

EMULATED __m512i _mm512_set1_epi64(long long a)
{
    return _mm512_setr_epi64(a, a, a, a, a, a, a, a);
}

/* The last argument comes first in memory. */
EMULATED __m512i _mm512_set4_epi32(int d, int c, int b, int a)
{
    const uint64_t low = (uint32_t)a | (uint64_t)(uint32_t)b << 32, high = (uint32_t)c | (uint64_t)(uint32_t)d << 32;
    return (__m512i){{low, high, low, high, low, high, low, high}};
}

EMULATED __m512i _mm512_set1_epi32(int a)
{
    return _mm512_set4_epi32(a, a, a, a);
}

EMULATED __m512i _mm512_loadu_si512(const void *from)
{
    __m512i made;
    memcpy(&made, from, sizeof made);
    return made;
}

EMULATED void _mm512_storeu_si512(void *to, __m512i a)
{
    memcpy(to, &a, sizeof a);
}

EMULATED __m256i _mm256_loadu_si256(const __m256i *from)
{
    __m256i made;
    memcpy(&made, from, sizeof made);
    return made;
}

/* What a cast leaves undefined is made conspicuous. */
EMULATED __m512i _mm512_castsi256_si512(__m256i a)
{
    __m512i made;
    memset(&made, 0xa5, sizeof made);
    memcpy(&made, &a, sizeof a);
    return made;
}

EMULATED __m256i _mm512_castsi512_si256(__m512i a)
{
    return (__m256i){{a.word[0], a.word[1], a.word[2], a.word[3]}};
}

EMULATED __m128i _mm512_castsi512_si128(__m512i a)
{
    return (__m128i){{a.word[0], a.word[1]}};
}

EMULATED long long _mm_cvtsi128_si64(__m128i a)
{
    return (long long)a.word[0];
}

EMULATED __m512i _mm512_inserti64x4(__m512i a, __m256i half, int which)
{
    memcpy(&a.word[which & 1 ? 4 : 0], &half, sizeof half);
    return a;
}

EMULATED __m256i _mm512_extracti64x4_epi64(__m512i a, int which)
{
    __m256i made;
    memcpy(&made, &a.word[which & 1 ? 4 : 0], sizeof made);
    return made;
}

EMULATED __m512i _mm512_cvtepu32_epi64(__m256i a)
{
    EMULATED_PARTS(uint32_t, 8, x, a);
    __m512i made;
    for (int i = 0; i < 8; i++) {
        made.word[i] = x[i];
    }
    return made;
}

#include "emulated_bytes.h"

#endif
