/* Base64url with AVX-512 VBMI: 64 characters at a time, for the implementation avx512ifma. */
#include "implementation.h"

#ifdef HAS_AVX512IFMA

#include "base64url.h"
#include "instructions.h"

FOR_THE_INSTRUCTIONS

#include "avx512.h"

enum {
    TEXT_STEP = 64,
    STEP = BASE64URL_DECODED_LEN(TEXT_STEP),
};

/* Which byte of the words of 24 bits, least significant byte first, comes where; above STEP, one that is always 0. */
static const uint8_t BYTE_AT[64] = {
    2,  1,  0,  6,  5,  4,  10, 9,  8,  14, 13, 12, 18, 17, 16, 22, 21, 20, 26, 25, 24, 30,
    29, 28, 34, 33, 32, 38, 37, 36, 42, 41, 40, 46, 45, 44, 50, 49, 48, 54, 53, 52, 58, 57,
    56, 62, 61, 60, 3,  3,  3,  3,  3,  3,  3,  3,  3,  3,  3,  3,  3,  3,  3,  3,
};

bool base64url_decode_avx512vbmi(uint8_t *out, const uint8_t *text, size_t text_len)
{
    if (text_len % 4 == 1) {
        return false;
    }
    const lanes value_low = lanes_load(BASE64URL_VALUE), value_high = lanes_load(BASE64URL_VALUE + 64);
    const lanes byte_at = lanes_load(BYTE_AT);
    const lanes zeros = _mm512_set1_epi8('A'); /* characters that spell zeros, where there is no text */
    lanes faults = _mm512_setzero_si512();
    uint64_t spare = 0; /* a bit for each byte beyond the last one that is not 0: only spare bits come there */
    size_t out_len = BASE64URL_DECODED_LEN(text_len);
    while (text_len > 0) {
        const size_t n_characters = text_len < TEXT_STEP ? text_len : TEXT_STEP;
        const size_t n_bytes = out_len < STEP ? out_len : STEP;
        const lanes characters = _mm512_mask_loadu_epi8(zeros, UINT64_MAX >> (TEXT_STEP - n_characters), text);
        /* The upper bit of a character is not looked up: it is a fault by itself. */
        const lanes value = _mm512_permutex2var_epi8(value_low, characters, value_high);
        faults = _mm512_ternarylogic_epi64(faults, characters, value, 0xfe); /* or */
        /* Pairs of 6 bits to 12, pairs of 12 to 24: the first of a pair is the more significant. */
        const lanes of_12 = _mm512_maddubs_epi16(value, _mm512_set1_epi32(0x01400140));
        const lanes of_24 = _mm512_madd_epi16(of_12, _mm512_set1_epi32(0x00011000));
        const lanes bytes = _mm512_permutexvar_epi8(byte_at, of_24);
        if (out_len >= sizeof bytes) {
            lanes_store(out, bytes); /* those beyond STEP are written again in the next step */
        } else {
            spare |= _mm512_test_epi8_mask(bytes, bytes) >> n_bytes;
            _mm512_mask_storeu_epi8(out, UINT64_MAX >> (sizeof bytes - n_bytes), bytes);
        }
        text += n_characters;
        text_len -= n_characters;
        out += n_bytes;
        out_len -= n_bytes;
    }
    return _mm512_movepi8_mask(faults) == 0 && spare == 0;
}

FOR_ANY_MACHINE

#endif
