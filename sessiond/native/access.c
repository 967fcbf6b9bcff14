#include "access.h"

#include <string.h>

#include "base64url.h"
#include "refresh.h"

enum {
    PAYLOAD_TEXT_AT = ACCESS_HEADER_LEN + 1,
    TEXT_MIN = PAYLOAD_TEXT_AT + 1 + SIGNATURE_TEXT_LEN, /* an empty payload between the dots */

    PASS_LEN = 256, /* texts judged together: enough for any implementation, and 33 kB of what is kept on the stack */
    TEXTS_AHEAD = 2, /* texts that wait for memory at once */
    CACHE_LINE_LEN = 64,
};

_Static_assert(BASE64URL_DECODED_LEN(SIGNATURE_TEXT_LEN) == ED25519_SIGNATURE_LEN, "a signature has one length");

/* What is kept of a token until its signature is judged. */
typedef struct {
    const known_key *known;
    size_t signed_len; /* of the text, from its start */
    size_t place;      /* in its pass */
    bool is_for_us; /* issuer and audience are the ones asked for */
    uint8_t signature[ED25519_SIGNATURE_LEN];
} access_token;

/* Put the fields together; the key is a known one. */
static void write_fields(uint8_t out[ACCESS_FIELDS_LEN], const uint8_t key_id[KEY_ID_LEN], const payload *content)
{
    memcpy(out + FIELDS_KEY_ID, key_id, KEY_ID_LEN);
    store_be32(out + FIELDS_EXPIRES_AT, content->expires_at);
    store_be32(out + FIELDS_ISSUED_AT, content->issued_at);
    memcpy(out + FIELDS_SESSION_ID, content->jti, PAYLOAD_JTI_LEN);
    memcpy(out + FIELDS_TENANT_HASH, content->rev, PAYLOAD_REV_LEN);
}

static bool has_length(span text)
{
    return TEXT_MIN <= text.len && text.len <= ACCESS_TEXT_MAX;
}

/* Read the payload of *text*, which has_length; return false when it is not of the form. */
static bool read_payload(signed_access *found, span text)
{
    const size_t payload_text_len = text.len - TEXT_MIN;
    found->payload_len = BASE64URL_DECODED_LEN(payload_text_len);
    return base64url_decode(found->payload_json, text.start + PAYLOAD_TEXT_AT, payload_text_len) &&
           payload_read(&found->content, (span){found->payload_json, found->payload_len});
}

