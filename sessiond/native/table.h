/*
 * Multiples of one point, so that [s]P needs additions only and no doubling.
 *
 * A scalar below L has 253 bits. They are cut into windows as evenly as can be, the wider ones first. One of w bits
 * that begins at bit b holds 0, 1, ..., 2^(w - 1) times 2^b P. A scalar is a sum of one signed digit for each window; a
 * negative digit takes the entry of its absolute value with the sign turned. Entry 0 is the neutral element, so that no
 * digit is an exception and lanes need no branch.
 *
 * Fewer windows are added up faster and take more memory. A table tells its own windows and holds no address: tables of
 * different sizes go together, and one that lies in a file can be mapped into many processes.
 */
#ifndef SESSIOND_TABLE_H
#define SESSIOND_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "field.h"
#include "group.h"
#include "scalar.h"
#include "table_form.h"

#define TABLE_SCALAR_BITS 253

/* A point_addend in canonical words: two cache lines. */
typedef struct {
    uint64_t y_plus_x[4], y_minus_x[4], xy2d[4];
} table_entry;

/*
 * Digit i of s is, less half[i], the bits of s + halves from bit[i] on, as many as mask[i] has. Adding half its range
 * to every digit but the last leaves none negative. The last one is not so by itself, and at most 2^(w - 1) since
 * s < 2^252 + 2^125. Beyond n_windows all four are 0: a digit there is 0 and its entry the neutral one.
 */
typedef struct {
    uint64_t halves[4]; /* the sum of half[i] * 2^bit[i] */
    uint64_t n_windows;
    uint64_t unused[3];
    uint32_t bit[TABLE_WINDOWS_MAX];
    uint32_t mask[TABLE_WINDOWS_MAX];
    uint32_t half[TABLE_WINDOWS_MAX];
    uint32_t first[TABLE_WINDOWS_MAX]; /* the place of the window's entry 0 */
    table_entry entry[];
} table;

/*
 * Fill *made*, of table_len(n_windows) bytes, with the multiples of P, a point of the curve, and check it. False when
 * the check fails: then the machine miscalculates, and the table must not be used. About 0.6 microseconds an entry.
 */
bool table_build(table *made, int n_windows, const point *P);

/*
 * Prove that the *len* bytes from *given* on, aligned to TABLE_ALIGNMENT, are the table of P and nothing else: every
 * bit of them is checked, whoever wrote them. P is a point of the curve.
 */
table_fault table_check(const table *given, size_t len, const point *P);

/* s + halves: what the digits of s are cut from. */
FIELD_INLINE void table_biased(uint64_t biased[4], const table *multiples, const scalar *s)
{
    uint64_t carry = 0;
    for (int i = 0; i < 4; i++) {
        const uint128 sum = (uint128)s->word[i] + multiples->halves[i] + carry;
        biased[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
}

/* Cut s into its digits, one for each window. */
FIELD_INLINE void table_recode(int32_t digits[TABLE_WINDOWS_MAX], const table *multiples, const scalar *s)
{
    uint64_t biased[5] = {0};
    table_biased(biased, multiples, s);
    for (uint64_t i = 0; i < multiples->n_windows; i++) {
        const uint32_t word = multiples->bit[i] / 64, shift = multiples->bit[i] & 63;
        const uint128 pair = (uint128)biased[word + 1] << 64 | biased[word];
        digits[i] = (int32_t)((uint32_t)(pair >> shift) & multiples->mask[i]) - (int32_t)multiples->half[i];
    }
}

FIELD_INLINE const table_entry *table_entry_of(const table *multiples, uint64_t window, int32_t digit)
{
    return &multiples->entry[multiples->first[window] + (uint32_t)(digit < 0 ? -digit : digit)];
}

/* Ask for the entries of digits ahead of their use: two tables do not fit the nearer caches. */
FIELD_INLINE void table_prefetch(const table *multiples, const int32_t digits[TABLE_WINDOWS_MAX])
{
    for (uint64_t i = 0; i < multiples->n_windows; i++) {
        const char *entry = (const char *)table_entry_of(multiples, i, digits[i]);
        __builtin_prefetch(entry);
        __builtin_prefetch(entry + sizeof(table_entry) - 1);
    }
}

/*
 * P = P + digit * (the window's point).
 *
 * -(x, y) = (-x, y), so a negative digit swaps y + x with y - x and negates 2 d x y: by masks, since the sign is random
 * and a branch on it would be mispredicted half the time.
 */
FIELD_INLINE void table_add(point *P, const table *multiples, uint64_t window, int32_t digit)
{
    const uint64_t negative = (uint64_t)(digit < 0);
    const table_entry *entry = table_entry_of(multiples, window, digit);
    const uint64_t *y_pm_x[2] = {entry->y_plus_x, entry->y_minus_x};
    point_addend Q;
    field_from_words(&Q.y_plus_x, y_pm_x[negative]);
    field_from_words(&Q.y_minus_x, y_pm_x[1 - negative]);
    field_from_words(&Q.xy2d, entry->xy2d);
    field_negate_if(&Q.xy2d, negative);
    point_add_addend(P, P, &Q);
}

/* P = P + [s]Q, given the digits of s and the table of Q. */
FIELD_INLINE void table_add_multiple(point *P, const table *multiples, const int32_t digits[TABLE_WINDOWS_MAX])
{
    for (uint64_t i = 0; i < multiples->n_windows; i++) {
        table_add(P, multiples, i, digits[i]);
    }
}

#endif
