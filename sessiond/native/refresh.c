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

enum {
    PREFIX_LEN = LITERAL_LEN(PREFIX),
    CTI_LEN = REFRESH_FIELDS_LEN - FIELDS_SESSION_ID, /* session id and generation */

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

    PASS_LEN = 256, /* texts judged together: enough for any implementation, and 45 kB of what is kept on the stack */
};

_Static_assert(TOKEN_LEN == 120 && TOKEN_LEN % 3 == 0, "the text has neither padding nor spare bits");
_Static_assert(PROTECTED_LEN == 0x4d - 0x40 && PAYLOAD_LEN == 0x23, "the literals name these lengths");
_Static_assert(SIGNED_LEN == 64, "the Sig_structure has one length");

/* An instant below this has a shorter spelling in CBOR, which is the one that would have to be written. */
#define INSTANT_MIN 0x10000

/* Decode text of the right length and prefix, whatever it holds. */
static bool decode(uint8_t token[TOKEN_LEN], span text)
{
    return text.len == TEXT_LEN && STANDS_AT(text.start, PREFIX) &&
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

/* What is kept of a token until its signature is judged. */
typedef struct {
    const known_key *known;
    size_t place; /* in its pass */
    uint8_t signed_part[SIGNED_LEN], signature[ED25519_SIGNATURE_LEN];
} refresh_token;

static void write_fields(uint8_t out[REFRESH_FIELDS_LEN], const uint8_t token[TOKEN_LEN])
{
    memcpy(out + FIELDS_KEY_ID, token + KEY_ID_AT, KEY_ID_LEN);
    memcpy(out + FIELDS_EXPIRES_AT, token + EXP_AT, 4);
    memcpy(out + FIELDS_ISSUED_AT, token + IAT_AT, 4);
    memcpy(out + FIELDS_SESSION_ID, token + CTI_AT, CTI_LEN);
}

/* Judge what comes before the signature; VERDICT_GOOD says that the signature is to be checked. */
static verdict judge_form(
    refresh_token *token, uint8_t fields[REFRESH_FIELDS_LEN], span text, const known_keys *keys)
{
    uint8_t bytes[TOKEN_LEN];
    if (!read_token(bytes, text)) {
        return access_is_shape_of(text) ? VERDICT_WRONG_TOKEN_KIND : VERDICT_MALFORMED;
    }
    token->known = known_keys_by_id(keys, bytes + KEY_ID_AT);
    if (token->known == NULL) {
        return VERDICT_UNKNOWN_KEY;
    }
    if (token->known->revoked) {
        return VERDICT_KEY_REVOKED;
    }
    write_signed(token->signed_part, bytes);
    memcpy(token->signature, bytes + SIGNATURE_AT, ED25519_SIGNATURE_LEN);
    write_fields(fields, bytes);
    return VERDICT_GOOD;
}

/* Judge what comes after a good signature. */
static verdict judge_content(const uint8_t fields[REFRESH_FIELDS_LEN], int64_t now)
{
    return now >= load_be32(fields + FIELDS_EXPIRES_AT) ? VERDICT_EXPIRED : VERDICT_GOOD;
}

verdict refresh_verify(uint8_t fields[REFRESH_FIELDS_LEN], span text, const known_keys *keys, int64_t now)
{
    refresh_token token;
    const verdict form = judge_form(&token, fields, text, keys);
    if (form != VERDICT_GOOD) {
        return form;
    }
    if (!ed25519_verify(token.known->key, token.signed_part, SIGNED_LEN, token.signature)) {
        return VERDICT_TAMPERED;
    }
    return judge_content(fields, now);
}

/* Judge up to PASS_LEN texts with one batch of signatures. */
static void verify_pass(
    uint8_t *verdicts, uint8_t *fields, const span *texts, size_t n_texts, const known_keys *keys, int64_t now)
{
    refresh_token tokens[PASS_LEN];
    ed25519_item items[PASS_LEN];
    uint8_t good[PASS_LEN];
    size_t n_items = 0;
    for (size_t i = 0; i < n_texts; i++) {
        refresh_token *token = &tokens[n_items];
        verdicts[i] = (uint8_t)judge_form(token, fields + i * REFRESH_FIELDS_LEN, texts[i], keys);
        if (verdicts[i] == VERDICT_GOOD) {
            token->place = i;
            items[n_items++] = (ed25519_item){
                .key = token->known->key,
                .message = token->signed_part,
                .message_len = SIGNED_LEN,
                .signature = token->signature,
            };
        }
    }
    ed25519_verify_batch(items, n_items, good);
    for (size_t i = 0; i < n_items; i++) {
        const size_t place = tokens[i].place;
        verdicts[place] = (uint8_t)(
            good[i] ? judge_content(fields + place * REFRESH_FIELDS_LEN, now) : VERDICT_TAMPERED);
    }
    for (size_t i = 0; i < n_texts; i++) {
        if (verdicts[i] != VERDICT_GOOD) {
            memset(fields + i * REFRESH_FIELDS_LEN, 0, REFRESH_FIELDS_LEN);
        }
    }
}

void refresh_verify_batch(
    uint8_t *verdicts, uint8_t *fields, const span *texts, size_t n_texts, const known_keys *keys, int64_t now)
{
    while (n_texts > 0) {
        const size_t n_pass = n_texts < PASS_LEN ? n_texts : PASS_LEN;
        verify_pass(verdicts, fields, texts, n_pass, keys, now);
        verdicts += n_pass;
        fields += n_pass * REFRESH_FIELDS_LEN;
        texts += n_pass;
        n_texts -= n_pass;
    }
}
