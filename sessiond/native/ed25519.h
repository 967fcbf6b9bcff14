/*
 * Ed25519 verification under few known keys, each with a table of its multiples made once.
 *
 * The rule is that of the libsodium releases (signature.h). Public data only: nothing is constant in time, and nothing
 * signs. After implementation_start everything may be called from any thread at once: all that ever changes of a key is
 * which of its tables is used.
 */
#ifndef SESSIOND_ED25519_H
#define SESSIOND_ED25519_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table_form.h"

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

typedef enum {
    ED25519_KEY_GOOD = 0,
    ED25519_KEY_NOT_CANONICAL_POINT, /* y is not below p, or no point of the curve has it */
    ED25519_KEY_SMALL_ORDER,
    ED25519_KEY_NO_MEMORY,
    ED25519_KEY_MISCALCULATED, /* as IMPLEMENTATION_MISCALCULATED of dispatch.h */
} ed25519_key_fault;

/*
 * Make a key with its small table, to be freed with ed25519_key_free. Its order is not checked beyond small order. Keys
 * with tables of different sizes may stand in one batch.
 */
ed25519_key_fault ed25519_key_new(ed25519_key **key, const uint8_t public_key[ED25519_PUBLIC_KEY_LEN]);

void ed25519_key_free(ed25519_key *key);

/* The memory that a key takes with its small table. */
size_t ed25519_key_memory_len(const ed25519_key *key);

/*
 * Fill *into*, table_len(n_windows) bytes aligned to TABLE_ALIGNMENT, with the table of a key, or with that of the base
 * point if *public_key* is NULL. Every entry is verified.
 */
ed25519_key_fault ed25519_table_build(void *into, int n_windows, const uint8_t *public_key);

/*
 * Verify every entry of *given*, aligned likewise, and use it from here on, while other threads verify. They may still
 * read the table before it, and nothing tells when they have ended: a table stays as long as the key, that of the base
 * point as long as the process, and neither changes.
 */
table_fault ed25519_key_widen(ed25519_key *key, const void *given, size_t len);
table_fault ed25519_base_widen(const void *given, size_t len);

/* The windows of the table in use. */
int ed25519_key_windows(const ed25519_key *key);
int ed25519_base_windows(void);

/* Verify one signature. */
bool ed25519_verify(
    const ed25519_key *key, const uint8_t *message, size_t message_len,
    const uint8_t signature[ED25519_SIGNATURE_LEN]);

/*
 * Verify a batch: good[i] becomes 1 if item i is good, else 0, each by itself, whatever stands beside it.
 *
 * Up to eight messages that stand side by side are hashed together, in the time of the longest. Where one is long among
 * short ones, that time is two to three times what it takes alone.
 */
void ed25519_verify_batch(const ed25519_item *items, size_t n_items, uint8_t *good);

/* Verify one signature under a key met once, for which no table pays. */
bool ed25519_verify_once(
    const uint8_t public_key[ED25519_PUBLIC_KEY_LEN], const uint8_t *message, size_t message_len,
    const uint8_t signature[ED25519_SIGNATURE_LEN]);

#endif
