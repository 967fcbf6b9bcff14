/*
 * Lets the tests call the instructions of AVX-512, real or emulated, and what native/ builds on them. Numbers come as
 * 64 bytes for each operand, one word for each lane.
 */
#include "ed25519_avx512ifma.c"

#define PROBE __attribute__((visibility("default")))

PROBE bool probe_runs_here(void)
{
    return instructions_run_here();
}

FOR_THE_INSTRUCTIONS

/* --- Instructions: probe_NAME, and probe_NAME_N with an immediate --- */

#define PROBE_1(name)                                                                                                  \
    PROBE void probe##name(void *out, const void *a)                                                                   \
    {                                                                                                                  \
        lanes_store(out, name(lanes_load(a)));                                                                         \
    }
#define PROBE_2(name)                                                                                                  \
    PROBE void probe##name(void *out, const void *a, const void *b)                                                    \
    {                                                                                                                  \
        lanes_store(out, name(lanes_load(a), lanes_load(b)));                                                          \
    }
#define PROBE_3(name)                                                                                                  \
    PROBE void probe##name(void *out, const void *a, const void *b, const void *c)                                     \
    {                                                                                                                  \
        lanes_store(out, name(lanes_load(a), lanes_load(b), lanes_load(c)));                                           \
    }
#define PROBE_IMMEDIATE_1(name, n)                                                                                     \
    PROBE void probe##name##_##n(void *out, const void *a)                                                             \
    {                                                                                                                  \
        lanes_store(out, name(lanes_load(a), n));                                                                      \
    }
#define PROBE_IMMEDIATE_2(name, n)                                                                                     \
    PROBE void probe##name##_##n(void *out, const void *a, const void *b)                                              \
    {                                                                                                                  \
        lanes_store(out, name(lanes_load(a), lanes_load(b), n));                                                       \
    }
#define PROBE_IMMEDIATE_3(name, n)                                                                                     \
    PROBE void probe##name##_##n(void *out, const void *a, const void *b, const void *c)                               \
    {                                                                                                                  \
        lanes_store(out, name(lanes_load(a), lanes_load(b), lanes_load(c), n));                                        \
    }
#define PROBE_MASKED(name)                                                                                             \
    PROBE void probe##name(void *out, const void *source, unsigned mask, const void *a, const void *b)                 \
    {                                                                                                                  \
        lanes_store(out, name(lanes_load(source), (__mmask8)mask, lanes_load(a), lanes_load(b)));                      \
    }

PROBE_2(_mm512_add_epi64)
PROBE_2(_mm512_sub_epi64)
PROBE_2(_mm512_and_si512)
PROBE_2(_mm512_or_si512)
PROBE_2(_mm512_xor_si512)
PROBE_2(_mm512_mul_epu32)
PROBE_2(_mm512_add_epi32)
PROBE_2(_mm512_sub_epi32)
PROBE_2(_mm512_srlv_epi32)
PROBE_2(_mm512_permutexvar_epi16)
PROBE_2(_mm512_permutexvar_epi64)
PROBE_2(_mm512_permutexvar_epi8)
PROBE_2(_mm512_shuffle_epi8)
PROBE_2(_mm512_maddubs_epi16)
PROBE_2(_mm512_madd_epi16)
PROBE_2(_mm512_unpacklo_epi64)
PROBE_2(_mm512_unpackhi_epi64)
PROBE_1(_mm512_abs_epi32)
PROBE_3(_mm512_permutex2var_epi8)
PROBE_3(_mm512_permutex2var_epi64)
PROBE_3(_mm512_madd52lo_epu64)
PROBE_3(_mm512_madd52hi_epu64)
PROBE_MASKED(_mm512_mask_add_epi64)
PROBE_MASKED(_mm512_mask_sub_epi64)
PROBE_IMMEDIATE_1(_mm512_slli_epi64, 1)
PROBE_IMMEDIATE_1(_mm512_slli_epi64, 51)
PROBE_IMMEDIATE_1(_mm512_slli_epi64, 63)
PROBE_IMMEDIATE_1(_mm512_srli_epi64, 6)
PROBE_IMMEDIATE_1(_mm512_srli_epi64, 51)
PROBE_IMMEDIATE_1(_mm512_slli_epi32, 16)
PROBE_IMMEDIATE_1(_mm512_srli_epi32, 4)
PROBE_IMMEDIATE_1(_mm512_ror_epi64, 1)
PROBE_IMMEDIATE_1(_mm512_ror_epi64, 41)
PROBE_IMMEDIATE_2(_mm512_shrdi_epi64, 25)
PROBE_IMMEDIATE_2(_mm512_shrdi_epi64, 38)
PROBE_IMMEDIATE_2(_mm512_shrdi_epi64, 51)
PROBE_IMMEDIATE_3(_mm512_ternarylogic_epi64, 0x96)
PROBE_IMMEDIATE_3(_mm512_ternarylogic_epi64, 0xca)
PROBE_IMMEDIATE_3(_mm512_ternarylogic_epi64, 0xe8)
PROBE_IMMEDIATE_3(_mm512_ternarylogic_epi64, 0xfe)

