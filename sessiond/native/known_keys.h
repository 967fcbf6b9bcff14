/* The keys of a verifier, found by the way in which a token names its key: few, so that finding one is a walk. */
#ifndef SESSIOND_KNOWN_KEYS_H
#define SESSIOND_KNOWN_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ed25519.h"
#include "fields.h"

/* What every access token under a key starts with: base64url of {"alg":"EdDSA","kid":"(16 digits)","typ":"at+jwt"}. */
#define ACCESS_HEADER_LEN 74

typedef struct {
    uint8_t key_id[KEY_ID_LEN];
    uint8_t access_header[ACCESS_HEADER_LEN];
    const ed25519_key *key; /* borrowed */
    bool revoked;
} known_key;

typedef struct {
    known_key *keys;
    size_t n_keys;
} known_keys;

void known_key_set(known_key *known, const uint8_t key_id[KEY_ID_LEN], const ed25519_key *key, bool revoked);

/* Find a key by its id; NULL when it is not known. */
const known_key *known_keys_by_id(const known_keys *known, const uint8_t key_id[KEY_ID_LEN]);

/* Find a key by the header of its access tokens; NULL when it is not known. */
const known_key *known_keys_by_access_header(const known_keys *known, const uint8_t header[ACCESS_HEADER_LEN]);

/* Tell whether ACCESS_HEADER_LEN characters are the header of access tokens under any key at all. */
bool access_header_is_written(const uint8_t header[ACCESS_HEADER_LEN]);

#endif
