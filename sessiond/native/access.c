#include "access.h"

#include <stdlib.h>
#include <string.h>

#include "base64url.h"
#include "payload.h"
#include "refresh.h"

enum {
    SIGNATURE_TEXT_LEN = 86,
    TEXT_MIN = ACCESS_HEADER_LEN + 1 + 1 + SIGNATURE_TEXT_LEN, /* an empty payload between the dots */
    GROUP_LEN = 1024, /* texts judged together: bounds the memory of a batch */
};

_Static_assert(BASE64URL_DECODED_LEN(SIGNATURE_TEXT_LEN) == ED25519_SIGNATURE_LEN, "a signature has one length");

/* A token that was read but whose signature was not yet found good. */
typedef struct {
    const known_key *key; /* NULL when its header names one that is not known */
    size_t signed_len;    /* of the text, from its start */
    size_t place;         /* in its group */
    uint32_t expires_at, issued_at;
    bool is_for_us; /* issuer and audience are the ones asked for */
    uint8_t signature[ED25519_SIGNATURE_LEN];
    uint8_t fields[ACCESS_FIELDS_LEN];
} access_token;

static bool spans_equal(span a, span b)
{
    return a.len == b.len && memcmp(a.start, b.start, a.len) == 0;
}

/* Put the fields together; the key is a known one. */
static void write_fields(uint8_t out[ACCESS_FIELDS_LEN], const uint8_t key_id[KEY_ID_LEN], const payload *content)
{
    memcpy(out, key_id, KEY_ID_LEN);
    out += KEY_ID_LEN;
    store_be32(out, content->expires_at);
    store_be32(out + 4, content->issued_at);
    out += 8;
    memcpy(out, content->jti, PAYLOAD_JTI_LEN);
    memcpy(out + PAYLOAD_JTI_LEN, content->rev, PAYLOAD_REV_LEN);
}

_Static_assert(KEY_ID_LEN + 8 + PAYLOAD_JTI_LEN + PAYLOAD_REV_LEN == ACCESS_FIELDS_LEN, "the fields fill their room");

/* Read the one spelling of an access token; return false for anything else. */
static bool read_token(
    access_token *token, uint8_t payload_json[ACCESS_PAYLOAD_MAX], size_t *payload_len, span text,
    const access_terms *terms)
{
    if (text.len < TEXT_MIN || text.len > ACCESS_TEXT_MAX) {
        return false;
    }
    token->signed_len = text.len - 1 - SIGNATURE_TEXT_LEN;
    if (text.start[ACCESS_HEADER_LEN] != '.' || text.start[token->signed_len] != '.') {
        return false;
    }
    if (!base64url_decode(token->signature, text.start + token->signed_len + 1, SIGNATURE_TEXT_LEN)) {
        return false;
    }
    const size_t payload_text_len = token->signed_len - (ACCESS_HEADER_LEN + 1);
    if (!base64url_decode(payload_json, text.start + ACCESS_HEADER_LEN + 1, payload_text_len)) {
        return false;
    }
    *payload_len = BASE64URL_DECODED_LEN(payload_text_len);
    payload content;
    if (!payload_read(&content, (span){payload_json, *payload_len})) {
        return false;
    }
    token->key = known_keys_by_access_header(terms->keys, text.start);
    if (token->key == NULL) {
        return access_header_is_written(text.start);
    }
    token->expires_at = content.expires_at;
    token->issued_at = content.issued_at;
    token->is_for_us =
        spans_equal(content.issuer, terms->issuer) && spans_equal(content.audience, terms->audience);
    write_fields(token->fields, token->key->key_id, &content);
    return true;
}

bool access_is_shape_of(span text)
{
    if (text.len < 3 || text.len > ACCESS_TEXT_MAX || memcmp(text.start, "eyJ", 3) != 0) {
        return false;
    }
    int n_dots = 0;
    for (size_t i = 0; i < text.len; i++) {
        n_dots += text.start[i] == '.';
    }
    return n_dots == 2;
}

