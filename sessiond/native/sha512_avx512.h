/*
 * SHA-512 (FIPS 180-4) of the messages R || A || M of signatures, eight blocks at a time.
 *
 * The lanes hold blocks of eight messages in a batch, or eight blocks of one message: the expansion of a block into 80
 * words needs nothing from the block before it, only the rounds do.
 */
#ifndef SESSIOND_SHA512_AVX512_H
#define SESSIOND_SHA512_AVX512_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "avx512.h"
#include "bytes.h"
#include "sha512.h"

#define SHA512_ROUNDS 80
#define SHA512_HEAD_LEN 64 /* R and A */

/* A message in blocks. Those that hold R, A or padding are copies in *ends*, the others lie in M, which is borrowed. */
typedef struct {
    const uint8_t *M;
    size_t n_whole; /* blocks without padding */
    size_t n_blocks;
    uint8_t ends[3 * SHA512_BLOCK_LEN];
} sha512_text;

static inline void sha512_text_init(
    sha512_text *text, const uint8_t R[32], const uint8_t A[32], const uint8_t *M, size_t M_len)
{
    const size_t len = SHA512_HEAD_LEN + M_len, rest = len % SHA512_BLOCK_LEN;
    text->M = M;
    text->n_whole = len / SHA512_BLOCK_LEN;
    text->n_blocks = text->n_whole + (rest < SHA512_BLOCK_LEN - SHA512_LEN_FIELD ? 1 : 2);
    memset(text->ends, 0, sizeof text->ends);
    memcpy(text->ends, R, 32);
    memcpy(text->ends + 32, A, 32);
    /* With a whole block, it comes first and the padded ones after it; else the first block is padded itself. */
    uint8_t *padded = text->ends;
    if (text->n_whole > 0) {
        memcpy(text->ends + SHA512_HEAD_LEN, M, SHA512_BLOCK_LEN - SHA512_HEAD_LEN);
        padded += SHA512_BLOCK_LEN;
        memcpy(padded, M + (M_len - rest), rest);
    } else if (M_len > 0) { /* an empty M may be NULL */
        memcpy(text->ends + SHA512_HEAD_LEN, M, M_len);
    }
    padded[rest] = 0x80;
    store_be64(padded + (text->n_blocks - text->n_whole) * SHA512_BLOCK_LEN - 8, (uint64_t)len * 8);
}

/* The bytes of a block; of the last one beyond the end. */
static inline const uint8_t *sha512_text_block(const sha512_text *text, size_t i)
{
    if (i >= text->n_blocks) {
        i = text->n_blocks - 1;
    }
    if (i >= text->n_whole) {
        return text->ends + (i - text->n_whole + (text->n_whole > 0)) * SHA512_BLOCK_LEN;
    }
    return i == 0 ? text->ends : text->M + (i * SHA512_BLOCK_LEN - SHA512_HEAD_LEN);
}

LANES_INLINE lanes sha512_xor8(lanes a, lanes b, lanes c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

/* Turn eight rows of eight words around: lane l of word[i] is word i of row[l]. */
LANES_INLINE void sha512_from_rows_8(lanes word[8], const uint8_t *const row[N_LANES], size_t offset)
{
    LANES_UNROLL
    for (int half = 0; half < 2; half++) {
        const void *at[N_LANES];
        LANES_UNROLL
        for (int l = 0; l < N_LANES; l++) {
            at[l] = row[l] + offset + 32 * half;
        }
        lanes_from_rows_4(word + 4 * half, at);
    }
}

/* W_0 .. W_15 of FIPS 180-4, section 6.4.2, of a block in each lane. */
LANES_INLINE void sha512_words8(lanes w[16], const uint8_t *const block[N_LANES])
{
    const lanes swap_bytes = _mm512_set4_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607);
    sha512_from_rows_8(w, block, 0);
    sha512_from_rows_8(w + 8, block, SHA512_BLOCK_LEN / 2);
    LANES_UNROLL
    for (int i = 0; i < 16; i++) {
        w[i] = _mm512_shuffle_epi8(w[i], swap_bytes);
    }
}

/* W_(t + 16) in the place of W_t, i being t modulo 16. */
LANES_INLINE void sha512_next8(lanes w[16], int i)
{
    const lanes x = w[(i + 1) & 15], y = w[(i + 14) & 15];
    const lanes s0 = sha512_xor8(_mm512_ror_epi64(x, 1), _mm512_ror_epi64(x, 8), _mm512_srli_epi64(x, 7));
    const lanes s1 = sha512_xor8(_mm512_ror_epi64(y, 19), _mm512_ror_epi64(y, 61), _mm512_srli_epi64(y, 6));
    w[i] = _mm512_add_epi64(_mm512_add_epi64(w[i], s0), _mm512_add_epi64(w[(i + 9) & 15], s1));
}

/* Expand a block in each lane: wk[t] = W_t + K_t. */
static inline void sha512_expand8(lanes wk[SHA512_ROUNDS], const uint8_t *const block[N_LANES])
{
    lanes w[16];
    sha512_words8(w, block);
    for (int t = 0;; t += 16) {
        LANES_UNROLL
        for (int i = 0; i < 16; i++) {
            wk[t + i] = _mm512_add_epi64(w[i], lanes_all(SHA512_K[t + i]));
        }
        if (t == 64) {
            return;
        }
        LANES_UNROLL
        for (int i = 0; i < 16; i++) {
            sha512_next8(w, i);
        }
    }
}