PROBE void probe_mm512_mask_blend_epi64(void *out, unsigned mask, const void *a, const void *b)
{
    lanes_store(out, _mm512_mask_blend_epi64((__mmask8)mask, lanes_load(a), lanes_load(b)));
}

PROBE unsigned probe_mm512_test_epi64_mask(const void *a, const void *b)
{
    return _mm512_test_epi64_mask(lanes_load(a), lanes_load(b));
}

PROBE unsigned probe_mm512_testn_epi64_mask(const void *a, const void *b)
{
    return _mm512_testn_epi64_mask(lanes_load(a), lanes_load(b));
}

PROBE unsigned probe_mm512_movepi32_mask(const void *a)
{
    return _mm512_movepi32_mask(lanes_load(a));
}

PROBE uint64_t probe_mm512_test_epi8_mask(const void *a, const void *b)
{
    return _mm512_test_epi8_mask(lanes_load(a), lanes_load(b));
}

PROBE uint64_t probe_mm512_movepi8_mask(const void *a)
{
    return _mm512_movepi8_mask(lanes_load(a));
}

PROBE void probe_mm512_mask_loadu_epi8(void *out, const void *source, uint64_t mask, const void *from)
{
    lanes_store(out, _mm512_mask_loadu_epi8(lanes_load(source), mask, from));
}

PROBE void probe_mm512_mask_storeu_epi8(void *to, uint64_t mask, const void *a)
{
    _mm512_mask_storeu_epi8(to, mask, lanes_load(a));
}

PROBE void probe_mm512_set1_epi8(void *out, char a)
{
    lanes_store(out, _mm512_set1_epi8(a));
}

PROBE void probe_mm512_setzero_si512(void *out)
{
    lanes_store(out, _mm512_setzero_si512());
}

PROBE void probe_mm512_set1_epi64(void *out, long long a)
{
    lanes_store(out, _mm512_set1_epi64(a));
}

PROBE void probe_mm512_set1_epi32(void *out, int a)
{
    lanes_store(out, _mm512_set1_epi32(a));
}

PROBE void probe_mm512_set4_epi32(void *out, int d, int c, int b, int a)
{
    lanes_store(out, _mm512_set4_epi32(d, c, b, a));
}

PROBE void probe_mm512_setr_epi64(void *out, const long long a[8])
{
    lanes_store(out, _mm512_setr_epi64(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]));
}

/* Halves of 256 bits out of memory and out of lanes, put together or made longer. */
PROBE void probe_halves(void *out, const void *low, const void *high)
{
    lanes_store(out, lanes_pair(low, high));
}

