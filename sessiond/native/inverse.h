/*
 * Inverses modulo p by division steps (Bernstein and Yang, "Fast constant-time gcd computation and modular inversion",
 * 2019), in variable time: more than twice as fast as a power.
 *
 * A division step takes (delta, f, g), where f is odd, to (1 - delta, g, (g - f) / 2) if delta > 0 and g is odd, else
 * to (1 + delta, f, (g + (g mod 2) f) / 2). From (1, p, x) with 0 < x < p it reaches g = 0 and f = 1 or -1 in at most
 * 738 steps (theorem 11.2). Only the low 62 bits of f and g decide 62 steps, which are one matrix over 2^62. It is
 * applied to f and g whole, and to d and e, for which d x = f and e x = g modulo p throughout.
 *
 * Signed numbers are shifted to the right: every compiler that has 128-bit integers rounds down.
 */
#ifndef SESSIOND_INVERSE_H
#define SESSIOND_INVERSE_H

#include <stdbool.h>
#include <stdint.h>

#include "field.h"

#define INVERSE_LIMBS 5
#define INVERSE_LIMB_BITS 62
#define INVERSE_LIMB_MASK ((UINT64_C(1) << 62) - 1)
#define INVERSE_STEPS INVERSE_LIMB_BITS

__extension__ typedef __int128 int128;

/* The sum of limb[i] * 2^(62 i): limbs in [0, 2^62), but for the top one, which has the sign. */
typedef struct {
    int64_t limb[INVERSE_LIMBS];
} inverse_number;

/* 2^62 times what INVERSE_STEPS steps do to (f, g): |u| + |v| <= 2^62 and |q| + |r| <= 2^62. */
typedef struct {
    int64_t u, v, q, r;
} inverse_matrix;

/* p = 128 * 2^(62 * 4) - 19, and 1/p modulo 2^62. */
#define INVERSE_P_TOP 128
#define INVERSE_P_LOW (-19)
#define INVERSE_P_INVERSE UINT64_C(0x39435e50d79435e5)
static const inverse_number INVERSE_P = {
    {0x3fffffffffffffed, 0x3fffffffffffffff, 0x3fffffffffffffff, 0x3fffffffffffffff, INVERSE_P_TOP - 1}};

static inline void inverse_from_words(inverse_number *number, const uint64_t words[4])
{
    number->limb[0] = (int64_t)(words[0] & INVERSE_LIMB_MASK);
    number->limb[1] = (int64_t)((words[0] >> 62 | words[1] << 2) & INVERSE_LIMB_MASK);
    number->limb[2] = (int64_t)((words[1] >> 60 | words[2] << 4) & INVERSE_LIMB_MASK);
    number->limb[3] = (int64_t)((words[2] >> 58 | words[3] << 6) & INVERSE_LIMB_MASK);
    number->limb[4] = (int64_t)(words[3] >> 56);
}

/* out = a number in (-2p, p), or minus it. Leaves limbs <= FIELD_CARRIED_MAX. */
static inline void inverse_to_field(field *out, const inverse_number *number, bool negated)
{
    /* 2p added to what is negative gives a number in [0, 2p), which four words hold. */
    const int64_t sign = negated ? -1 : 0;
    const int64_t is_negative = (number->limb[INVERSE_LIMBS - 1] ^ sign) >> 63;
    uint64_t limb[INVERSE_LIMBS];
    int64_t carry = is_negative & (2 * INVERSE_P_LOW);
    for (int i = 0; i < INVERSE_LIMBS; i++) {
        carry += (number->limb[i] ^ sign) - sign;
        limb[i] = (uint64_t)carry & INVERSE_LIMB_MASK;
        carry >>= INVERSE_LIMB_BITS;
    }
    limb[INVERSE_LIMBS - 1] += (uint64_t)is_negative & (2 * INVERSE_P_TOP);
    const uint64_t words[4] = {
        limb[0] | limb[1] << 62,
        limb[1] >> 2 | limb[2] << 60,
        limb[2] >> 4 | limb[3] << 58,
        limb[3] >> 6 | limb[4] << 56,
    };
    field_from_words(out, words);
    out->limb[0] += 19 * (words[3] >> 63); /* 2^255 = 19 */
}

/* Take INVERSE_STEPS steps on the low words of f and g; return the delta after them. */
static inline int64_t inverse_steps(inverse_matrix *matrix, int64_t delta, uint64_t f, uint64_t g)
{
    /* Unsigned, because only values modulo 2^64 count on the way; the matrix fits 64 bits with its signs. */
    uint64_t u = 1, v = 0, q = 0, r = 1;
    int left = INVERSE_STEPS;
    for (;;) {
        /* A step for every zero at the end of g; instead of halving q and r, u and v are doubled. */
        const int zeros = __builtin_ctzll(g | UINT64_C(1) << left);
        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        delta += zeros;
        left -= zeros;
        if (left == 0) {
            break;
        }
        if (delta > 0) {
            const uint64_t old_f = f, old_u = u, old_v = v;
            f = g;
            u = q;
            v = r;
            g = 0 - old_f;
            q = 0 - old_u;
            r = 0 - old_v;
            delta = -delta;
        }
        /* The next 1 - delta steps only add multiples of f to g: one multiple that clears 6 bits does 6 of them. */
        int64_t n_bits = 1 - delta < left ? 1 - delta : left;
        n_bits = n_bits < 6 ? n_bits : 6;
        const uint64_t mask = (UINT64_C(1) << n_bits) - 1;
        const uint64_t multiple = g * f * (f * f - 2) & mask; /* f (2 - f^2) is 1/f modulo 2^6 for every odd f */
        g += multiple * f;
        q += multiple * u;
        r += multiple * v;
    }
    matrix->u = (int64_t)u;
    matrix->v = (int64_t)v;
    matrix->q = (int64_t)q;
    matrix->r = (int64_t)r;
    return delta;
}

