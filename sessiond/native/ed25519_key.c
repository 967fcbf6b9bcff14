/* Public keys: decoded and refused here, whatever implementation uses them. */
#include "implementation.h"

#include <stdlib.h>
#include <string.h>

#include "inverse.h"
#include "signature.h"

ed25519_key_fault ed25519_decode_negated(point *minus_A, const uint8_t public_key[ED25519_PUBLIC_KEY_LEN])
{
    if (point_encoding_is_small_order(public_key)) {
        return ED25519_KEY_SMALL_ORDER;
    }
    point A;
    if (!point_decode(&A, public_key)) {
        return ED25519_KEY_NOT_CANONICAL_POINT;
    }
    point_negate(minus_A, &A);
    return ED25519_KEY_GOOD;
}

ed25519_key_fault ed25519_key_new(ed25519_key **key, const uint8_t public_key[ED25519_PUBLIC_KEY_LEN])
{
    point minus_A;
    ed25519_key_fault fault = ed25519_decode_negated(&minus_A, public_key);
    if (fault != ED25519_KEY_GOOD) {
        return fault;
    }
    ed25519_key *made = malloc(sizeof *made);
    if (made == NULL) {
        return ED25519_KEY_NO_MEMORY;
    }
    fault = point_tables_init(&made->minus_A, &minus_A);
    if (fault != ED25519_KEY_GOOD) {
        free(made);
        return fault;
    }
    memcpy(made->public_key, public_key, ED25519_PUBLIC_KEY_LEN);
    *key = made;
    return ED25519_KEY_GOOD;
}

void ed25519_key_free(ed25519_key *key)
{
    if (key != NULL) {
        point_tables_free(&key->minus_A);
        free(key);
    }
}

size_t ed25519_key_memory_len(const ed25519_key *key)
{
    return sizeof *key + table_len(TABLE_WINDOWS_MAX);
}

/* Digits of four bits for a point without a table: eight multiples, made on the spot. */
enum { ONCE_WIDTH = 4, ONCE_DIGITS = 256 / ONCE_WIDTH, ONCE_MULTIPLES = (1 << (ONCE_WIDTH - 1)) + 1 };

static void once_multiples(point multiples[ONCE_MULTIPLES], const point *P)
{
    point_from_affine(&multiples[0], &FIELD_ZERO, &FIELD_ONE);
    for (int i = 1; i < ONCE_MULTIPLES; i++) {
        point_add(&multiples[i], &multiples[i - 1], P);
    }
}

static void once_add(point *P, const point multiples[ONCE_MULTIPLES], int digit)
{
    if (digit >= 0) {
        point_add(P, P, &multiples[digit]);
    } else {
        point negated;
        point_negate(&negated, &multiples[-digit]);
        point_add(P, P, &negated);
    }
}

bool ed25519_verify_once(
    const uint8_t public_key[ED25519_PUBLIC_KEY_LEN], const uint8_t *message, size_t message_len,
    const uint8_t signature[ED25519_SIGNATURE_LEN])
{
    point minus_A, B, P;
    scalar S, k;
    if (ed25519_decode_negated(&minus_A, public_key) != ED25519_KEY_GOOD) {
        return false;
    }
    if (!signature_scalars(&S, &k, public_key, message, message_len, signature)) {
        return false;
    }

    /* [S]B + [k](-A) from the top digits down, with one row of doublings for both. */
    point multiples_of_B[ONCE_MULTIPLES], multiples_of_minus_A[ONCE_MULTIPLES];
    int16_t S_digits[ONCE_DIGITS], k_digits[ONCE_DIGITS];
    point_from_affine(&B, &GROUP_B_X, &GROUP_B_Y);
    once_multiples(multiples_of_B, &B);
    once_multiples(multiples_of_minus_A, &minus_A);
    scalar_recode(S_digits, &S, ONCE_WIDTH);
    scalar_recode(k_digits, &k, ONCE_WIDTH);
    P = multiples_of_B[0];
    for (int i = ONCE_DIGITS - 1; i >= 0; i--) {
        for (int j = 0; j < ONCE_WIDTH; j++) {
            point_double(&P, &P);
        }
        once_add(&P, multiples_of_B, S_digits[i]);
        once_add(&P, multiples_of_minus_A, k_digits[i]);
    }
    field z_inverse;
    field_invert(&z_inverse, &P.Z);
    return signature_matches(signature, &P, &z_inverse);
}
