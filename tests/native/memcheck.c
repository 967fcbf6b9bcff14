/*
 * The portable implementation from end to end, for valgrind, which lacks the instructions of the others: keys, tables,
 * signatures alone, in batches and without a table, and the texts in the files that are named, as tokens of both kinds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "dispatch.h"
#include "ed25519.h"
#include "known_keys.h"
#include "refresh.h"
#include "revocations.h"

enum { TEXT_MAX = 5000, N_ITEMS = 70 };

/* RFC 8032, section 7.1, TEST 3 */
static const uint8_t public_key[32] = {
    0xfc, 0x51, 0xcd, 0x8e, 0x62, 0x18, 0xa1, 0xa3, 0x8d, 0xa4, 0x7e, 0xd0, 0x02, 0x30, 0xf0, 0x58,
    0x08, 0x16, 0xed, 0x13, 0xba, 0x33, 0x03, 0xac, 0x5d, 0xeb, 0x91, 0x15, 0x48, 0x90, 0x80, 0x25,
};
static const uint8_t message[2] = {0xaf, 0x82};
static const uint8_t signature[64] = {
    0x62, 0x91, 0xd6, 0x57, 0xde, 0xec, 0x24, 0x02, 0x48, 0x27, 0xe6, 0x9c, 0x3a, 0xbe, 0x01, 0xa3,
    0x0c, 0xe5, 0x48, 0xa2, 0x84, 0x74, 0x3a, 0x44, 0x5e, 0x36, 0x80, 0xd7, 0xdb, 0x5a, 0xc3, 0xac,
    0x18, 0xff, 0x9b, 0x53, 0x8d, 0x16, 0xf2, 0x90, 0xae, 0x67, 0xf7, 0x60, 0x98, 0x4d, 0xc6, 0x59,
    0x4a, 0x7c, 0x15, 0xe9, 0x71, 0x6e, 0xd2, 0x8d, 0xc0, 0x27, 0xbe, 0xce, 0xea, 0x1e, 0xc4, 0x0a,
};
static const uint8_t access_key_id[KEY_ID_LEN] = {0xa0, 0xb1, 0x47, 0x6c, 0x19, 0x9a, 0x6d, 0x21};
static const uint8_t refresh_key_id[KEY_ID_LEN] = {0x6a, 0x6e, 0x76, 0x3e, 0x61, 0x3d, 0x32, 0x1e};

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "memcheck: not so: %s\n", what);
        exit(1);
    }
}

#define FIND(what) require(what, #what)

static void try_signatures(const ed25519_key *key)
{
    uint8_t *bad = malloc(sizeof signature), *good = malloc(N_ITEMS);
    ed25519_item items[N_ITEMS];
    memcpy(bad, signature, sizeof signature);
    bad[40] ^= 1;
    for (int i = 0; i < N_ITEMS; i++) {
        items[i] = (ed25519_item){key, message, sizeof message, i % 3 == 0 ? bad : signature};
    }
    ed25519_verify_batch(items, N_ITEMS, good);
    for (int i = 0; i < N_ITEMS; i++) {
        FIND(good[i] == (i % 3 != 0));
    }
    FIND(ed25519_verify(key, message, sizeof message, signature));
    FIND(!ed25519_verify(key, message, sizeof message, bad));
    FIND(ed25519_verify_once(public_key, message, sizeof message, signature));
    FIND(!ed25519_verify_once(public_key, message, sizeof message - 1, signature));
    free(bad);
    free(good);
}

static void try_text(const char *path, const known_keys *known, revocations *revoked)
{
    const access_terms terms = {.keys = known, .now = 1800000000, .leeway = 30, .revocations = revoked};
    static uint8_t read[TEXT_MAX];
    signed_access found;
    uint8_t refresh_fields[REFRESH_FIELDS_LEN];
    FILE *file = fopen(path, "rb");
    FIND(file != NULL);
    const size_t len = fread(read, 1, TEXT_MAX, file);
    fclose(file);
    uint8_t *copy = malloc(len + (len == 0)); /* exactly as long, so that one byte beyond is noticed */
    memcpy(copy, read, len);
    const span text = {copy, len}, texts[2] = {text, text};
    const verdict as_access = access_verify(&found, text, &terms);
    const verdict as_refresh = refresh_verify(refresh_fields, text, known, terms.now);
    FIND(!verdict_is_of_signed(as_access) && !verdict_is_of_signed(as_refresh)); /* the keys are not those of the texts */
    uint8_t verdicts[2], fields[2 * ACCESS_FIELDS_LEN];
    access_verify_batch(verdicts, fields, texts, 2, &terms);
    FIND(verdicts[0] == as_access && verdicts[1] == as_access);
    refresh_verify_batch(verdicts, fields, texts, 2, known, terms.now);
    FIND(verdicts[0] == as_refresh && verdicts[1] == as_refresh);
    free(copy);
}

int main(int n_arguments, char **paths)
{
    FIND(implementation_start("portable") == IMPLEMENTATION_GOOD);
    ed25519_key *key;
    FIND(ed25519_key_new(&key, public_key) == ED25519_KEY_GOOD);
    try_signatures(key);

    known_key keys[2];
    known_key_set(&keys[0], access_key_id, key, false);
    known_key_set(&keys[1], refresh_key_id, key, false);
    const known_keys known = {.keys = keys, .n_keys = 2};
    revocations *revoked = revocations_new();
    FIND(revoked != NULL);
    for (int i = 1; i < n_arguments; i++) {
        try_text(paths[i], &known, revoked);
    }
    revocations_free(revoked);
    ed25519_key_free(key);
    printf("%d texts\n", n_arguments - 1);
    return 0;
}
