/*
 * Every implementation of what a verifier spends its time on, each in files named after its instruction set.
 *
 * To add one: write ed25519_NAME.c with a struct of the functions below, list it here and in dispatch.c, and give its
 * files their flags in setup.py. Code of an instruction set stays in files of its own, so that none of it can run
 * elsewhere. All of them read the same tables, and give the same answers.
 */
#ifndef SESSIOND_IMPLEMENTATION_H
#define SESSIOND_IMPLEMENTATION_H

#include "dispatch.h"
#include "ed25519.h"
#include "ed25519_tables.h"
#include "group.h"

struct ed25519_key {
    uint8_t public_key[ED25519_PUBLIC_KEY_LEN];
    point_tables minus_A; /* of -A, so that [S]B - [k]A is a sum */
};

/* Decode -A; refuse what is not canonical, not on the curve or of small order. */
ed25519_key_fault ed25519_decode_negated(point *minus_A, const uint8_t public_key[ED25519_PUBLIC_KEY_LEN]);

typedef struct {
    const char *name;
    bool (*runs_here)(void);
    /* As in base64url.h. */
    bool (*base64url_decode)(uint8_t *out, const uint8_t *text, size_t text_len);
    /* As ed25519_verify and ed25519_verify_batch; B is the table of the base point. */
    bool (*verify)(
        const table *B, const ed25519_key *key, const uint8_t *message, size_t message_len,
        const uint8_t signature[ED25519_SIGNATURE_LEN]);
    void (*verify_batch)(const table *B, const ed25519_item *items, size_t n_items, uint8_t *good);
} implementation;

#if defined(__x86_64__) || defined(SESSIOND_EMULATED_AVX512)
#define HAS_AVX512IFMA 1
extern const implementation implementation_avx512ifma;
bool base64url_decode_avx512vbmi(uint8_t *out, const uint8_t *text, size_t text_len);
#endif
extern const implementation implementation_portable;
bool base64url_decode_portable(uint8_t *out, const uint8_t *text, size_t text_len);

#endif
