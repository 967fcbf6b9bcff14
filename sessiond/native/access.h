/* Access tokens: JWT (RFC 7519, 9068), a header that is constant per key, a payload with its members in fixed order. */
#ifndef SESSIOND_ACCESS_H
#define SESSIOND_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "known_keys.h"
#include "verdict.h"

/* What a token says: the fields of a refresh token, then iat u32 (jti's), tenant hash 8, subject hash 8, born u64. */
#define ACCESS_FIELDS_LEN 64

#define ACCESS_TEXT_MAX 4096
/* More than the longest text can spell. */
#define ACCESS_PAYLOAD_MAX (ACCESS_TEXT_MAX / 4 * 3)

/* What is asked of tokens. */
typedef struct {
    const known_keys *keys;
    span issuer, audience; /* as they stand between the quotes of a JSON string */
    int64_t now;            /* seconds since the epoch, below 2^53 */
    int64_t leeway;         /* seconds that a token may be used before its iat, below 2^32 */
} access_terms;

/*
 * Judge *text*. *fields* and *payload*, which gets *payload_len* bytes of JSON, are of use only where
 * verdict_is_of_signed the verdict.
 */
verdict access_verify(
    uint8_t fields[ACCESS_FIELDS_LEN], uint8_t payload_json[ACCESS_PAYLOAD_MAX], size_t *payload_len, span text,
    const access_terms *terms);

/*
 * Judge many texts as access_verify does, each by itself: a verdict and ACCESS_FIELDS_LEN bytes of fields for each,
 * zeros where the verdict is not VERDICT_GOOD. Return false when there is no memory for it.
 */
bool access_verify_batch(
    uint8_t *verdicts, uint8_t *fields, const span *texts, size_t n_texts, const access_terms *terms);

/* Tell whether *text* has the shape of an access token: eyJ at its start, and three parts. */
bool access_is_shape_of(span text);

#endif
