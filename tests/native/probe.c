/* Lets the tests call what native/ keeps to itself: the arithmetic under the verifier. */
#include <stdlib.h>

#include "base64url.h"
#include "group.h"
#include "implementation.h"
#include "inverse.h"
#include "payload.h"
#include "scalar.h"
#include "sha512.h"
#include "siphash.h"
#include "table.h"

#define PROBE __attribute__((visibility("default")))

PROBE void probe_field_add(field *out, const field *a, const field *b)
{
    field_add(out, a, b);
}

PROBE void probe_field_sub(field *out, const field *a, const field *b)
{
    field_sub(out, a, b);
}

PROBE void probe_field_mul(field *out, const field *a, const field *b)
{
    field_mul(out, a, b);
}

PROBE void probe_field_sqr(field *out, const field *a)
{
    field_sqr(out, a);
}

PROBE void probe_field_negate_if(field *a, uint64_t negative)
{
    field_negate_if(a, negative);
}

PROBE void probe_field_invert(field *out, const field *a)
{
    field_invert(out, a);
}

PROBE int64_t probe_inverse_steps(inverse_matrix *out, int64_t delta, uint64_t f, uint64_t g)
{
    return inverse_steps(out, delta, f, g);
}

PROBE void probe_field_pow_p58(field *out, const field *a)
{
    field_pow_p58(out, a);
}

PROBE void probe_field_to_words(uint64_t words[4], const field *a)
{
    field_to_words(words, a);
}

PROBE void probe_field_from_words(field *out, const uint64_t words[4])
{
    field_from_words(out, words);
}

PROBE void probe_point_add(point *out, const point *P, const point *Q)
{
    point_add(out, P, Q);
}

PROBE void probe_point_double(point *out, const point *P)
{
    point_double(out, P);
}

PROBE void probe_point_negate(point *out, const point *P)
{
    point_negate(out, P);
}

PROBE bool probe_point_decode(point *out, const uint8_t encoding[POINT_LEN])
{
    return point_decode(out, encoding);
}

PROBE bool probe_scalar_from_bytes(scalar *out, const uint8_t bytes[SCALAR_LEN])
{
    return scalar_from_bytes(out, bytes);
}

PROBE void probe_scalar_reduce(scalar *out, const uint64_t words[8])
{
    scalar_reduce(out, words);
}

PROBE void probe_scalar_recode_8(int16_t digits[32], const scalar *s)
{
    scalar_recode(digits, s, 8);
}

PROBE void probe_scalar_recode_4(int16_t digits[64], const scalar *s)
{
    scalar_recode(digits, s, 4);
}

PROBE table *probe_table(int n_windows, const point *P)
{
    table *made = aligned_alloc(TABLE_ALIGNMENT, table_len(n_windows));
    if (made != NULL && !table_build(made, n_windows, P)) {
        free(made);
        return NULL;
    }
    return made;
}

PROBE int probe_table_check(const table *given, size_t len, const point *P)
{
    return table_check(given, len, P);
}

PROBE size_t probe_table_len(int n_windows)
{
    return table_len(n_windows);
}

PROBE void probe_table_free(table *made)
{
    free(made);
}

PROBE void probe_table_recode(int32_t digits[TABLE_WINDOWS_MAX], const table *multiples, const scalar *s)
{
    table_recode(digits, multiples, s);
}

PROBE void probe_table_add(point *P, const table *multiples, uint64_t window, int32_t digit)
{
    table_add(P, multiples, window, digit);
}

PROBE void probe_sha512(uint64_t state[8], const uint8_t *message, size_t message_len, size_t piece_len)
{
    sha512 hash;
    sha512_init(&hash);
    for (size_t at = 0; at < message_len; at += piece_len) {
        sha512_update(&hash, message + at, message_len - at < piece_len ? message_len - at : piece_len);
    }
    sha512_final(&hash);
    memcpy(state, hash.state, sizeof hash.state);
}

/* As in dispatch.c, without a choice. */
bool base64url_decode(uint8_t *out, const uint8_t *text, size_t text_len)
{
    return base64url_decode_portable(out, text, text_len);
}

PROBE bool probe_payload_read(payload *out, const uint8_t *json, size_t json_len)
{
    return payload_read(out, (span){json, json_len});
}

PROBE uint64_t probe_siphash(
    const uint8_t key[SIPHASH_KEY_LEN], const uint8_t *data, size_t data_len, int n_word_rounds, int n_end_rounds)
{
    return siphash(key, data, data_len, n_word_rounds, n_end_rounds);
}

PROBE uint64_t probe_siphash13(const uint8_t key[SIPHASH_KEY_LEN], const uint8_t *data, size_t data_len)
{
    return siphash13(key, data, data_len);
}
