/*
 * The implementation for x86 processors with AVX-512 IFMA: eight lanes of 52-bit multiplications.
 *
 * A batch has one signature in each lane. A signature alone is a sum of table entries, which are spread over the lanes.
 */
#include "implementation.h"

#ifdef HAS_AVX512IFMA

#include "instructions.h"

FOR_THE_INSTRUCTIONS

#include "field_avx512ifma.h"
#include "group_avx512ifma.h"
#include "sha512_avx512.h"
#include "signature.h"

/* Signatures of one pass over a batch: they share one inversion, beyond this its share is below one hundredth. */
#define PASS_LEN 256
#define GROUPS_MAX (PASS_LEN / N_LANES)

/*
 * Measured in signatures alone, on Zen 4, a group that is left over takes 2.8 to 3.1 of them after other groups and 3.2
 * to 3.4 by itself with tables of 32 windows, 1.8 to 2.5 and 2.2 to 2.8 with 21, 1.5 to 2.3 and 1.9 to 2.6 with 18;
 * messages of 64 and of 553 bytes differ by a tenth.
 */
#define LANES_MIN 3

/* How many additions an entry is asked for ahead of its use: longer than a fetch from the third cache takes. */
#define ENTRIES_AHEAD 3

_Static_assert(ENTRIES_AHEAD < N_LANES, "what is asked for ahead is set");
_Static_assert(sizeof(const table_entry *) == sizeof(uint64_t), "a lane holds an address");

/*
 * The table entries whose sum, some of them negative, is [S]B + [k](-A). Neutral ones follow, up to TABLE_WINDOWS_MAX +
 * N_LANES after the last one of B: they may be taken by eights, beside those of keys with more windows, and asked for
 * ahead.
 */
typedef struct {
    const table_entry *entry[2 * TABLE_WINDOWS_MAX + N_LANES];
    uint64_t negative; /* one bit for each */
    size_t n_entries;
} terms;

/* Append the entries that make [s]P, one for each window of the table of P. */
static void terms_append(terms *sum, const table *multiples, const scalar *s)
{
    uint64_t biased[4];
    table_biased(biased, multiples, s);
    const lanes words = _mm512_setr_epi64(
        (long long)biased[0], (long long)biased[1], (long long)biased[2], (long long)biased[3], 0, 0, 0, 0);
    const lanes base = lanes_all((uint64_t)(uintptr_t)multiples->entry);
    uint64_t negative = 0;
    for (int i = 0; i < TABLE_WINDOWS_MAX; i += 16) {
        /* Sixteen digits of 32 bits, each out of the two 16-bit words that it begins in; it has at most 16 bits. */
        const lanes bit = lanes_load(&multiples->bit[i]);
        lanes place = _mm512_srli_epi32(bit, 4);
        place = _mm512_or_si512(place, _mm512_slli_epi32(_mm512_add_epi32(place, _mm512_set1_epi32(1)), 16));
        lanes digit = _mm512_permutexvar_epi16(place, words);
        digit = _mm512_srlv_epi32(digit, _mm512_and_si512(bit, _mm512_set1_epi32(15)));
        digit = _mm512_and_si512(digit, lanes_load(&multiples->mask[i]));
        digit = _mm512_sub_epi32(digit, lanes_load(&multiples->half[i]));
        negative |= (uint64_t)_mm512_movepi32_mask(digit) << i;
        const lanes number = _mm512_add_epi32(_mm512_abs_epi32(digit), lanes_load(&multiples->first[i]));
        LANES_UNROLL
        for (int half = 0; half < 2; half++) {
            const __m256i eight = half == 0 ? _mm512_castsi512_si256(number) : _mm512_extracti64x4_epi64(number, 1);
            const lanes offset = _mm512_mul_epu32(_mm512_cvtepu32_epi64(eight), lanes_all(sizeof(table_entry)));
            lanes_store(&sum->entry[sum->n_entries + (size_t)(i + 8 * half)], _mm512_add_epi64(base, offset));
        }
    }
    lanes_store(&sum->entry[sum->n_entries + TABLE_WINDOWS_MAX], base); /* entry 0 is neutral */
    sum->negative |= negative << sum->n_entries;
    sum->n_entries += multiples->n_windows;
}

static void terms_prefetch(const terms *sum, size_t i)
{
    const char *entry = (const char *)sum->entry[i];
    __builtin_prefetch(entry);
    __builtin_prefetch(entry + sizeof(table_entry) - 1);
}

/* k = SHA-512(R, A, M) modulo L from the words of the digest, which are big-endian. */
static void scalar_of_digest(scalar *k, const uint64_t state[8])
{
    uint64_t digest[8];
    for (int i = 0; i < 8; i++) {
        digest[i] = __builtin_bswap64(state[i]);
    }
    scalar_reduce(k, digest);
}