void access_reread_verified(signed_access *found, span text, const known_keys *keys)
{
    if (read_payload(found, text)) { /* always, for such a text */
        write_fields(found->fields, known_keys_by_access_header(keys, text.start)->key_id, &found->content);
    }
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

/* Read the one spelling of an access token but for its header; return false for anything else. */
static bool read_token(access_token *token, signed_access *found, span text)
{
    if (!has_length(text)) {
        return false;
    }
    token->signed_len = text.len - 1 - SIGNATURE_TEXT_LEN;
    return text.start[ACCESS_HEADER_LEN] == '.' && text.start[token->signed_len] == '.' &&
           base64url_decode(token->signature, text.start + token->signed_len + 1, SIGNATURE_TEXT_LEN) &&
           read_payload(found, text);
}

/* Judge what comes before the signature; VERDICT_GOOD says that the signature is to be checked. */
static verdict judge_form(access_token *token, signed_access *found, span text, const access_terms *terms)
{
    if (!read_token(token, found, text)) {
        return refresh_is_shape_of(text) ? VERDICT_WRONG_TOKEN_KIND : VERDICT_MALFORMED;
    }
    token->known = known_keys_by_access_header(terms->keys, text.start);
    if (token->known == NULL) {
        return access_header_is_written(text.start) ? VERDICT_UNKNOWN_KEY : VERDICT_MALFORMED;
    }
    if (token->known->revoked) {
        return VERDICT_KEY_REVOKED;
    }
    token->is_for_us = payload_text_is(found->content.issuer, found->payload_json, terms->issuer) &&
                       payload_text_is(found->content.audience, found->payload_json, terms->audience);
    write_fields(found->fields, token->known->key_id, &found->content);
    return VERDICT_GOOD;
}

/* Judge what comes after a good signature: whether the token is alive, and whom it is for. */
static verdict judge_content(
    const access_token *token, const uint8_t fields[ACCESS_FIELDS_LEN], const access_terms *terms)
{
    const verdict given = access_judge_window(
        load_be32(fields + FIELDS_ISSUED_AT), load_be32(fields + FIELDS_EXPIRES_AT), terms->now, terms->leeway);
    if (given != VERDICT_GOOD) {
        return given;
    }
    return token->is_for_us ? VERDICT_GOOD : VERDICT_WRONG_AUDIENCE;
}

/* Find in the fields what of a token says who can have revoked it. */
static revocable revocable_of(const uint8_t fields[ACCESS_FIELDS_LEN])
{
    return (revocable){
        .session_id = fields + FIELDS_SESSION_ID,
        .tenant_hash = fields + FIELDS_TENANT_HASH,
        .subject_hash = fields + FIELDS_SUBJECT_HASH,
        .born = load_be64(fields + FIELDS_BORN),
    };
}

verdict access_judge_revocation(const uint8_t fields[ACCESS_FIELDS_LEN], revocations *index)
{
    if (index == NULL) {
        return VERDICT_GOOD;
    }
    const revocable who = revocable_of(fields);
    revocations_read_lock(index);
    const verdict given = revocations_judge(index, &who);
    revocations_read_unlock(index);
    return given;
}

verdict access_verify(signed_access *found, span text, const access_terms *terms)
{
    access_token token;
    const verdict form = judge_form(&token, found, text, terms);
    if (form != VERDICT_GOOD) {
        return form;
    }
    if (!ed25519_verify(token.known->key, text.start, token.signed_len, token.signature)) {
        return VERDICT_TAMPERED;
    }
    const verdict given = judge_content(&token, found->fields, terms);
    return given == VERDICT_GOOD ? access_judge_revocation(found->fields, terms->revocations) : given;
}

/*
 * Judge against the index those of *n_tokens* tokens that are good so far; verdicts and fields are of the whole pass.
 *
 * Nothing is loaded ahead: no look-up waits for the one before it, so the processor overlaps what they miss by itself,
 * and hints do not make it faster.
 */
static void judge_revocations(
    uint8_t *verdicts, const uint8_t *fields, const access_token *tokens, size_t n_tokens, revocations *index)
{
    revocations_read_lock(index);
    for (size_t i = 0; i < n_tokens; i++) {
        const size_t place = tokens[i].place;
        if (verdicts[place] == VERDICT_GOOD) {
            const revocable who = revocable_of(fields + place * ACCESS_FIELDS_LEN);
            verdicts[place] = (uint8_t)revocations_judge(index, &who);
        }
    }
    revocations_read_unlock(index);
}

/* Begin to load a text that will be read. */
static void prefetch_text(span text)
{
    for (size_t at = 0; at < text.len; at += CACHE_LINE_LEN) {
        __builtin_prefetch(text.start + at);
    }
}

/* Judge up to PASS_LEN texts with one batch of signatures. */
static void verify_pass(
    uint8_t *verdicts, uint8_t *fields, const span *texts, size_t n_texts, const access_terms *terms)
{
    access_token tokens[PASS_LEN];
    ed25519_item items[PASS_LEN];
    uint8_t good[PASS_LEN];
    size_t n_items = 0;
    for (size_t i = 0; i < n_texts; i++) {
        signed_access found;
        access_token *token = &tokens[n_items];
        if (i + TEXTS_AHEAD < n_texts) {
            prefetch_text(texts[i + TEXTS_AHEAD]);
        }
        verdicts[i] = (uint8_t)judge_form(token, &found, texts[i], terms);
        if (verdicts[i] == VERDICT_GOOD) {
            memcpy(fields + i * ACCESS_FIELDS_LEN, found.fields, ACCESS_FIELDS_LEN);
            token->place = i;
            items[n_items++] = (ed25519_item){
                .key = token->known->key,
                .message = texts[i].start,
                .message_len = token->signed_len,
                .signature = token->signature,
            };
        }
    }
    ed25519_verify_batch(items, n_items, good);
    for (size_t i = 0; i < n_items; i++) {
        const uint8_t *of_token = fields + tokens[i].place * ACCESS_FIELDS_LEN;
        verdicts[tokens[i].place] =
            (uint8_t)(good[i] ? judge_content(&tokens[i], of_token, terms) : VERDICT_TAMPERED);
    }
    if (terms->revocations != NULL) {
        judge_revocations(verdicts, fields, tokens, n_items, terms->revocations);
    }
    for (size_t i = 0; i < n_texts; i++) {
        if (verdicts[i] != VERDICT_GOOD) {
            memset(fields + i * ACCESS_FIELDS_LEN, 0, ACCESS_FIELDS_LEN);
        }
    }
}

void access_verify_batch(
    uint8_t *verdicts, uint8_t *fields, const span *texts, size_t n_texts, const access_terms *terms)
{
    while (n_texts > 0) {
        const size_t n_pass = n_texts < PASS_LEN ? n_texts : PASS_LEN;
        verify_pass(verdicts, fields, texts, n_pass, terms);
        verdicts += n_pass;
        fields += n_pass * ACCESS_FIELDS_LEN;
        texts += n_pass;
        n_texts -= n_pass;
    }
}