PROBE void probe_longer_halves(void *low, void *high, const void *a)
{
    lanes_store(low, _mm512_cvtepu32_epi64(_mm512_castsi512_si256(lanes_load(a))));
    lanes_store(high, _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(lanes_load(a), 1)));
}

PROBE long long probe_first(const void *a)
{
    return _mm_cvtsi128_si64(_mm512_castsi512_si128(lanes_load(a)));
}

/* --- What is built on them --- */

PROBE void probe_from_rows_4(lanes word[4], const void *const row[N_LANES])
{
    lanes_from_rows_4(word, row);
}

PROBE void probe_exchange(void *out, const void *a, int distance)
{
    lanes_store(out, lanes_exchange(lanes_load(a), distance));
}

PROBE void probe_field8_add(field8 *out, const field8 *a, const field8 *b)
{
    field8_add(out, a, b);
}

PROBE void probe_field8_sub(field8 *out, const field8 *a, const field8 *b)
{
    field8_sub(out, a, b);
}

PROBE void probe_field8_mul(field8 *out, const field8 *a, const field8 *b)
{
    field8_mul(out, a, b);
}

PROBE void probe_field8_carry(field8 *out, const field8 *a)
{
    field8_carry(out, a);
}

PROBE void probe_field8_invert(field8 *out, const field8 *a)
{
    field8_invert(out, a);
}

PROBE void probe_field8_negate_if(field8 *a, unsigned negative)
{
    field8_negate_if(a, (lanes_mask)negative);
}

PROBE void probe_field8_from_words(field8 *out, const lanes words[4])
{
    field8_from_words(out, words);
}

PROBE void probe_field8_to_words(lanes words[4], const field8 *a)
{
    field8_to_words(words, a);
}

PROBE void probe_addend8_load(addend8 *out, const table_entry *const entry[N_LANES], unsigned negative)
{
    addend8_load(out, entry, (lanes_mask)negative);
}

PROBE void probe_point8_from_addend(point8 *out, const addend8 *Q)
{
    point8_from_addend(out, Q);
}

PROBE void probe_point8_add_addend(
    point8 *P, addend8 *Q, const table_entry *const next[N_LANES], unsigned negative)
{
    point8_add_addend(P, Q, next, (lanes_mask)negative);
}

PROBE void probe_point8_add_exchanged(point8 *P, int distance)
{
    point8_add_exchanged(P, distance);
}

/* One text in each lane. */
PROBE void probe_sha512_of_texts(
    lanes state[8], const uint8_t *const R[N_LANES], const uint8_t *const A[N_LANES], const uint8_t *const M[N_LANES],
    const size_t M_len[N_LANES])
{
    sha512_text text[N_LANES];
    for (int l = 0; l < N_LANES; l++) {
        sha512_text_init(&text[l], R[l], A[l], M[l], M_len[l]);
    }
    sha512_of_texts(state, text);
}

PROBE void probe_sha512_of_text(
    uint64_t state[8], const uint8_t R[32], const uint8_t A[32], const uint8_t *M, size_t M_len)
{
    sha512_text text;
    sha512_text_init(&text, R, A, M, M_len);
    sha512_of_text(state, &text);
}

/* The places of the entries in the table of *first*, then in that of *second*, that terms_append chooses. */
PROBE size_t probe_terms(
    uint64_t place[2 * TABLE_WINDOWS_MAX + N_LANES], uint64_t *negative, const table *first, const scalar *s,
    const table *second, const scalar *t)
{
    terms sum = {.n_entries = 0};
    terms_append(&sum, first, s);
    const size_t n_of_first = sum.n_entries;
    terms_append(&sum, second, t);
    for (size_t i = 0; i < n_of_first + TABLE_WINDOWS_MAX + N_LANES; i++) {
        place[i] = (uint64_t)(sum.entry[i] - (i < n_of_first ? first : second)->entry);
    }
    *negative = sum.negative;
    return sum.n_entries;
}

FOR_ANY_MACHINE