static bool verify(
    const table *B, const ed25519_key *key, const uint8_t *message, size_t message_len,
    const uint8_t signature[ED25519_SIGNATURE_LEN])
{
    scalar S, k;
    if (!scalar_from_bytes(&S, signature + POINT_LEN)) {
        return false;
    }
    terms sum = {.n_entries = 0};
    terms_append(&sum, B, &S);
    for (size_t i = 0; i < sum.n_entries; i++) {
        terms_prefetch(&sum, i);
    }
    sha512_text text;
    uint64_t state[8];
    sha512_text_init(&text, signature, key->public_key, message, message_len);
    sha512_of_text(state, &text);
    scalar_of_digest(&k, state);
    const size_t n_of_B = sum.n_entries;
    terms_append(&sum, point_tables_best(&key->minus_A), &k);
    for (size_t i = n_of_B; i < sum.n_entries; i++) {
        terms_prefetch(&sum, i);
    }

    /* Eight entries at a time, one to a lane; then the lanes together. */
    point8 P;
    addend8 Q;
    addend8_load(&Q, sum.entry, (lanes_mask)sum.negative);
    point8_from_addend(&P, &Q);
    addend8_load(&Q, sum.entry + N_LANES, (lanes_mask)(sum.negative >> N_LANES));
    for (size_t i = N_LANES; i < sum.n_entries; i += N_LANES) {
        const size_t next = i + N_LANES < sum.n_entries ? i + N_LANES : 0; /* what follows the last is never used */
        point8_add_addend(&P, &Q, sum.entry + next, (lanes_mask)(sum.negative >> next));
    }
    for (int distance = N_LANES / 2; distance > 0; distance /= 2) {
        point8_add_exchanged(&P, distance);
    }
    point first;
    field z_inverse;
    point8_first(&first, &P);
    field_invert(&z_inverse, &first.Z);
    return signature_matches(signature, &first, &z_inverse);
}

/* Give entry i of each sum, and ask for those that come ENTRIES_AHEAD later. */
LANES_INLINE void terms_at(const table_entry *entry[N_LANES], const terms sum[N_LANES], size_t i)
{
    LANES_UNROLL
    for (int l = 0; l < N_LANES; l++) {
        entry[l] = sum[l].entry[i];
        terms_prefetch(&sum[l], i + ENTRIES_AHEAD);
    }
}

/* P = [S]B + [k](-A) in each lane. */
LANES_INLINE void add_terms(point8 *P, const terms sum[N_LANES])
{
    const table_entry *entry[N_LANES];
    uint64_t negatives[N_LANES];
    size_t n_entries = 0;
    for (int l = 0; l < N_LANES; l++) {
        negatives[l] = sum[l].negative;
        n_entries = sum[l].n_entries > n_entries ? sum[l].n_entries : n_entries;
    }
    lanes negative = lanes_load(negatives); /* bit 0 of each lane is about the entry that is loaded next */
    const lanes one = lanes_all(1);
    addend8 Q;
    terms_at(entry, sum, 0);
    addend8_load(&Q, entry, _mm512_test_epi64_mask(negative, one));
    point8_from_addend(P, &Q);
    terms_at(entry, sum, 1);
    negative = _mm512_srli_epi64(negative, 1);
    addend8_load(&Q, entry, _mm512_test_epi64_mask(negative, one));
    for (size_t i = 2; i <= n_entries; i++) { /* the last one loaded is neutral and not added */
        terms_at(entry, sum, i);
        negative = _mm512_srli_epi64(negative, 1);
        point8_add_addend(P, &Q, entry, _mm512_test_epi64_mask(negative, one));
    }
}

/* Sum up the entries of up to eight items, the last one in all lanes that are left. Every S is below L. */
static void sum_group(point8 *P, const table *B, const ed25519_item *const *items, size_t n_items)
{
    terms sum[N_LANES];
    sha512_text text[N_LANES];
    for (size_t l = 0; l < N_LANES; l++) {
        const ed25519_item *item = items[l < n_items ? l : n_items - 1];
        scalar S;
        (void)scalar_from_bytes(&S, item->signature + POINT_LEN);
        sum[l].negative = 0;
        sum[l].n_entries = 0;
        terms_append(&sum[l], B, &S);
        for (size_t i = 0; i < ENTRIES_AHEAD; i++) {
            terms_prefetch(&sum[l], i);
        }
        sha512_text_init(&text[l], item->signature, item->key->public_key, item->message, item->message_len);
    }
    lanes state[8];
    uint64_t words[8][N_LANES];
    sha512_of_texts(state, text);
    for (int i = 0; i < 8; i++) {
        lanes_store(words[i], state[i]);
    }
    for (size_t l = 0; l < N_LANES; l++) {
        const ed25519_item *item = items[l < n_items ? l : n_items - 1];
        uint64_t of_lane[8];
        scalar k;
        for (int i = 0; i < 8; i++) {
            of_lane[i] = words[i][l];
        }
        scalar_of_digest(&k, of_lane);
        terms_append(&sum[l], point_tables_best(&item->key->minus_A), &k);
    }
    add_terms(P, sum);
}

