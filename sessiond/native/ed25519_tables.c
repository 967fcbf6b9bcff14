/* The tables of keys, and those of the base point, which all keys share: made, checked, and swapped for wider ones. */
#include "ed25519_tables.h"

#include <stdlib.h>

#include "implementation.h"

static point_tables tables_of_B;

ed25519_key_fault point_tables_init(point_tables *made, const point *P)
{
    table *small = aligned_alloc(TABLE_ALIGNMENT, table_len(TABLE_WINDOWS_MAX));
    if (small == NULL) {
        return ED25519_KEY_NO_MEMORY;
    }
    if (!table_build(small, TABLE_WINDOWS_MAX, P)) {
        free(small); /* unreachable unless the machine miscalculates */
        return ED25519_KEY_MISCALCULATED;
    }
    made->P = *P;
    made->small = small;
    atomic_init(&made->best, small);
    return ED25519_KEY_GOOD;
}

void point_tables_free(point_tables *tables)
{
    free(tables->small);
}

/* Check the *len* bytes from *given* on, and let readers use them from here on. They stay the caller's. */
static table_fault widen(point_tables *tables, const table *given, size_t len)
{
    const table_fault fault = table_check(given, len, &tables->P);
    if (fault != TABLE_GOOD) {
        return fault;
    }
    const table *best = point_tables_best(tables);
    do {
        if (given->n_windows >= best->n_windows) {
            return TABLE_NOT_WIDER;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &tables->best, &best, given, memory_order_acq_rel, memory_order_acquire));
    return TABLE_GOOD;
}

table_fault ed25519_key_widen(ed25519_key *key, const void *given, size_t len)
{
    return widen(&key->minus_A, given, len);
}

int ed25519_key_windows(const ed25519_key *key)
{
    return (int)point_tables_best(&key->minus_A)->n_windows;
}

ed25519_key_fault ed25519_base_init(void)
{
    point B;
    point_tables made;
    point_from_affine(&B, &GROUP_B_X, &GROUP_B_Y);
    const ed25519_key_fault fault = point_tables_init(&made, &B);
    if (fault == ED25519_KEY_GOOD) {
        point_tables_free(&tables_of_B);
        tables_of_B = made;
    }
    return fault;
}

const table *ed25519_base_table(void)
{
    return point_tables_best(&tables_of_B);
}

table_fault ed25519_base_widen(const void *given, size_t len)
{
    return widen(&tables_of_B, given, len);
}

int ed25519_base_windows(void)
{
    return (int)ed25519_base_table()->n_windows;
}

ed25519_key_fault ed25519_table_build(void *into, int n_windows, const uint8_t *public_key)
{
    point P;
    if (public_key == NULL) {
        point_from_affine(&P, &GROUP_B_X, &GROUP_B_Y);
    } else {
        const ed25519_key_fault fault = ed25519_decode_negated(&P, public_key);
        if (fault != ED25519_KEY_GOOD) {
            return fault;
        }
    }
    return table_build(into, n_windows, &P) ? ED25519_KEY_GOOD : ED25519_KEY_MISCALCULATED;
}
