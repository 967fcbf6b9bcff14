/*
 * SipHash (Aumasson, Bernstein: SipHash: a fast short-input PRF, 2012): a keyed hash for tables whose entries strangers
 * choose. Without the key nobody can make entries collide.
 *
 * SipHash-1-3 has one round for each word and three at the end; the paper's own vectors are of SipHash-2-4.
 */
#ifndef SESSIOND_SIPHASH_H
#define SESSIOND_SIPHASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bytes.h"

#define SIPHASH_KEY_LEN 16

typedef struct {
    uint64_t v0, v1, v2, v3;
} siphash_state;

static inline uint64_t siphash_rotate(uint64_t word, int n_bits)
{
    return word << n_bits | word >> (64 - n_bits); /* 0 < n_bits < 64 */
}

static inline void siphash_rounds(siphash_state *s, int n_rounds)
{
    for (int i = 0; i < n_rounds; i++) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = siphash_rotate(s->v1, 13) ^ s->v0;
        s->v3 = siphash_rotate(s->v3, 16) ^ s->v2;
        s->v0 = siphash_rotate(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = siphash_rotate(s->v1, 17) ^ s->v2;
        s->v3 = siphash_rotate(s->v3, 21) ^ s->v0;
        s->v2 = siphash_rotate(s->v2, 32);
    }
}

static inline void siphash_word(siphash_state *s, uint64_t word, int n_rounds)
{
    s->v3 ^= word;
    siphash_rounds(s, n_rounds);
    s->v0 ^= word;
}

/* Hash *data* under *key* with so many rounds for each word and at the end. */
static inline uint64_t siphash(
    const uint8_t key[SIPHASH_KEY_LEN], const uint8_t *data, size_t data_len, int n_word_rounds, int n_end_rounds)
{
    const uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
    siphash_state s = {
        k0 ^ UINT64_C(0x736f6d6570736575),
        k1 ^ UINT64_C(0x646f72616e646f6d),
        k0 ^ UINT64_C(0x6c7967656e657261),
        k1 ^ UINT64_C(0x7465646279746573),
    };
    const size_t n_whole = data_len / 8, rest_len = data_len % 8;
    for (size_t i = 0; i < n_whole; i++) {
        siphash_word(&s, load_le64(data + 8 * i), n_word_rounds);
    }
    uint8_t last[8] = {0, 0, 0, 0, 0, 0, 0, (uint8_t)(data_len & 0xff)};
    if (rest_len > 0) {
        memcpy(last, data + 8 * n_whole, rest_len);
    }
    siphash_word(&s, load_le64(last), n_word_rounds);
    s.v2 ^= 0xff;
    siphash_rounds(&s, n_end_rounds);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static inline uint64_t siphash13(const uint8_t key[SIPHASH_KEY_LEN], const uint8_t *data, size_t data_len)
{
    return siphash(key, data, data_len, 1, 3);
}

#endif
