/* Access tokens: JWT (RFC 7519, 9068), a header that is constant per key, a payload with its members in fixed order. */
#ifndef SESSIOND_ACCESS_H
#define SESSIOND_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "fields.h"
#include "known_keys.h"
#include "payload.h"
#include "revocations.h"
#include "verdict.h"

/* The last part of a token: its signature. */
#define SIGNATURE_TEXT_LEN 86
#define ACCESS_TEXT_MAX 4096
/* More than the longest text can spell. */
#define ACCESS_PAYLOAD_MAX (ACCESS_TEXT_MAX / 4 * 3)

/* What is asked of tokens. */
typedef struct {
    const known_keys *keys;
    span issuer, audience; /* as they stand between the quotes of a JSON string */
    int64_t now;           /* seconds since the epoch, below 2^53 */
    int64_t leeway;        /* seconds that a token may be used before its iat, below 2^32 */
    revocations *revocations; /* asked last, about what is good so far; NULL for none */
} access_terms;

/* What a token says whose signature is good. */
typedef struct {
    uint8_t fields[ACCESS_FIELDS_LEN];
    uint8_t payload_json[ACCESS_PAYLOAD_MAX];
    size_t payload_len;
    payload content; /* as read from payload_json */
} signed_access;

/* Judge *text*. What is found in it is of use only where verdict_is_of_signed the verdict. */
verdict access_verify(signed_access *found, span text, const access_terms *terms);

/*
 * Judge many texts as access_verify does, each by itself: a verdict and ACCESS_FIELDS_LEN bytes of fields for each,
 * zeros where the verdict is not VERDICT_GOOD.
 */
void access_verify_batch(
    uint8_t *verdicts, uint8_t *fields, const span *texts, size_t n_texts, const access_terms *terms);

/* Read again what *text* says. Its signature is not checked: it was found good before, under one of *keys*. */
void access_reread_verified(signed_access *found, span text, const known_keys *keys);

/*
 * Judge whether *now* lies in [issued_at - leeway, expires_at).
 *
 * The leeway stretches only the start, because a clock that runs behind must not make a fresh token look premature,
 * while stretching the end would quietly lengthen every lifetime.
 */
static inline verdict access_judge_window(uint32_t issued_at, uint32_t expires_at, int64_t now, int64_t leeway)
{
    if (issued_at > now + leeway) { /* below 2^53 + 2^32 */
        return VERDICT_NOT_YET_VALID;
    }
    return now >= expires_at ? VERDICT_EXPIRED : VERDICT_GOOD;
}

/*
 * Name what revoked the token with *fields*, VERDICT_GOOD while it lives or where *index* is NULL. Takes the lock of
 * *index*.
 */
verdict access_judge_revocation(const uint8_t fields[ACCESS_FIELDS_LEN], revocations *index);

/* Tell whether *text* has the shape of an access token: eyJ at its start, and three parts. */
bool access_is_shape_of(span text);

#endif