/* Judge what comes before the signature; VERDICT_GOOD says that the signature is to be checked. */
static verdict judge_form(
    access_token *token, uint8_t payload_json[ACCESS_PAYLOAD_MAX], size_t *payload_len, span text,
    const access_terms *terms)
{
    if (!read_token(token, payload_json, payload_len, text, terms)) {
        return refresh_is_shape_of(text) ? VERDICT_WRONG_TOKEN_KIND : VERDICT_MALFORMED;
    }
    if (token->key == NULL) {
        return VERDICT_UNKNOWN_KEY;
    }
    return token->key->revoked ? VERDICT_KEY_REVOKED : VERDICT_GOOD;
}

/*
 * Judge what comes after a good signature: whether now lies in [iat - leeway, exp), and whom the token is for.
 *
 * The leeway stretches only the start, because a clock that runs behind must not make a fresh token look premature,
 * while stretching the end would quietly lengthen every lifetime.
 */
static verdict judge_content(const access_token *token, const access_terms *terms)
{
    if (token->issued_at > terms->now + terms->leeway) {
        return VERDICT_NOT_YET_VALID;
    }
    if (terms->now >= token->expires_at) {
        return VERDICT_EXPIRED;
    }
    return token->is_for_us ? VERDICT_GOOD : VERDICT_WRONG_AUDIENCE;
}

verdict access_verify(
    uint8_t fields[ACCESS_FIELDS_LEN], uint8_t payload_json[ACCESS_PAYLOAD_MAX], size_t *payload_len, span text,
    const access_terms *terms)
{
    access_token token;
    const verdict form = judge_form(&token, payload_json, payload_len, text, terms);
    if (form != VERDICT_GOOD) {
        return form;
    }
    if (!ed25519_verify(token.key->table, text.start, token.signed_len, token.signature)) {
        return VERDICT_TAMPERED;
    }
    memcpy(fields, token.fields, ACCESS_FIELDS_LEN);
    return judge_content(&token, terms);
}

/* Room for one group: tokens[i], items[i] and good[i] are one token whose signature is checked. */
typedef struct {
    access_token *tokens;
    ed25519_item *items;
    uint8_t *good;
} group;

/* Judge up to GROUP_LEN texts with one batch of signatures; *fields* come zeroed. */
static void verify_group(
    const group *room, uint8_t *verdicts, uint8_t *fields, const span *texts, size_t n_texts,
    const access_terms *terms)
{
    uint8_t payload_json[ACCESS_PAYLOAD_MAX];
    size_t payload_len, n_items = 0;
    for (size_t i = 0; i < n_texts; i++) {
        access_token *token = &room->tokens[n_items];
        verdicts[i] = (uint8_t)judge_form(token, payload_json, &payload_len, texts[i], terms);
        if (verdicts[i] == VERDICT_GOOD) {
            token->place = i;
            room->items[n_items++] = (ed25519_item){
                .key = token->key->table,
                .message = texts[i].start,
                .message_len = token->signed_len,
                .signature = token->signature,
            };
        }
    }
    ed25519_verify_batch(room->items, n_items, room->good);
    for (size_t i = 0; i < n_items; i++) {
        const access_token *token = &room->tokens[i];
        const verdict given = room->good[i] ? judge_content(token, terms) : VERDICT_TAMPERED;
        verdicts[token->place] = (uint8_t)given;
        if (given == VERDICT_GOOD) {
            memcpy(fields + token->place * ACCESS_FIELDS_LEN, token->fields, ACCESS_FIELDS_LEN);
        }
    }
}

bool access_verify_batch(
    uint8_t *verdicts, uint8_t *fields, const span *texts, size_t n_texts, const access_terms *terms)
{
    if (n_texts == 0) {
        return true;
    }
    const size_t room_len = n_texts < GROUP_LEN ? n_texts : GROUP_LEN;
    const group room = {
        .tokens = malloc(room_len * sizeof(access_token)),
        .items = malloc(room_len * sizeof(ed25519_item)),
        .good = malloc(room_len),
    };
    const bool has_room = room.tokens != NULL && room.items != NULL && room.good != NULL;
    if (has_room) {
        memset(fields, 0, n_texts * ACCESS_FIELDS_LEN);
        for (size_t done = 0; done < n_texts; done += room_len) {
            const size_t n_group = n_texts - done < room_len ? n_texts - done : room_len;
            verify_group(
                &room, verdicts + done, fields + done * ACCESS_FIELDS_LEN, texts + done, n_group, terms);
        }
    }
    free(room.tokens);
    free(room.items);
    free(room.good);
    return has_room;
}
