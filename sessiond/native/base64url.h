/* Strict base64url without padding (RFC 4648, section 5): one spelling for every value. */
#ifndef SESSIOND_BASE64URL_H
#define SESSIOND_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of what *text_len* characters spell. */
#define BASE64URL_DECODED_LEN(text_len) ((text_len) / 4 * 3 + (text_len) % 4 * 3 / 4)

/* The value of each character, BASE64URL_BAD for what is not in the alphabet: a bit that no value has. */
#define BASE64URL_BAD 0x80
extern const uint8_t BASE64URL_VALUE[256];

/*
 * Decode *text_len* characters into BASE64URL_DECODED_LEN(text_len) bytes at *out*, which must not overlap them.
 * Return false when a character is outside the alphabet, when spare bits are not zero or when no text has that length;
 * what was written is then of no use. Nothing else is read or written. Done by the implementation that was chosen.
 */
bool base64url_decode(uint8_t *out, const uint8_t *text, size_t text_len);

/* Write the one spelling of *data* without a terminator: the BASE64URL_DECODED_LEN of its length is *data_len*. */
void base64url_encode(uint8_t *text, const uint8_t *data, size_t data_len);

#endif
