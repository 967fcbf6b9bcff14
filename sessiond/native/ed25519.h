/*
 * Ed25519 verification under few known keys, each with a table of its multiples made once.
 *
 * The rule is that of the libsodium releases (signature.h). Public data only: nothing is constant in time, and nothing
 * signs. Everything but ed25519_start may be called from any thread at once: keys are immutable.
 */
#ifndef SESSIOND_ED25519_H
#define SESSIOND_ED25519_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ED25519_PUBLIC_KEY_LEN 32
#define ED25519_SIGNATURE_LEN 64

/* One public key with its table. */
typedef struct ed25519_key ed25519_key;

/* One signature of a batch; its key, message and signature are borrowed for the call. */
typedef struct {
    const ed25519_key *key;
    const uint8_t *message;
    size_t message_len;
    const uint8_t *signature; /* ED25519_SIGNATURE_LEN bytes */
} ed25519_item;

/*
 * Sizes of tables, in windows: fewer are faster and take more memory, from 16 to 32. A small table is made at once, in
 * about a millisecond; a wide one takes about 50 and gives batches half as much speed again.
 */
#ifndef ED25519_SMALL_TABLE
#define ED25519_SMALL_TABLE 32 /* 0.4 MB */
#endif
#define ED25519_WIDE_TABLE 18 /* 15 MB */

typedef enum {
    ED25519_KEY_GOOD = 0,
    ED25519_KEY_NOT_CANONICAL_POINT, /* y is not below p, or no point of the curve has it */
    ED25519_KEY_SMALL_ORDER,
    ED25519_KEY_NO_MEMORY,
} ed25519_key_fault;

typedef enum {
    ED25519_START_GOOD = 0,
    ED25519_START_NOT_RUNNABLE, /* no implementation of that name runs on this machine */
    ED25519_START_NO_MEMORY,
} ed25519_start_fault;

/*
 * Choose the implementation, once, before anything else is called: *forced* by name, or the best one if it is NULL; and
 * make the table of the base point, of n_windows. To start again is for tests; keys stay good.
 */
ed25519_start_fault ed25519_start(const char *forced, int n_windows);

/* The name of the chosen implementation. */
const char *ed25519_implementation_name(void);

/* The name of the nth implementation that this machine can run, best first; NULL when there are no more. */
const char *ed25519_runnable_name(size_t n);

/*
 * Make a key with its table, of n_windows, to be freed with ed25519_key_free. Its order is not checked beyond small
 * order. Keys with tables of different sizes may stand in one batch.
 */
ed25519_key_fault ed25519_key_new(
    ed25519_key **key, const uint8_t public_key[ED25519_PUBLIC_KEY_LEN], int n_windows);

void ed25519_key_free(ed25519_key *key);

/* The memory that a key takes. */
size_t ed25519_key_memory_len(const ed25519_key *key);

/* Verify one signature. */
bool ed25519_verify(
    const ed25519_key *key, const uint8_t *message, size_t message_len,
    const uint8_t signature[ED25519_SIGNATURE_LEN]);

/* Verify a batch: good[i] becomes 1 if item i is good, else 0, each by itself, whatever stands beside it. */
void ed25519_verify_batch(const ed25519_item *items, size_t n_items, uint8_t *good);

/* Verify one signature under a key met once, for which no table pays. */
bool ed25519_verify_once(
    const uint8_t public_key[ED25519_PUBLIC_KEY_LEN], const uint8_t *message, size_t message_len,
    const uint8_t signature[ED25519_SIGNATURE_LEN]);

#endif
