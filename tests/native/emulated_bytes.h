/* The instructions on bytes and on numbers of 16 bits, for emulated_avx512.h, which includes this. */
#ifndef SESSIOND_TESTS_EMULATED_BYTES_H
#define SESSIOND_TESTS_EMULATED_BYTES_H

EMULATED __m512i _mm512_permutexvar_epi16(__m512i index, __m512i a)
{
    EMULATED_PARTS(uint16_t, 32, place, index);
    EMULATED_PARTS(uint16_t, 32, x, a);
    uint16_t made[32];
    for (int i = 0; i < 32; i++) {
        made[i] = x[place[i] & 31];
    }
    memcpy(&a, made, sizeof a);
    return a;
}

EMULATED __m512i _mm512_permutexvar_epi8(__m512i index, __m512i a)
{
    EMULATED_PARTS(uint8_t, 64, place, index);
    EMULATED_PARTS(uint8_t, 64, x, a);
    uint8_t made[64];
    for (int i = 0; i < 64; i++) {
        made[i] = x[place[i] & 63];
    }
    memcpy(&a, made, sizeof a);
    return a;
}

/* Bit 6 of an index chooses b; bit 7 is not looked at. */
EMULATED __m512i _mm512_permutex2var_epi8(__m512i a, __m512i index, __m512i b)
{
    EMULATED_PARTS(uint8_t, 64, place, index);
    EMULATED_PARTS(uint8_t, 64, x, a);
    EMULATED_PARTS(uint8_t, 64, y, b);
    uint8_t made[64];
    for (int i = 0; i < 64; i++) {
        made[i] = (place[i] & 64 ? y : x)[place[i] & 63];
    }
    memcpy(&a, made, sizeof a);
    return a;
}

/* Within each 16 bytes; an index with its upper bit set gives 0. */
EMULATED __m512i _mm512_shuffle_epi8(__m512i a, __m512i index)
{
    EMULATED_PARTS(uint8_t, 64, x, a);
    EMULATED_PARTS(uint8_t, 64, place, index);
    uint8_t made[64];
    for (int i = 0; i < 64; i++) {
        made[i] = place[i] & 0x80 ? 0 : x[(i & 0x30) + (place[i] & 0x0f)];
    }
    memcpy(&a, made, sizeof a);
    return a;
}

/* Products of bytes, those of a without a sign and those of b with one; the sum of two stops at what 16 bits hold. */
EMULATED __m512i _mm512_maddubs_epi16(__m512i a, __m512i b)
{
    EMULATED_PARTS(uint8_t, 64, x, a);
    EMULATED_PARTS(int8_t, 64, y, b);
    int16_t made[32];
    for (int i = 0; i < 32; i++) {
        const int sum = x[2 * i] * y[2 * i] + x[2 * i + 1] * y[2 * i + 1];
        made[i] = (int16_t)(sum > INT16_MAX ? INT16_MAX : sum < INT16_MIN ? INT16_MIN : sum);
    }
    memcpy(&a, made, sizeof a);
    return a;
}

/* The sum of two products of numbers with a sign wraps around where all four are the least. */
EMULATED __m512i _mm512_madd_epi16(__m512i a, __m512i b)
{
    EMULATED_PARTS(int16_t, 32, x, a);
    EMULATED_PARTS(int16_t, 32, y, b);
    uint32_t made[16];
    for (int i = 0; i < 16; i++) {
        made[i] = (uint32_t)(x[2 * i] * y[2 * i]) + (uint32_t)(x[2 * i + 1] * y[2 * i + 1]);
    }
    memcpy(&a, made, sizeof a);
    return a;
}

EMULATED __mmask64 _mm512_movepi8_mask(__m512i a)
{
    EMULATED_PARTS(uint8_t, 64, x, a);
    uint64_t made = 0;
    for (int i = 0; i < 64; i++) {
        made |= (uint64_t)(x[i] >> 7) << i;
    }
    return made;
}

EMULATED __mmask64 _mm512_test_epi8_mask(__m512i a, __m512i b)
{
    EMULATED_PARTS(uint8_t, 64, x, a);
    EMULATED_PARTS(uint8_t, 64, y, b);
    uint64_t made = 0;
    for (int i = 0; i < 64; i++) {
        made |= (uint64_t)((x[i] & y[i]) != 0) << i;
    }
    return made;
}

EMULATED __m512i _mm512_set1_epi8(char a)
{
    __m512i made;
    memset(&made, a, sizeof made);
    return made;
}

/* Bytes whose bit is not set are neither read nor written in memory. */
EMULATED __m512i _mm512_mask_loadu_epi8(__m512i source, __mmask64 mask, const void *from)
{
    EMULATED_PARTS(uint8_t, 64, x, source);
    for (int i = 0; i < 64; i++) {
        if (mask >> i & 1) {
            x[i] = ((const uint8_t *)from)[i];
        }
    }
    memcpy(&source, x, sizeof source);
    return source;
}

EMULATED void _mm512_mask_storeu_epi8(void *to, __mmask64 mask, __m512i a)
{
    EMULATED_PARTS(uint8_t, 64, x, a);
    for (int i = 0; i < 64; i++) {
        if (mask >> i & 1) {
            ((uint8_t *)to)[i] = x[i];
        }
    }
}

#endif
