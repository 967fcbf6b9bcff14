/*
 * What native/ does when memory runs out: its allocations go through here, and all but the first few are refused.
 *
 * Link with --wrap for malloc, calloc, realloc, aligned_alloc, free and table_build. Each case returns 1 when it did its
 * work, 0 when it said that there was no memory, and leaves nothing allocated in either case.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "dispatch.h"
#include "ed25519.h"
#include "revocations.h"
#include "table.h"

/* Outside of the cases there is no limit: a library that is linked along may allocate, as gcov's does at the end. */
static long n_allowed = LONG_MAX, n_held;
static bool miscalculates;

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *held, size_t len);
void *__real_aligned_alloc(size_t alignment, size_t len);
void __real_free(void *held);

static void *counted(void *made)
{
    n_held += made != NULL;
    return made;
}

void *__wrap_malloc(size_t len)
{
    return n_allowed-- > 0 ? counted(__real_malloc(len)) : NULL;
}

void *__wrap_calloc(size_t n, size_t len)
{
    return n_allowed-- > 0 ? counted(__real_calloc(n, len)) : NULL;
}

void *__wrap_realloc(void *held, size_t len)
{
    if (n_allowed-- <= 0) {
        return NULL;
    }
    n_held -= held != NULL;
    return counted(__real_realloc(held, len));
}

void *__wrap_aligned_alloc(size_t alignment, size_t len)
{
    return n_allowed-- > 0 ? counted(__real_aligned_alloc(alignment, len)) : NULL;
}

void __wrap_free(void *held)
{
    n_held -= held != NULL;
    __real_free(held);
}

bool __real_table_build(table *made, int n_windows, const point *P);

bool __wrap_table_build(table *made, int n_windows, const point *P)
{
    return !miscalculates && __real_table_build(made, n_windows, P);
}

static int ended(bool done)
{
    n_allowed = LONG_MAX;
    return done;
}

long scarce_held(void)
{
    return n_held;
}

/* The table of B is kept until the next start: the first one stands before anything is counted. */
int scarce_start(long allowed)
{
    n_allowed = allowed;
    return ended(implementation_start(NULL) == IMPLEMENTATION_GOOD);
}

static const uint8_t base_point[32] = {
    0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
};

int scarce_key(long allowed)
{
    ed25519_key *key;
    n_allowed = allowed;
    if (ed25519_key_new(&key, base_point) != ED25519_KEY_GOOD) {
        return ended(false);
    }
    ed25519_key_free(key);
    return ended(true);
}

int scarce_revocations(long allowed)
{
    enum { N_SESSIONS = 500 };
    n_allowed = allowed;
    revocations *index = revocations_new();
    bool has_room = index != NULL;
    for (int i = 0; i < N_SESSIONS && has_room; i++) {
        const uint8_t id[SESSION_ID_LEN] = {(uint8_t)(i >> 8), (uint8_t)i};
        has_room = revocations_end_session(index, id, VERDICT_KEY_REVOKED, 1) &&
                   revocations_cut(index, REVOCATIONS_TENANT, id, 1, 1, &(revocations_spared){id, 1});
    }
    revocations_free(index);
    return ended(has_room);
}

/* Whether a start, a key and a table for others all say that the machine miscalculated. */
int scarce_miscalculation(void)
{
    ed25519_key *key;
    miscalculates = true;
    const bool told = implementation_start(NULL) == IMPLEMENTATION_MISCALCULATED &&
                      ed25519_key_new(&key, base_point) == ED25519_KEY_MISCALCULATED &&
                      ed25519_table_build(NULL, TABLE_WINDOWS_MAX, NULL) == ED25519_KEY_MISCALCULATED;
    miscalculates = false;
    return told;
}
