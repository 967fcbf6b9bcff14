/*
 * Multiples of one point, so that [s]P needs additions only and no doubling.
 *
 * A scalar has TABLE_WINDOWS signed digits of TABLE_WIDTH bits. Window i holds 0, 1, ..., TABLE_MULTIPLES - 1 times
 * 2^(TABLE_WIDTH i) P; a negative digit takes the entry of its absolute value with the sign turned. Entry 0 is the
 * neutral element, so that no digit is an exception and lanes need no branch.
 */
#ifndef SESSIOND_TABLE_H
#define SESSIOND_TABLE_H

#include <stdint.h>

#include "field.h"
#include "group.h"
#include "scalar.h"

#ifndef TABLE_WIDTH
#define TABLE_WIDTH 8
#endif
#define TABLE_WINDOWS (256 / TABLE_WIDTH)
#define TABLE_MULTIPLES ((1 << (TABLE_WIDTH - 1)) + 1)

/* A point_addend in canonical words: two cache lines. */
typedef struct {
    uint64_t y_plus_x[4], y_minus_x[4], xy2d[4];
} table_entry;

typedef struct {
    table_entry window[TABLE_WINDOWS][TABLE_MULTIPLES];
} table;

/* Fill *out* with the multiples of P. It takes as long as about a hundred verifications. */
void table_build(table *out, const point *P);

/* Ask for the entry of a digit ahead of its use: two tables do not fit the nearer caches. */
FIELD_INLINE void table_prefetch(const table_entry *window, int digit)
{
    const char *entry = (const char *)&window[digit < 0 ? -digit : digit];
    __builtin_prefetch(entry);
    __builtin_prefetch(entry + sizeof(table_entry) - 1);
}

/*
 * P = P + digit * (the window's point).
 *
 * -(x, y) = (-x, y), so a negative digit swaps y + x with y - x and negates 2 d x y: by masks, since the sign is random
 * and a branch on it would be mispredicted half the time.
 */
FIELD_INLINE void table_add(point *P, const table_entry *window, int digit)
{
    const uint64_t negative = (uint64_t)(digit < 0);
    const table_entry *entry = &window[digit < 0 ? -digit : digit];
    const uint64_t *y_pm_x[2] = {entry->y_plus_x, entry->y_minus_x};
    point_addend Q;
    field_from_words(&Q.y_plus_x, y_pm_x[negative]);
    field_from_words(&Q.y_minus_x, y_pm_x[1 - negative]);
    field_from_words(&Q.xy2d, entry->xy2d);
    field_negate_if(&Q.xy2d, negative);
    point_add_addend(P, P, &Q);
}

/* P = P + [s]Q, given the digits of s and the table of Q. */
FIELD_INLINE void table_add_multiple(point *P, const table *multiples, const int16_t digits[TABLE_WINDOWS])
{
    for (int i = 0; i < TABLE_WINDOWS; i++) {
        table_add(P, multiples->window[i], digits[i]);
    }
}

#endif