/* (f, g) = matrix (f, g) / 2^62, which leaves no rest. */
static inline void inverse_apply(inverse_number *f, inverse_number *g, const inverse_matrix *matrix)
{
    int128 a = 0, b = 0;
    for (int i = 0; i < INVERSE_LIMBS; i++) {
        const int128 f_i = f->limb[i], g_i = g->limb[i];
        a += matrix->u * f_i + matrix->v * g_i;
        b += matrix->q * f_i + matrix->r * g_i;
        if (i > 0) {
            f->limb[i - 1] = (int64_t)((uint64_t)a & INVERSE_LIMB_MASK);
            g->limb[i - 1] = (int64_t)((uint64_t)b & INVERSE_LIMB_MASK);
        }
        a >>= INVERSE_LIMB_BITS;
        b >>= INVERSE_LIMB_BITS;
    }
    f->limb[INVERSE_LIMBS - 1] = (int64_t)a;
    g->limb[INVERSE_LIMBS - 1] = (int64_t)b;
}

/*
 * The k for which x d + y e + k p is a multiple of 2^62 and lies in 2^62 (-2p, p), given |x| + |y| <= 2^62.
 *
 * A negative d or e counts as the number plus p: then both lie in (-p, p), and k - 2^62 < k' <= k for the k of that.
 */
static inline int64_t inverse_correction(int64_t x, int64_t y, const inverse_number *d, const inverse_number *e)
{
    const int64_t k = (x & d->limb[INVERSE_LIMBS - 1] >> 63) + (y & e->limb[INVERSE_LIMBS - 1] >> 63);
    const uint64_t low = (uint64_t)x * (uint64_t)d->limb[0] + (uint64_t)y * (uint64_t)e->limb[0];
    return k - (int64_t)((INVERSE_P_INVERSE * low + (uint64_t)k) & INVERSE_LIMB_MASK);
}

/* (d, e) = matrix (d, e) / 2^62 modulo p. Needs and leaves both in (-2p, p). */
static inline void inverse_apply_modulo_p(inverse_number *d, inverse_number *e, const inverse_matrix *matrix)
{
    const int128 k = inverse_correction(matrix->u, matrix->v, d, e), l = inverse_correction(matrix->q, matrix->r, d, e);
    int128 a = k * INVERSE_P_LOW, b = l * INVERSE_P_LOW;
    for (int i = 0; i < INVERSE_LIMBS; i++) {
        const int128 d_i = d->limb[i], e_i = e->limb[i];
        a += matrix->u * d_i + matrix->v * e_i;
        b += matrix->q * d_i + matrix->r * e_i;
        if (i == INVERSE_LIMBS - 1) {
            a += k * INVERSE_P_TOP;
            b += l * INVERSE_P_TOP;
        }
        if (i > 0) {
            d->limb[i - 1] = (int64_t)((uint64_t)a & INVERSE_LIMB_MASK);
            e->limb[i - 1] = (int64_t)((uint64_t)b & INVERSE_LIMB_MASK);
        }
        a >>= INVERSE_LIMB_BITS;
        b >>= INVERSE_LIMB_BITS;
    }
    d->limb[INVERSE_LIMBS - 1] = (int64_t)a;
    e->limb[INVERSE_LIMBS - 1] = (int64_t)b;
}

/* inverse = 1/a, and 0 for a = 0. Needs limbs <= FIELD_FACTOR_MAX; leaves limbs <= FIELD_CARRIED_MAX. */
static inline void field_invert(field *inverse, const field *a)
{
    inverse_number f = INVERSE_P, g, d = {{0, 0, 0, 0, 0}}, e = {{1, 0, 0, 0, 0}};
    uint64_t words[4];
    field_to_words(words, a);
    inverse_from_words(&g, words);
    int64_t delta = 1;
    while ((g.limb[0] | g.limb[1] | g.limb[2] | g.limb[3] | g.limb[4]) != 0) {
        const uint64_t f_low = (uint64_t)f.limb[0] | (uint64_t)f.limb[1] << 62;
        const uint64_t g_low = (uint64_t)g.limb[0] | (uint64_t)g.limb[1] << 62;
        inverse_matrix matrix;
        delta = inverse_steps(&matrix, delta, f_low, g_low);
        inverse_apply(&f, &g, &matrix);
        inverse_apply_modulo_p(&d, &e, &matrix);
    }
    inverse_to_field(inverse, &d, f.limb[INVERSE_LIMBS - 1] < 0); /* d a = f = 1 or -1 */
}

#endif
