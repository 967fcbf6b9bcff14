#include "base64url.h"

#include "implementation.h"

#define BAD BASE64URL_BAD
#define VALUE BASE64URL_VALUE

const uint8_t BASE64URL_VALUE[256] = {
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,  62, BAD, BAD,
     52,  53,  54,  55,  56,  57,  58,  59,  60,  61, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD,   0,   1,   2,   3,   4,   5,   6,   7,   8,   9,  10,  11,  12,  13,  14,
     15,  16,  17,  18,  19,  20,  21,  22,  23,  24,  25, BAD, BAD, BAD, BAD,  63,
    BAD,  26,  27,  28,  29,  30,  31,  32,  33,  34,  35,  36,  37,  38,  39,  40,
     41,  42,  43,  44,  45,  46,  47,  48,  49,  50,  51, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
};

bool base64url_decode_portable(uint8_t *out, const uint8_t *text, size_t text_len)
{
    uint32_t faults = 0; /* gathered, not branched on: good text is what matters */
    for (; text_len >= 4; text_len -= 4, text += 4, out += 3) {
        const uint32_t a = VALUE[text[0]], b = VALUE[text[1]], c = VALUE[text[2]], d = VALUE[text[3]];
        const uint32_t bits = a << 18 | b << 12 | c << 6 | d;
        faults |= a | b | c | d;
        out[0] = (uint8_t)(bits >> 16 & 0xff);
        out[1] = (uint8_t)(bits >> 8 & 0xff);
        out[2] = (uint8_t)(bits & 0xff);
    }
    if (text_len == 3) {
        const uint32_t a = VALUE[text[0]], b = VALUE[text[1]], c = VALUE[text[2]];
        const uint32_t bits = a << 10 | b << 4 | c >> 2;
        faults |= a | b | c | (c & 3) << 7; /* spare bits count as BAD */
        out[0] = (uint8_t)(bits >> 8 & 0xff);
        out[1] = (uint8_t)(bits & 0xff);
    } else if (text_len == 2) {
        const uint32_t a = VALUE[text[0]], b = VALUE[text[1]];
        faults |= a | b | (b & 15) << 7;
        out[0] = (uint8_t)((a << 2 | b >> 4) & 0xff);
    } else if (text_len == 1) {
        return false;
    }
    return (faults & ~UINT32_C(0x3f)) == 0;
}

void base64url_encode(uint8_t *text, const uint8_t *data, size_t data_len)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0; /* the lowest n_bits wait for their character */
    int n_bits = 0;
    for (size_t i = 0; i < data_len; i++) {
        bits = bits << 8 | data[i];
        for (n_bits += 8; n_bits >= 6;) {
            n_bits -= 6;
            *text++ = (uint8_t)alphabet[bits >> n_bits & 63];
        }
    }
    if (n_bits > 0) {
        *text = (uint8_t)alphabet[bits << (6 - n_bits) & 63];
    }
}
