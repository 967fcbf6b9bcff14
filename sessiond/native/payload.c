#include "payload.h"

#include <stddef.h>
#include <string.h>

#include "base64url.h"
#include "utf8.h"

#define BEFORE_EXP "{\"exp\":"
#define BEFORE_IAT ",\"iat\":"
#define BEFORE_JTI ",\"jti\":\""
#define BEFORE_REV "\",\"rev\":\""
#define BEFORE_ISS "\",\"iss\":\""

enum {
    TIME_DIGITS = 10,
    OPAQUE_LEN = 24,
    OPAQUE_TEXT_LEN = 32,
    UUID_LEN = 16,
    UUID_TEXT_LEN = 36,

    /* Where things stand: up to the issuer everything has one length. */
    EXP_AT = LITERAL_LEN(BEFORE_EXP),
    IAT_AT = EXP_AT + TIME_DIGITS + LITERAL_LEN(BEFORE_IAT),
    JTI_AT = IAT_AT + TIME_DIGITS + LITERAL_LEN(BEFORE_JTI),
    REV_AT = JTI_AT + OPAQUE_TEXT_LEN + LITERAL_LEN(BEFORE_REV),
    ISS_AT = REV_AT + OPAQUE_TEXT_LEN + LITERAL_LEN(BEFORE_ISS),
};

_Static_assert(PAYLOAD_JTI_LEN == OPAQUE_LEN && PAYLOAD_REV_LEN == OPAQUE_LEN, "jti and rev have one length");
_Static_assert(BASE64URL_DECODED_LEN(OPAQUE_TEXT_LEN) == OPAQUE_LEN, "which base64url spells without spare bits");

/* The same byte eight times. */
#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

/* A place in the JSON; what is left of it lies between next and end. */
typedef struct {
    const uint8_t *start, *next, *end;
} cursor;

/* Pass *len* bytes and return where they start; NULL when fewer are left. */
static inline const uint8_t *take(cursor *at, size_t len)
{
    const uint8_t *start = at->next;
    if ((size_t)(at->end - start) < len) {
        return NULL;
    }
    at->next = start + len;
    return start;
}

/* Pass a literal. */
#define TAKE_LITERAL(at, literal) (take(at, LITERAL_LEN(literal)) != NULL && STANDS_BEFORE((at)->next, literal))

static payload_text text_from(const cursor *at, const uint8_t *start, size_t len)
{
    return (payload_text){(uint16_t)(start - at->start), (uint16_t)len};
}

/* Tell whether a byte of a string is the end of it, the beginning of an escape or one that must be escaped. */
static bool is_special(uint8_t byte)
{
    return byte == '"' || byte == '\\' || byte < 0x20;
}

/*
 * Bit 7 of each of eight bytes that is_special, up to and including the first; what is set above that means nothing.
 *
 * To turn bit 1 over makes a quote 0x20 and leaves the bytes below 0x20 and those above 0x23 where they are: a byte is a
 * quote or must be escaped when it is below 0x21 then. Of a byte without bit 7 that is below n, n taken away sets it.
 * That borrows from the byte above only at a byte below n, so from none up to the first.
 */
static uint64_t special_bytes(uint64_t bytes)
{
    const uint64_t below = (bytes ^ EIGHT(0x02)) - EIGHT(0x21), backslash = (bytes ^ EIGHT('\\')) - EIGHT(1);
    return (below | backslash) & ~bytes & EIGHT(0x80);
}

/* Pass all bytes that are not special. */
static void pass_plain(cursor *at)
{
    while (at->end - at->next >= 8) {
        const uint64_t special = special_bytes(load_le64(at->next));
        if (special != 0) {
            at->next += __builtin_ctzll(special) / 8;
            return;
        }
        at->next += 8;
    }
    while (at->next < at->end && !is_special(*at->next)) {
        at->next++;
    }
}

/* Pass the rest of an escape: of a quote, of a backslash, or of a character below 0x20 (RFC 8785, section 3.2.2.2). */
static bool take_escape(cursor *at)
{
    const uint8_t *letter = take(at, 1);
    if (letter == NULL || *letter == '\0') {
        return false;
    }
    if (*letter != 'u') {
        return strchr("\"\\bfnrt", *letter) != NULL;
    }
    if (!TAKE_LITERAL(at, "00")) {
        return false;
    }
    const uint8_t *digits = take(at, 2);
    if (digits == NULL || digits[1] == '\0') {
        return false;
    }
    /* 8, 9, a, c and d have letters. */
    return (digits[0] == '0' && strchr("01234567bef", digits[1]) != NULL) ||
           (digits[0] == '1' && strchr("0123456789abcdef", digits[1]) != NULL);
}

/* Pass the inside of a JSON string and its closing quote. Bytes above 0x7f are not looked at. */
static bool take_string(cursor *at, payload_text *inside)
{
    const uint8_t *start = at->next;
    for (;;) {
        pass_plain(at);
        const uint8_t *special = take(at, 1);
        if (special == NULL) {
            return false;
        }
        if (*special == '"') {
            *inside = text_from(at, start, (size_t)(special - start));
            return true;
        }
        if (*special != '\\' || !take_escape(at)) {
            return false;
        }
    }
}