/* Tell in which lanes signature_matches, given the words of x and y and the items as to sum_group. */
static lanes_mask matching(
    const lanes x[4], const lanes y[4], const ed25519_item *const *items, size_t n_items)
{
    const void *row[N_LANES];
    for (size_t l = 0; l < N_LANES; l++) {
        row[l] = items[l < n_items ? l : n_items - 1]->signature;
    }
    lanes R[4];
    lanes_from_rows_4(R, row);

    /* A y of small order is refused, whatever the sign; then the encoding is compared. */
    lanes_mask small_order = 0;
    for (int i = 0; i < GROUP_N_SMALL_ORDER; i++) {
        lanes difference = _mm512_setzero_si512();
        for (int j = 0; j < 4; j++) {
            const lanes word = _mm512_xor_si512(y[j], lanes_all(GROUP_SMALL_ORDER_Y[i][j]));
            difference = _mm512_or_si512(difference, word);
        }
        small_order |= _mm512_testn_epi64_mask(difference, difference);
    }
    lanes difference = _mm512_xor_si512(_mm512_or_si512(y[3], _mm512_slli_epi64(x[0], 63)), R[3]);
    for (int j = 0; j < 3; j++) {
        difference = _mm512_or_si512(difference, _mm512_xor_si512(y[j], R[j]));
    }
    return (lanes_mask)(_mm512_testn_epi64_mask(difference, difference) & ~small_order);
}

/* Verify up to PASS_LEN items whose S is below L; good[items[i] - first] tells about items[i]. */
static void verify_pass(
    const table *B, const ed25519_item *const *items, size_t n_items, const ed25519_item *first, uint8_t *good)
{
    point8_shared sum[GROUPS_MAX];
    field8 product, inverse;
    field8_all(&product, &FIELD_ONE);
    const size_t n_groups = (n_items + N_LANES - 1) / N_LANES;
    for (size_t i = 0; i < n_groups; i++) {
        point8 P;
        sum_group(&P, B, items + i * N_LANES, n_items - i * N_LANES);
        point8_share(&sum[i], &P, &product);
    }
    field8_invert(&inverse, &product); /* no Z is 0: the formulas are complete */
    for (size_t i = n_groups; i-- > 0;) {
        lanes x[4], y[4];
        point8_unshare(x, y, &sum[i], &inverse);
        const ed25519_item *const *group = items + i * N_LANES;
        const size_t n_group = n_items - i * N_LANES < N_LANES ? n_items - i * N_LANES : N_LANES;
        const lanes_mask matches = matching(x, y, group, n_group);
        for (size_t l = 0; l < n_group; l++) {
            good[group[l] - first] = matches >> l & 1;
        }
    }
}

/* As verify_pass; what would fill too few lanes of a group is faster one by one. */
static void verify_taken(
    const table *B, const ed25519_item *const *items, size_t n_items, const ed25519_item *first, uint8_t *good)
{
    const size_t n_left = n_items % N_LANES < LANES_MIN ? n_items % N_LANES : 0;
    if (n_items > n_left) {
        verify_pass(B, items, n_items - n_left, first, good);
    }
    for (size_t i = n_items - n_left; i < n_items; i++) {
        const ed25519_item *item = items[i];
        good[item - first] = verify(B, item->key, item->message, item->message_len, item->signature);
    }
}

static void verify_batch(const table *B, const ed25519_item *items, size_t n_items, uint8_t *good)
{
    const ed25519_item *taken[PASS_LEN];
    size_t n_taken = 0;
    for (size_t i = 0; i < n_items; i++) {
        scalar S;
        if (scalar_from_bytes(&S, items[i].signature + POINT_LEN)) {
            taken[n_taken++] = &items[i];
        } else {
            good[i] = 0;
        }
        if (n_taken == PASS_LEN || (n_taken > 0 && i == n_items - 1)) {
            verify_taken(B, taken, n_taken, items, good);
            n_taken = 0;
        }
    }
}

const implementation implementation_avx512ifma = {
    .name = "avx512ifma",
    .runs_here = instructions_run_here,
    .base64url_decode = base64url_decode_avx512vbmi,
    .verify = verify,
    .verify_batch = verify_batch,
};

FOR_ANY_MACHINE

#endif
