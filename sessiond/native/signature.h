/*
 * What every implementation does to a signature before and after the multiplication of points.
 *
 * The rule is that of the libsodium releases 1.0.18 to 1.0.22: RFC 8032, section 5.1.7, without cofactor, and strict:
 * S < L; A canonical and not of small order; R not of small order; the encoding of [S]B - [k]A equals R byte for byte.
 */
#ifndef SESSIOND_SIGNATURE_H
#define SESSIOND_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ed25519.h"
#include "group.h"
#include "scalar.h"
#include "sha512.h"

/* Read S and compute k = SHA-512(R, A, M) modulo L; return false, before any hashing, when S is not below L. */
static inline bool signature_scalars(
    scalar *S, scalar *k, const uint8_t A[ED25519_PUBLIC_KEY_LEN], const uint8_t *message, size_t message_len,
    const uint8_t signature[ED25519_SIGNATURE_LEN])
{
    if (!scalar_from_bytes(S, signature + POINT_LEN)) {
        return false;
    }
    sha512 hash;
    sha512_init(&hash);
    sha512_update(&hash, signature, POINT_LEN);
    sha512_update(&hash, A, ED25519_PUBLIC_KEY_LEN);
    sha512_update(&hash, message, message_len);
    sha512_final(&hash);
    uint64_t digest[8];
    for (int i = 0; i < 8; i++) {
        digest[i] = __builtin_bswap64(hash.state[i]); /* bytes big-endian out of SHA-512, little-endian into a scalar */
    }
    scalar_reduce(k, digest);
    return true;
}

/* Tell whether R is the encoding of the point P = [S]B - [k]A with 1/Z = z_inverse, and is not of small order. */
static inline bool signature_matches(
    const uint8_t signature[ED25519_SIGNATURE_LEN], const point *P, const field *z_inverse)
{
    field x, y;
    uint64_t encoding[4];
    field_mul(&x, &P->X, z_inverse);
    field_mul(&y, &P->Y, z_inverse);
    point_encode(encoding, &x, &y);
    uint64_t difference = 0;
    for (int i = 0; i < 4; i++) {
        difference |= encoding[i] ^ load_le64(signature + 8 * i);
    }
    return difference == 0 && !point_encoding_is_small_order(signature);
}

#endif
