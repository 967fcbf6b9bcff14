/*
 * The payload of an access token: JSON whose members stand in one order, the application's last (RFC 7519, 9068).
 *
 * No JSON parser: what the signer would not write is refused. Its own claims are not looked into, but for being UTF-8.
 */
#ifndef SESSIOND_PAYLOAD_H
#define SESSIOND_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "fields.h"

/* Both have the bytes that the fields have too: jti from FIELDS_SESSION_ID on, rev from FIELDS_TENANT_HASH on. */
#define PAYLOAD_JTI_LEN (FIELDS_TENANT_HASH - FIELDS_SESSION_ID)
#define PAYLOAD_REV_LEN (ACCESS_FIELDS_LEN - FIELDS_TENANT_HASH)

/* Bytes of the JSON: where they start in it, and how many. */
typedef struct {
    uint16_t at, len;
} payload_text;

typedef struct {
    uint32_t expires_at, issued_at;
    uint8_t jti[PAYLOAD_JTI_LEN], rev[PAYLOAD_REV_LEN];
    /*
     * What stands between the quotes: UTF-8 in which a backslash begins one of the escapes that RFC 8785, section
     * 3.2.2.2, writes. To take those back never fails.
     */
    payload_text issuer, audience, subject, client_id, tenant;
    payload_text claims; /* what would stand between the braces of an object: UTF-8, perhaps nothing */
} payload;

/* Read *json*; return false when a member is not as the signer writes it. */
bool payload_read(payload *out, span json);

/* Tell whether *text* of the JSON that *content* was read from is *wanted*. */
static inline bool payload_text_is(payload_text text, const uint8_t *json, span wanted)
{
    return text.len == wanted.len && memcmp(json + text.at, wanted.start, wanted.len) == 0;
}

#endif
