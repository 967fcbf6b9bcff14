/* UTF-8 (RFC 3629). */
#ifndef SESSIOND_UTF8_H
#define SESSIOND_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/*
 * The length of the character that *text*, which is not empty, begins with; 0 when it begins with none.
 *
 * Where a second byte has a range of its own (RFC 3629, section 4), it keeps out overlong forms, surrogates and what
 * lies beyond U+10FFFF.
 */
static inline size_t utf8_character_len(span text)
{
    const uint8_t first = text.start[0];
    uint8_t low = 0x80, high = 0xbf; /* of the second byte */
    size_t len;
    if (first < 0x80) {
        return 1;
    } else if (0xc2 <= first && first <= 0xdf) {
        len = 2;
    } else if (0xe0 <= first && first <= 0xef) {
        len = 3;
        low = first == 0xe0 ? 0xa0 : low;
        high = first == 0xed ? 0x9f : high;
    } else if (0xf0 <= first && first <= 0xf4) {
        len = 4;
        low = first == 0xf0 ? 0x90 : low;
        high = first == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (text.len < len || text.start[1] < low || text.start[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((text.start[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

/* Tell whether every byte is an ASCII character. */
static inline bool utf8_is_ascii(span text)
{
    uint64_t bits = 0; /* those of all bytes, eight at a time */
    size_t at = 0;
    for (; text.len - at >= 32; at += 32) {
        bits |= load_le64(text.start + at) | load_le64(text.start + at + 8) | load_le64(text.start + at + 16) |
                load_le64(text.start + at + 24);
    }
    for (; text.len - at >= 8; at += 8) {
        bits |= load_le64(text.start + at);
    }
    for (; at < text.len; at++) {
        bits |= text.start[at];
    }
    return (bits & UINT64_C(0x8080808080808080)) == 0;
}

/* Tell whether *text* is characters in their one spelling, from its start to its end. */
static inline bool utf8_is_valid(span text)
{
    if (utf8_is_ascii(text)) {
        return true;
    }
    while (text.len > 0) {
        const size_t len = utf8_character_len(text);
        if (len == 0) {
            return false;
        }
        text.start += len;
        text.len -= len;
    }
    return true;
}

#endif
