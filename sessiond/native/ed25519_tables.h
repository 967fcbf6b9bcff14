/*
 * The tables of one point: a small one, made at once, and wider ones, which are made elsewhere and swapped in.
 *
 * Any number of threads may read while others swap, and nobody waits for anybody: a reader takes the best table once
 * and uses it to the end. So every table that was ever the best one must stay for as long as the point is in use.
 */
#ifndef SESSIOND_ED25519_TABLES_H
#define SESSIOND_ED25519_TABLES_H

#include <stdatomic.h>

#include "ed25519.h"
#include "group.h"
#include "table.h"

typedef struct {
    point P;
    table *small;
    _Atomic(const table *) best;
} point_tables;

/* Make the small table of P. It is ED25519_KEY_GOOD, _NO_MEMORY or _MISCALCULATED. */
ed25519_key_fault point_tables_init(point_tables *made, const point *P);

/* Free the small table; the others are their owners' to free. */
void point_tables_free(point_tables *tables);

/* The best table by now. What was written before it was swapped in is seen by whoever reads it here. */
static inline const table *point_tables_best(const point_tables *tables)
{
    return atomic_load_explicit(&tables->best, memory_order_acquire);
}

/* Make the small table of the base point; wider ones that it had are forgotten. It fails as point_tables_init. */
ed25519_key_fault ed25519_base_init(void);

/* The best table of the base point by now. */
const table *ed25519_base_table(void);

#endif
