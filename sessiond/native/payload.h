/*
 * The payload of an access token: JSON whose members stand in one order, the application's last (RFC 7519, 9068).
 *
 * No JSON parser: what the signer would not write is refused, and its own claims are not looked into.
 */
#ifndef SESSIOND_PAYLOAD_H
#define SESSIOND_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"

#define PAYLOAD_JTI_LEN 24 /* session id 16, generation u32, iat u32 */
#define PAYLOAD_REV_LEN 24 /* tenant hash 8, subject hash 8, born u64 */

typedef struct {
    uint32_t expires_at, issued_at;
    uint8_t jti[PAYLOAD_JTI_LEN], rev[PAYLOAD_REV_LEN];
    span issuer, audience; /* as they are written between the quotes, escapes and all; within the JSON */
} payload;

/* Read *json*; return false when a member is not as the signer writes it. */
bool payload_read(payload *out, span json);

#endif
