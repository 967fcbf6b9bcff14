/*
 * Eight lanes of 64 bits, the instructions on them, and how rows of memory come into them.
 *
 * A test on a machine without the instructions sets SESSIOND_EMULATED_AVX512 to the name of a header that has the same
 * functions in plain C; everything else is compiled as it stands.
 */
#ifndef SESSIOND_AVX512_H
#define SESSIOND_AVX512_H

#include <stdint.h>

#define N_LANES 8

/* LANES_UNROLL stands before a loop over limbs or words: as a loop it would keep them in memory. */
#ifdef SESSIOND_EMULATED_AVX512
#include SESSIOND_EMULATED_AVX512
#define LANES_INLINE static inline __attribute__((unused))
#define LANES_UNROLL
#else
#include <immintrin.h>
#define LANES_INLINE static inline __attribute__((always_inline))
#define LANES_UNROLL _Pragma("GCC unroll 16")
#endif

/* One number in each lane. */
typedef __m512i lanes;
/* One bit for each lane. */
typedef __mmask8 lanes_mask;

/* The same number in every lane. */
LANES_INLINE lanes lanes_all(uint64_t number)
{
    return _mm512_set1_epi64((long long)number);
}

LANES_INLINE lanes lanes_load(const void *from)
{
    return _mm512_loadu_si512(from);
}

LANES_INLINE void lanes_store(void *to, lanes a)
{
    _mm512_storeu_si512(to, a);
}

/* Two rows of four words side by side. */
LANES_INLINE lanes lanes_pair(const void *low, const void *high)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256(low)), _mm256_loadu_si256(high), 1);
}

/* Turn eight rows of four words around: lane l of word[i] is word i of row[l]. */
LANES_INLINE void lanes_from_rows_4(lanes word[4], const void *const row[N_LANES])
{
    const lanes row_04 = lanes_pair(row[0], row[4]), row_15 = lanes_pair(row[1], row[5]);
    const lanes row_26 = lanes_pair(row[2], row[6]), row_37 = lanes_pair(row[3], row[7]);
    /* Words 0 and 2, or 1 and 3, of rows 0 and 1 (2 and 3), then of rows 4 and 5 (6 and 7). */
    const lanes even_01 = _mm512_unpacklo_epi64(row_04, row_15), odd_01 = _mm512_unpackhi_epi64(row_04, row_15);
    const lanes even_23 = _mm512_unpacklo_epi64(row_26, row_37), odd_23 = _mm512_unpackhi_epi64(row_26, row_37);
    const lanes first = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
    const lanes second = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    word[0] = _mm512_permutex2var_epi64(even_01, first, even_23);
    word[1] = _mm512_permutex2var_epi64(odd_01, first, odd_23);
    word[2] = _mm512_permutex2var_epi64(even_01, second, even_23);
    word[3] = _mm512_permutex2var_epi64(odd_01, second, odd_23);
}

/* Exchange the lanes whose numbers differ in the bits of *distance*: 1, 2 or 4. */
LANES_INLINE lanes lanes_exchange(lanes a, int distance)
{
    const lanes place = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm512_permutexvar_epi64(_mm512_xor_si512(place, lanes_all((uint64_t)distance)), a);
}

#endif
