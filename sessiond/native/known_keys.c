#include "known_keys.h"

#include <string.h>

#include "base64url.h"

#define HEADER_HEAD "{\"alg\":\"EdDSA\",\"kid\":\""
#define HEADER_TAIL "\",\"typ\":\"at+jwt\"}"

enum {
    HEAD_LEN = sizeof HEADER_HEAD - 1,
    TAIL_LEN = sizeof HEADER_TAIL - 1,
    KEY_ID_HEX_LEN = 2 * KEY_ID_LEN,
    HEADER_JSON_LEN = HEAD_LEN + KEY_ID_HEX_LEN + TAIL_LEN,
};

_Static_assert(HEADER_JSON_LEN == BASE64URL_DECODED_LEN(ACCESS_HEADER_LEN), "the header has one length");

static void write_access_header(uint8_t header[ACCESS_HEADER_LEN], const uint8_t key_id[KEY_ID_LEN])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t json[HEADER_JSON_LEN], *out = json;
    memcpy(out, HEADER_HEAD, HEAD_LEN);
    out += HEAD_LEN;
    for (int i = 0; i < KEY_ID_LEN; i++) {
        *out++ = (uint8_t)hex[key_id[i] >> 4];
        *out++ = (uint8_t)hex[key_id[i] & 15];
    }
    memcpy(out, HEADER_TAIL, TAIL_LEN);
    base64url_encode(header, json, HEADER_JSON_LEN);
}

void known_key_set(known_key *known, const uint8_t key_id[KEY_ID_LEN], const ed25519_key *key, bool revoked)
{
    memcpy(known->key_id, key_id, KEY_ID_LEN);
    write_access_header(known->access_header, key_id);
    known->key = key;
    known->revoked = revoked;
}

const known_key *known_keys_by_id(const known_keys *known, const uint8_t key_id[KEY_ID_LEN])
{
    for (size_t i = 0; i < known->n_keys; i++) {
        if (memcmp(known->keys[i].key_id, key_id, KEY_ID_LEN) == 0) {
            return &known->keys[i];
        }
    }
    return NULL;
}

const known_key *known_keys_by_access_header(const known_keys *known, const uint8_t header[ACCESS_HEADER_LEN])
{
    for (size_t i = 0; i < known->n_keys; i++) {
        if (memcmp(known->keys[i].access_header, header, ACCESS_HEADER_LEN) == 0) {
            return &known->keys[i];
        }
    }
    return NULL;
}

bool access_header_is_written(const uint8_t header[ACCESS_HEADER_LEN])
{
    uint8_t json[HEADER_JSON_LEN];
    if (!base64url_decode(json, header, ACCESS_HEADER_LEN)) {
        return false;
    }
    for (int i = HEAD_LEN; i < HEAD_LEN + KEY_ID_HEX_LEN; i++) {
        if (!(('0' <= json[i] && json[i] <= '9') || ('a' <= json[i] && json[i] <= 'f'))) {
            return false;
        }
    }
    return memcmp(json, HEADER_HEAD, HEAD_LEN) == 0 &&
           memcmp(json + HEAD_LEN + KEY_ID_HEX_LEN, HEADER_TAIL, TAIL_LEN) == 0;
}
