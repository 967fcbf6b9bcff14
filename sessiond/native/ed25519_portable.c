/* The implementation for every machine: 64-bit integers and their 128-bit products. */
#include "implementation.h"

#include "inverse.h"
#include "signature.h"

/* Signatures of one pass over a batch: they share one inversion, beyond this its share is below one hundredth. */
#define PASS_LEN 64

static bool runs_here(void)
{
    return true;
}

/* P = [S]B + [k](-A) */
static void add_multiples(point *P, const table *B, const ed25519_key *key, const scalar *S, const scalar *k)
{
    const table *minus_A = point_tables_best(&key->minus_A);
    int32_t S_digits[TABLE_WINDOWS_MAX], k_digits[TABLE_WINDOWS_MAX];
    table_recode(S_digits, B, S);
    table_recode(k_digits, minus_A, k);
    table_prefetch(B, S_digits);
    table_prefetch(minus_A, k_digits);
    point_from_affine(P, &FIELD_ZERO, &FIELD_ONE);
    table_add_multiple(P, B, S_digits);
    table_add_multiple(P, minus_A, k_digits);
}

static bool verify(
    const table *B, const ed25519_key *key, const uint8_t *message, size_t message_len,
    const uint8_t signature[ED25519_SIGNATURE_LEN])
{
    scalar S, k;
    if (!signature_scalars(&S, &k, key->public_key, message, message_len, signature)) {
        return false;
    }
    point P;
    add_multiples(&P, B, key, &S, &k);
    field z_inverse;
    field_invert(&z_inverse, &P.Z);
    return signature_matches(signature, &P, &z_inverse);
}

/* Up to PASS_LEN items with one inversion: prefix[i] is the product of the Z before item i. */
static void verify_pass(const table *B, const ed25519_item *items, size_t n_items, uint8_t *good)
{
    point P[PASS_LEN];
    field prefix[PASS_LEN + 1];
    prefix[0] = FIELD_ONE;
    for (size_t i = 0; i < n_items; i++) {
        const ed25519_item *item = &items[i];
        scalar S, k;
        good[i] = signature_scalars(&S, &k, item->key->public_key, item->message, item->message_len, item->signature);
        if (good[i]) {
            add_multiples(&P[i], B, item->key, &S, &k);
            field_mul(&prefix[i + 1], &prefix[i], &P[i].Z); /* no Z is 0: the formulas are complete */
        } else {
            prefix[i + 1] = prefix[i];
        }
    }
    field inverse;
    field_invert(&inverse, &prefix[n_items]);
    for (size_t i = n_items; i-- > 0;) {
        if (good[i]) {
            field z_inverse;
            field_mul(&z_inverse, &inverse, &prefix[i]);
            field_mul(&inverse, &inverse, &P[i].Z);
            good[i] = signature_matches(items[i].signature, &P[i], &z_inverse);
        }
    }
}

static void verify_batch(const table *B, const ed25519_item *items, size_t n_items, uint8_t *good)
{
    while (n_items > 0) {
        const size_t n_pass = n_items < PASS_LEN ? n_items : PASS_LEN;
        verify_pass(B, items, n_pass, good);
        items += n_pass;
        good += n_pass;
        n_items -= n_pass;
    }
}

const implementation implementation_portable = {
    .name = "portable",
    .runs_here = runs_here,
    .base64url_decode = base64url_decode_portable,
    .verify = verify,
    .verify_batch = verify_batch,
};
