/* SHA-512 (FIPS 180-4) of a message given in pieces. */
#ifndef SESSIOND_SHA512_H
#define SESSIOND_SHA512_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bytes.h"

#define SHA512_BLOCK_LEN 128
#define SHA512_LEN_FIELD 16 /* the length in bits, at the end of the last block */

typedef struct {
    uint64_t state[8];
    uint64_t message_len;
    uint8_t block[SHA512_BLOCK_LEN]; /* its first message_len % 128 bytes wait for the rest */
} sha512;

/* The first 64 bits of the fractions of the cube roots of the first 80 primes. */
static const uint64_t SHA512_K[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

/* The first 64 bits of the fractions of the square roots of the first eight primes. */
static const uint64_t SHA512_INITIAL[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

static inline uint64_t sha512_rotate(uint64_t word, int bits)
{
    return word >> bits | word << (64 - bits);
}

/* Sixteen rounds need no move of the eight working variables: the names are rotated instead. */
#define SHA512_ROUND(a, b, c, d, e, f, g, h, i)                                                                        \
    do {                                                                                                               \
        const uint64_t t1 = (h) + (sha512_rotate(e, 14) ^ sha512_rotate(e, 18) ^ sha512_rotate(e, 41)) +               \
                            ((g) ^ ((e) & ((f) ^ (g)))) + SHA512_K[round + (i)] + w[i];                                \
        (d) += t1;                                                                                                     \
        (h) = t1 + (sha512_rotate(a, 28) ^ sha512_rotate(a, 34) ^ sha512_rotate(a, 39)) +                              \
              (((a) & (b)) | ((c) & ((a) | (b))));                                                                     \
    } while (0)

static inline void sha512_compress(uint64_t state[8], const uint8_t *blocks, size_t n_blocks)
{
    for (; n_blocks > 0; n_blocks--, blocks += SHA512_BLOCK_LEN) {
        uint64_t w[16];
        for (int i = 0; i < 16; i++) {
            w[i] = load_be64(blocks + 8 * i);
        }
        uint64_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint64_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int round = 0;; round += 16) {
            SHA512_ROUND(a, b, c, d, e, f, g, h, 0);
            SHA512_ROUND(h, a, b, c, d, e, f, g, 1);
            SHA512_ROUND(g, h, a, b, c, d, e, f, 2);
            SHA512_ROUND(f, g, h, a, b, c, d, e, 3);
            SHA512_ROUND(e, f, g, h, a, b, c, d, 4);
            SHA512_ROUND(d, e, f, g, h, a, b, c, 5);
            SHA512_ROUND(c, d, e, f, g, h, a, b, 6);
            SHA512_ROUND(b, c, d, e, f, g, h, a, 7);
            SHA512_ROUND(a, b, c, d, e, f, g, h, 8);
            SHA512_ROUND(h, a, b, c, d, e, f, g, 9);
            SHA512_ROUND(g, h, a, b, c, d, e, f, 10);
            SHA512_ROUND(f, g, h, a, b, c, d, e, 11);
            SHA512_ROUND(e, f, g, h, a, b, c, d, 12);
            SHA512_ROUND(d, e, f, g, h, a, b, c, 13);
            SHA512_ROUND(c, d, e, f, g, h, a, b, 14);
            SHA512_ROUND(b, c, d, e, f, g, h, a, 15);
            if (round == 64) {
                break;
            }
            for (int i = 0; i < 16; i++) {
                const uint64_t x = w[(i + 1) & 15], y = w[(i + 14) & 15];
                w[i] += (sha512_rotate(x, 1) ^ sha512_rotate(x, 8) ^ x >> 7) + w[(i + 9) & 15] +
                        (sha512_rotate(y, 19) ^ sha512_rotate(y, 61) ^ y >> 6);
            }
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
        state[5] += f;
        state[6] += g;
        state[7] += h;
    }
}

#undef SHA512_ROUND

static inline void sha512_init(sha512 *hash)
{
    memcpy(hash->state, SHA512_INITIAL, sizeof SHA512_INITIAL);
    hash->message_len = 0;
}

/* Append *piece*. A whole message is at most 2^61 - 1 bytes, more than any address space holds. */
static inline void sha512_update(sha512 *hash, const uint8_t *piece, size_t piece_len)
{
    if (piece_len == 0) {
        return; /* an empty piece may be NULL */
    }
    const size_t waiting = hash->message_len % SHA512_BLOCK_LEN;
    hash->message_len += piece_len;
    if (waiting > 0) {
        const size_t room = SHA512_BLOCK_LEN - waiting;
        const size_t taken = piece_len < room ? piece_len : room;
        memcpy(hash->block + waiting, piece, taken);
        if (taken < room) {
            return;
        }
        sha512_compress(hash->state, hash->block, 1);
        piece += taken;
        piece_len -= taken;
    }
    sha512_compress(hash->state, piece, piece_len / SHA512_BLOCK_LEN);
    const size_t rest = piece_len % SHA512_BLOCK_LEN;
    memcpy(hash->block, piece + (piece_len - rest), rest);
}

/* End the message; the digest is state[0..7], each word big-endian. */
static inline void sha512_final(sha512 *hash)
{
    size_t used = hash->message_len % SHA512_BLOCK_LEN;
    hash->block[used++] = 0x80;
    if (used > SHA512_BLOCK_LEN - SHA512_LEN_FIELD) {
        memset(hash->block + used, 0, SHA512_BLOCK_LEN - used);
        sha512_compress(hash->state, hash->block, 1);
        used = 0;
    }
    memset(hash->block + used, 0, SHA512_BLOCK_LEN - 8 - used);
    store_be64(hash->block + SHA512_BLOCK_LEN - 8, hash->message_len * 8);
    sha512_compress(hash->state, hash->block, 1);
}

#endif
