/*
 * Every implementation of the verifier, each in a file named after its instruction set.
 *
 * To add one: write ed25519_NAME.c with the functions below, list it here and in ed25519_dispatch.c, and give its file
 * its flags in setup.py. Code of an instruction set stays in its own file, so that none of it can run elsewhere. Each
 * has a table layout of its own: width of the windows, packing and alignment are what it is fastest with.
 */
#ifndef SESSIOND_ED25519_IMPL_H
#define SESSIOND_ED25519_IMPL_H

#include "ed25519.h"
#include "group.h"

#define ED25519_TABLE_ALIGNMENT 64

struct ed25519_key {
    uint8_t public_key[ED25519_PUBLIC_KEY_LEN];
    void *multiples; /* the table of -A, so that [S]B - [k]A is a sum */
};

typedef struct {
    const char *name;
    bool (*runs_here)(void);
    size_t table_len; /* a multiple of ED25519_TABLE_ALIGNMENT */
    void (*table_build)(void *multiples, const point *P);
    /* As ed25519_verify and ed25519_verify_batch; B is the table of the base point. */
    bool (*verify)(
        const void *B, const ed25519_key *key, const uint8_t *message, size_t message_len,
        const uint8_t signature[ED25519_SIGNATURE_LEN]);
    void (*verify_batch)(const void *B, const ed25519_item *items, size_t n_items, uint8_t *good);
} ed25519_implementation;

extern const ed25519_implementation ed25519_portable;

/* The implementation that ed25519_start chose. */
const ed25519_implementation *ed25519_chosen(void);

#endif
