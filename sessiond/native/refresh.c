#include "refresh.h"

#include <string.h>

#include "access.h"
#include "base64url.h"

#define PREFIX "sdr_"
/* Tag 18, array of 4, protected header {1: -8, 4: key id}. */
#define BEFORE_PROTECTED "\xd2\x84\x4d"
#define BEFORE_KEY_ID "\xa2\x01\x27\x04\x48"
/* Unprotected header {}, then the payload {4: exp, 6: iat, 7: cti} and the signature. */
#define BEFORE_PAYLOAD "\xa0\x58\x23"
#define BEFORE_EXP "\xa3\x04\x1a"
#define BEFORE_IAT "\x06\x1a"
#define BEFORE_CTI "\x07\x54"
#define BEFORE_SIGNATURE "\x58\x40"
/* Sig_structure ["Signature1", protected header, h'', payload] (RFC 9052, section 4.4), the lengths included. */
#define SIGNED_HEAD "\x84\x6aSignature1\x4d"
#define SIGNED_BEFORE_PAYLOAD "\x40\x58\x23"

#define LITERAL_LEN(literal) (sizeof(literal) - 1)

enum {
    PREFIX_LEN = LITERAL_LEN(PREFIX),
    CTI_LEN = 20, /* session id and generation */

    /* Where things stand in the bytes of a token. */
    PROTECTED_AT = LITERAL_LEN(BEFORE_PROTECTED),
    KEY_ID_AT = PROTECTED_AT + LITERAL_LEN(BEFORE_KEY_ID),
    PROTECTED_END = KEY_ID_AT + KEY_ID_LEN,
    PAYLOAD_AT = PROTECTED_END + LITERAL_LEN(BEFORE_PAYLOAD),
    EXP_AT = PAYLOAD_AT + LITERAL_LEN(BEFORE_EXP),
    IAT_AT = EXP_AT + 4 + LITERAL_LEN(BEFORE_IAT),
    CTI_AT = IAT_AT + 4 + LITERAL_LEN(BEFORE_CTI),
    PAYLOAD_END = CTI_AT + CTI_LEN,
    SIGNATURE_AT = PAYLOAD_END + LITERAL_LEN(BEFORE_SIGNATURE),
    TOKEN_LEN = SIGNATURE_AT + ED25519_SIGNATURE_LEN,

    PROTECTED_LEN = PROTECTED_END - PROTECTED_AT,
    PAYLOAD_LEN = PAYLOAD_END - PAYLOAD_AT,
    SIGNED_LEN = LITERAL_LEN(SIGNED_HEAD) + PROTECTED_LEN + LITERAL_LEN(SIGNED_BEFORE_PAYLOAD) + PAYLOAD_LEN,

    TEXT_LEN = PREFIX_LEN + TOKEN_LEN / 3 * 4,
};

_Static_assert(TOKEN_LEN == 120 && TOKEN_LEN % 3 == 0, "the text has neither padding nor spare bits");
_Static_assert(PROTECTED_LEN == 0x4d - 0x40 && PAYLOAD_LEN == 0x23, "the literals name these lengths");
_Static_assert(SIGNED_LEN == 64, "the Sig_structure has one length");

/* An instant below this has a shorter spelling in CBOR, which is the one that would have to be written. */
#define INSTANT_MIN 0x10000

static bool stands_at(const uint8_t *place, const char *literal, size_t len)
{
    return memcmp(place, literal, len) == 0;
}

#define STANDS_BEFORE(place, literal) stands_at((place) - LITERAL_LEN(literal), literal, LITERAL_LEN(literal))

/* Decode text of the right length and prefix, whatever it holds. */
static bool decode(uint8_t token[TOKEN_LEN], span text)
{
    return text.len == TEXT_LEN && stands_at(text.start, PREFIX, PREFIX_LEN) &&
           base64url_decode(token, text.start + PREFIX_LEN, TEXT_LEN - PREFIX_LEN);
}

bool refresh_is_shape_of(span text)
{
    uint8_t unused[TOKEN_LEN];
    return decode(unused, text);
}

/* Read the one spelling of a refresh token; return false for anything else. */
static bool read_token(uint8_t token[TOKEN_LEN], span text)
{
    return decode(token, text) &&
           STANDS_BEFORE(token + PROTECTED_AT, BEFORE_PROTECTED) && STANDS_BEFORE(token + KEY_ID_AT, BEFORE_KEY_ID) &&
           STANDS_BEFORE(token + PAYLOAD_AT, BEFORE_PAYLOAD) && STANDS_BEFORE(token + EXP_AT, BEFORE_EXP) &&
           STANDS_BEFORE(token + IAT_AT, BEFORE_IAT) && STANDS_BEFORE(token + CTI_AT, BEFORE_CTI) &&
           STANDS_BEFORE(token + SIGNATURE_AT, BEFORE_SIGNATURE) && load_be32(token + EXP_AT) >= INSTANT_MIN &&
           load_be32(token + IAT_AT) >= INSTANT_MIN;
}

/* Write what the signature of a token is made over. */
static void write_signed(uint8_t out[SIGNED_LEN], const uint8_t token[TOKEN_LEN])
{
    memcpy(out, SIGNED_HEAD, LITERAL_LEN(SIGNED_HEAD));
    out += LITERAL_LEN(SIGNED_HEAD);
    memcpy(out, token + PROTECTED_AT, PROTECTED_LEN);
    out += PROTECTED_LEN;
    memcpy(out, SIGNED_BEFORE_PAYLOAD, LITERAL_LEN(SIGNED_BEFORE_PAYLOAD));
    out += LITERAL_LEN(SIGNED_BEFORE_PAYLOAD);
    memcpy(out, token + PAYLOAD_AT, PAYLOAD_LEN);
}

verdict refresh_verify(uint8_t fields[REFRESH_FIELDS_LEN], span text, const known_keys *keys, int64_t now)
{
    uint8_t token[TOKEN_LEN], signed_part[SIGNED_LEN];
    if (!read_token(token, text)) {
        return access_is_shape_of(text) ? VERDICT_WRONG_TOKEN_KIND : VERDICT_MALFORMED;
    }
    const known_key *key = known_keys_by_id(keys, token + KEY_ID_AT);
    if (key == NULL) {
        return VERDICT_UNKNOWN_KEY;
    }
    if (key->revoked) {
        return VERDICT_KEY_REVOKED;
    }
    write_signed(signed_part, token);
    if (!ed25519_verify(key->table, signed_part, SIGNED_LEN, token + SIGNATURE_AT)) {
        return VERDICT_TAMPERED;
    }
    memcpy(fields, key->key_id, KEY_ID_LEN);
    memcpy(fields + KEY_ID_LEN, token + EXP_AT, 4);
    memcpy(fields + KEY_ID_LEN + 4, token + IAT_AT, 4);
    memcpy(fields + KEY_ID_LEN + 8, token + CTI_AT, CTI_LEN);
    return now >= load_be32(token + EXP_AT) ? VERDICT_EXPIRED : VERDICT_GOOD;
}
