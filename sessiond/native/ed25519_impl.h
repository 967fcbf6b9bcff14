/*
 * Every implementation of the verifier, each in a file named after its instruction set.
 *
 * To add one: write ed25519_NAME.c with the functions below, list it here and in ed25519_dispatch.c, and give its file
 * its flags in setup.py. Code of an instruction set stays in its own file, so that none of it can run elsewhere. All of
 * them read the same tables.
 */
#ifndef SESSIOND_ED25519_IMPL_H
#define SESSIOND_ED25519_IMPL_H

#include "ed25519.h"
#include "group.h"
#include "table.h"

struct ed25519_key {
    uint8_t public_key[ED25519_PUBLIC_KEY_LEN];
    table *multiples; /* of -A, so that [S]B - [k]A is a sum */
    size_t memory_len;
};

typedef struct {
    const char *name;
    bool (*runs_here)(void);
    /* As ed25519_verify and ed25519_verify_batch; B is the table of the base point. */
    bool (*verify)(
        const table *B, const ed25519_key *key, const uint8_t *message, size_t message_len,
        const uint8_t signature[ED25519_SIGNATURE_LEN]);
    void (*verify_batch)(const table *B, const ed25519_item *items, size_t n_items, uint8_t *good);
} ed25519_implementation;

#if defined(__x86_64__) || defined(SESSIOND_EMULATED_AVX512)
#define ED25519_HAS_AVX512IFMA 1
extern const ed25519_implementation ed25519_avx512ifma;
#endif
extern const ed25519_implementation ed25519_portable;

#endif
