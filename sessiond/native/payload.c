#include "payload.h"

#include <stddef.h>
#include <string.h>

#include "base64url.h"

enum {
    TIME_DIGITS = 10,
    OPAQUE_LEN = 24,
    OPAQUE_TEXT_LEN = 32,
    UUID_LEN = 16,
    JTI_ISSUED_AT = 20,
};

_Static_assert(PAYLOAD_JTI_LEN == OPAQUE_LEN && PAYLOAD_REV_LEN == OPAQUE_LEN, "jti and rev have one length");
_Static_assert(BASE64URL_DECODED_LEN(OPAQUE_TEXT_LEN) == OPAQUE_LEN, "which base64url spells without spare bits");

/* A place in the JSON; what is left of it lies between the two. */
typedef struct {
    const uint8_t *next, *end;
} cursor;

/* Pass *len* bytes and return where they start; NULL when fewer are left. */
static const uint8_t *take(cursor *at, size_t len)
{
    const uint8_t *start = at->next;
    if ((size_t)(at->end - start) < len) {
        return NULL;
    }
    at->next = start + len;
    return start;
}

static bool take_bytes(cursor *at, const char *literal, size_t len)
{
    const uint8_t *start = take(at, len);
    return start != NULL && memcmp(start, literal, len) == 0;
}

#define TAKE_LITERAL(at, literal) take_bytes(at, literal, sizeof(literal) - 1)

/* Pass the inside of a JSON string and its closing quote. */
static bool take_string(cursor *at, span *inside)
{
    inside->start = at->next;
    while (at->next < at->end) {
        const uint8_t byte = *at->next++;
        if (byte == '"') {
            inside->len = (size_t)(at->next - 1 - inside->start);
            return true;
        }
        if (byte < 0x20) {
            return false;
        }
        if (byte == '\\') {
            if (at->next == at->end) {
                return false;
            }
            at->next++; /* an escaped quote ends nothing */
        }
    }
    return false;
}

/* Pass ten digits without a leading zero that name an instant below 2^32. */
static bool take_time(cursor *at, uint32_t *time)
{
    const uint8_t *digits = take(at, TIME_DIGITS);
    if (digits == NULL || digits[0] == '0') {
        return false;
    }
    uint64_t value = 0;
    for (int i = 0; i < TIME_DIGITS; i++) {
        if (digits[i] < '0' || digits[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(digits[i] - '0');
    }
    *time = (uint32_t)value;
    return value <= UINT32_MAX;
}

/* Pass OPAQUE_LEN bytes in base64url. */
static bool take_opaque(cursor *at, uint8_t out[OPAQUE_LEN])
{
    const uint8_t *text = take(at, OPAQUE_TEXT_LEN);
    return text != NULL && base64url_decode(out, text, OPAQUE_TEXT_LEN);
}

/* Pass the lower-case UUID text of these very bytes (RFC 9562, section 4). */
static bool take_uuid_of(cursor *at, const uint8_t bytes[UUID_LEN])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t text[2 * UUID_LEN + 4], *out = text;
    for (int i = 0; i < UUID_LEN; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }
        *out++ = (uint8_t)hex[bytes[i] >> 4];
        *out++ = (uint8_t)hex[bytes[i] & 15];
    }
    const uint8_t *start = take(at, sizeof text);
    return start != NULL && memcmp(start, text, sizeof text) == 0;
}

/* Pass the application's claims, or nothing, and the closing brace. The signer vouches for what is in the claims. */
static bool take_claims(cursor *at)
{
    const size_t left = (size_t)(at->end - at->next);
    const uint8_t *start = at->next;
    at->next = at->end;
    return left > 0 && start[left - 1] == '}' && (left == 1 || (left > 2 && start[0] == ','));
}

bool payload_read(payload *out, span json)
{
    cursor at = {json.start, json.start + json.len};
    span unread;
    return TAKE_LITERAL(&at, "{\"exp\":") && take_time(&at, &out->expires_at) &&
           TAKE_LITERAL(&at, ",\"iat\":") && take_time(&at, &out->issued_at) &&
           TAKE_LITERAL(&at, ",\"jti\":\"") && take_opaque(&at, out->jti) &&
           load_be32(out->jti + JTI_ISSUED_AT) == out->issued_at &&
           TAKE_LITERAL(&at, "\",\"rev\":\"") && take_opaque(&at, out->rev) &&
           TAKE_LITERAL(&at, "\",\"iss\":\"") && take_string(&at, &out->issuer) &&
           TAKE_LITERAL(&at, ",\"aud\":\"") && take_string(&at, &out->audience) &&
           TAKE_LITERAL(&at, ",\"sub\":\"") && take_string(&at, &unread) &&
           TAKE_LITERAL(&at, ",\"client_id\":\"") && take_string(&at, &unread) &&
           TAKE_LITERAL(&at, ",\"sid\":\"") && take_uuid_of(&at, out->jti) &&
           TAKE_LITERAL(&at, "\",\"tenant\":\"") && take_string(&at, &unread) && take_claims(&at);
}