/* Round t in each lane, i being t modulo 16: a is v[-t], b is v[1 - t] and so on modulo 8, so that nothing moves. */
LANES_INLINE void sha512_round8(lanes v[8], int i, lanes word, uint64_t constant)
{
    const lanes a = v[(16 - i) & 7], b = v[(17 - i) & 7], c = v[(18 - i) & 7];
    const lanes e = v[(20 - i) & 7], f = v[(21 - i) & 7], g = v[(22 - i) & 7], h = v[(23 - i) & 7];
    const lanes sum_e = sha512_xor8(_mm512_ror_epi64(e, 14), _mm512_ror_epi64(e, 18), _mm512_ror_epi64(e, 41));
    const lanes sum_a = sha512_xor8(_mm512_ror_epi64(a, 28), _mm512_ror_epi64(a, 34), _mm512_ror_epi64(a, 39));
    const lanes choice = _mm512_ternarylogic_epi64(e, f, g, 0xca);
    const lanes majority = _mm512_ternarylogic_epi64(a, b, c, 0xe8);
    const lanes wk = _mm512_add_epi64(word, lanes_all(constant));
    const lanes t1 = _mm512_add_epi64(_mm512_add_epi64(h, wk), _mm512_add_epi64(sum_e, choice));
    v[(19 - i) & 7] = _mm512_add_epi64(v[(19 - i) & 7], t1);
    v[(23 - i) & 7] = _mm512_add_epi64(t1, _mm512_add_epi64(sum_a, majority));
}

/*
 * Take a block in each lane of *active*. The words of later rounds are made between rounds: the one has work for the
 * units that shift while the other waits for its additions.
 */
static inline void sha512_block8(lanes state[8], const uint8_t *const block[N_LANES], lanes_mask active)
{
    lanes w[16], v[8];
    sha512_words8(w, block);
    LANES_UNROLL
    for (int i = 0; i < 8; i++) {
        v[i] = state[i];
    }
    for (int t = 0; t < SHA512_ROUNDS - 16; t += 16) {
        LANES_UNROLL
        for (int i = 0; i < 16; i++) {
            sha512_round8(v, i, w[i], SHA512_K[t + i]);
            sha512_next8(w, i);
        }
    }
    LANES_UNROLL
    for (int i = 0; i < 16; i++) {
        sha512_round8(v, i, w[i], SHA512_K[SHA512_ROUNDS - 16 + i]);
    }
    LANES_UNROLL
    for (int i = 0; i < 8; i++) {
        state[i] = _mm512_mask_add_epi64(state[i], active, state[i], v[i]);
    }
}

/* The 80 rounds of the block that was expanded in one lane. */
static inline void sha512_rounds(uint64_t state[8], const lanes wk[SHA512_ROUNDS], int lane)
{
    uint64_t v[8];
    memcpy(v, state, sizeof v);
    uint64_t b_xor_c = v[1] ^ v[2];
    for (int t = 0; t < SHA512_ROUNDS; t += 8) {
        LANES_UNROLL
        for (int i = 0; i < 8; i++) {
            const uint64_t a = v[(8 - i) & 7], b = v[(9 - i) & 7];
            const uint64_t e = v[(12 - i) & 7], f = v[(13 - i) & 7], g = v[(14 - i) & 7], h = v[(15 - i) & 7];
            uint64_t word;
            memcpy(&word, (const uint8_t *)&wk[t + i] + sizeof word * (size_t)lane, sizeof word);
            const uint64_t t1 = h + word + (g ^ (e & (f ^ g))) +
                                (sha512_rotate(e, 14) ^ sha512_rotate(e, 18) ^ sha512_rotate(e, 41));
            /* The majority of a, b and c is b, unless both others differ from it; a ^ b is b ^ c in the next round. */
            const uint64_t a_xor_b = a ^ b;
            v[(11 - i) & 7] += t1;
            v[(15 - i) & 7] = t1 + (sha512_rotate(a, 28) ^ sha512_rotate(a, 34) ^ sha512_rotate(a, 39)) +
                              (b ^ (a_xor_b & b_xor_c));
            b_xor_c = a_xor_b;
        }
    }
    for (int i = 0; i < 8; i++) {
        state[i] += v[i];
    }
}

/* The digests of eight messages of any lengths, in words: state[i] of each. */
static inline void sha512_of_texts(lanes state[8], const sha512_text text[N_LANES])
{
    size_t n_blocks = 0;
    for (int l = 0; l < N_LANES; l++) {
        n_blocks = text[l].n_blocks > n_blocks ? text[l].n_blocks : n_blocks;
    }
    for (int i = 0; i < 8; i++) {
        state[i] = lanes_all(SHA512_INITIAL[i]);
    }
    for (size_t i = 0; i < n_blocks; i++) {
        const uint8_t *block[N_LANES];
        unsigned active = 0;
        for (int l = 0; l < N_LANES; l++) {
            block[l] = sha512_text_block(&text[l], i);
            const uint8_t *next = sha512_text_block(&text[l], i + 1);
            __builtin_prefetch(next);
            __builtin_prefetch(next + 64);
            __builtin_prefetch(next + 127);
            active |= (unsigned)(i < text[l].n_blocks) << l;
        }
        sha512_block8(state, block, (lanes_mask)active);
    }
}

/* The digest of one message, in words. */
static inline void sha512_of_text(uint64_t state[8], const sha512_text *text)
{
    lanes wk[SHA512_ROUNDS];
    memcpy(state, SHA512_INITIAL, sizeof SHA512_INITIAL);
    for (size_t done = 0; done < text->n_blocks; done += N_LANES) {
        const uint8_t *block[N_LANES];
        for (size_t l = 0; l < N_LANES; l++) {
            block[l] = sha512_text_block(text, done + l);
        }
        sha512_expand8(wk, block);
        for (size_t l = 0; l < N_LANES && done + l < text->n_blocks; l++) {
            sha512_rounds(state, wk, (int)l);
        }
    }
}

#endif