/* Read eight digits into a number, most significant first; return false when one is none. */
static bool read_digits(uint64_t *number, const uint8_t text[8])
{
    uint64_t digits = load_le64(text) ^ EIGHT('0'); /* the most significant one lowest; any other byte is above 9 */
    const bool are_digits = (((digits + EIGHT(0x7f - 9)) | digits) & EIGHT(0x80)) == 0;
    /* Four pairs of digits, two pairs of those, and one of these: each in the upper part of what held it. */
    digits = (digits * 10 + (digits >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    digits = (digits * 100 + (digits >> 16)) & UINT64_C(0x0000ffff0000ffff);
    *number = (digits * 10000 + (digits >> 32)) & UINT32_MAX;
    return are_digits;
}

/* Read ten digits without a leading zero that name an instant below 2^32. */
static bool read_time(uint32_t *time, const uint8_t digits[TIME_DIGITS])
{
    uint64_t first, last;
    if (digits[0] == '0' || !read_digits(&first, digits) || !read_digits(&last, digits + TIME_DIGITS - 8)) {
        return false;
    }
    const uint64_t value = first * 100 + last % 100;
    *time = (uint32_t)value;
    return value <= UINT32_MAX;
}

/* The lower-case hex of four bytes, most significant first, in the order of memory. */
static uint64_t hex_of(uint32_t bytes)
{
    uint64_t digits = bytes; /* spread out: one digit in each byte, the last one lowest */
    digits = (digits | digits << 16) & UINT64_C(0x0000ffff0000ffff);
    digits = (digits | digits << 8) & UINT64_C(0x00ff00ff00ff00ff);
    digits = (digits | digits << 4) & EIGHT(0x0f);
    const uint64_t letters = ((digits + EIGHT(6)) >> 4) & EIGHT(1); /* 1 where the digit is above 9 */
    return digits + EIGHT('0') + letters * ('a' - '0' - 10);
}

/* Pass the lower-case UUID text of these very bytes (RFC 9562, section 4). */
static bool take_uuid_of(cursor *at, const uint8_t bytes[UUID_LEN])
{
    const uint8_t *text = take(at, UUID_TEXT_LEN);
    if (text == NULL) {
        return false;
    }
    const uint64_t second = hex_of(load_be32(bytes + 4)), third = hex_of(load_be32(bytes + 8));
    return load_be64(text) == hex_of(load_be32(bytes)) && text[8] == '-' && load_be32(text + 9) == second >> 32 &&
           text[13] == '-' && load_be32(text + 14) == (second & UINT32_MAX) && text[18] == '-' &&
           load_be32(text + 19) == third >> 32 && text[23] == '-' && load_be32(text + 24) == (third & UINT32_MAX) &&
           load_be64(text + 28) == hex_of(load_be32(bytes + 12));
}

/* Pass the application's claims, or nothing, and the closing brace. The signer vouches for what is in the claims. */
static bool take_claims(cursor *at, payload_text *claims)
{
    const size_t left = (size_t)(at->end - at->next);
    const uint8_t *start = at->next;
    at->next = at->end;
    if (left == 0 || start[left - 1] != '}') {
        return false;
    }
    *claims = left == 1 ? text_from(at, start, 0) : text_from(at, start + 1, left - 2);
    return left == 1 || (left > 2 && start[0] == ',');
}

static bool read_head(payload *out, const uint8_t json[ISS_AT])
{
    return STANDS_BEFORE(json + EXP_AT, BEFORE_EXP) && STANDS_BEFORE(json + IAT_AT, BEFORE_IAT) &&
           STANDS_BEFORE(json + JTI_AT, BEFORE_JTI) && STANDS_BEFORE(json + REV_AT, BEFORE_REV) &&
           STANDS_BEFORE(json + ISS_AT, BEFORE_ISS) && read_time(&out->expires_at, json + EXP_AT) &&
           read_time(&out->issued_at, json + IAT_AT) && base64url_decode(out->jti, json + JTI_AT, OPAQUE_TEXT_LEN) &&
           base64url_decode(out->rev, json + REV_AT, OPAQUE_TEXT_LEN) &&
           load_be32(out->jti + FIELDS_JTI_ISSUED_AT - FIELDS_SESSION_ID) == out->issued_at;
}

bool payload_read(payload *out, span json)
{
    if (json.len < ISS_AT || json.len > UINT16_MAX || !read_head(out, json.start)) {
        return false;
    }
    cursor at = {json.start, json.start + ISS_AT, json.start + json.len};
    return take_string(&at, &out->issuer) &&
           TAKE_LITERAL(&at, ",\"aud\":\"") && take_string(&at, &out->audience) &&
           TAKE_LITERAL(&at, ",\"sub\":\"") && take_string(&at, &out->subject) &&
           TAKE_LITERAL(&at, ",\"client_id\":\"") && take_string(&at, &out->client_id) &&
           TAKE_LITERAL(&at, ",\"sid\":\"") && take_uuid_of(&at, out->jti) &&
           TAKE_LITERAL(&at, "\",\"tenant\":\"") && take_string(&at, &out->tenant) && take_claims(&at, &out->claims) &&
           utf8_is_valid((span){json.start + ISS_AT, json.len - ISS_AT});
}
