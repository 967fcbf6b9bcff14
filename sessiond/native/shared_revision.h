/*
 * The revision of a store, as one word of memory that its processes share.
 *
 * What a process wrote before it raised the word is seen by whoever finds the word raised. The word is in the order of
 * the machine: it never leaves it.
 */
#ifndef SESSIOND_SHARED_REVISION_H
#define SESSIOND_SHARED_REVISION_H

#include <stdint.h>

enum { SHARED_REVISION_LEN = sizeof(uint64_t) };

_Static_assert(__atomic_always_lock_free(sizeof(uint64_t), 0), "a lock would be in the memory of one process");

static inline uint64_t shared_revision_load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Make the word the greater one of what it is and *revision*; whoever raises it at the same time loses nothing. */
static inline void shared_revision_raise(uint64_t *word, uint64_t revision)
{
    uint64_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);
    while (seen < revision &&
           !__atomic_compare_exchange_n(word, &seen, revision, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
}

#endif
