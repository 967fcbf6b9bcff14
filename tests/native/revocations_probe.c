/* The revocation index, with memory that runs out when a test says so, and with readers and a writer at once. */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static bool memory_is_out;

static void *calloc_while_there_is_memory(size_t n, size_t size)
{
    return memory_is_out ? NULL : calloc(n, size);
}

#define calloc calloc_while_there_is_memory
#include "revocations.c"

void probe_set_memory_is_out(bool is_out)
{
    memory_is_out = is_out;
}

verdict probe_judge(revocations *index, const uint8_t *session_id, const uint8_t *scope_hash, uint64_t born)
{
    const revocable who = {session_id, scope_hash, scope_hash, born};
    revocations_read_lock(index);
    const verdict given = revocations_judge(index, &who);
    revocations_read_unlock(index);
    return given;
}

enum { N_SESSIONS = 300, N_READERS = 2, STRIDE = 7 };

static revocations *shared;
/* Relaxed: nothing but the lock of the index may order what the threads do. */
static atomic_int n_ended, done, n_wrong;

static void write_id(uint8_t session_id[16], int number)
{
    for (int i = 0; i < 16; i++) {
        session_id[i] = (uint8_t)(number >> (8 * (i & 1)));
    }
}

static void *read_groups(void *unused)
{
    while (!atomic_load_explicit(&done, memory_order_relaxed)) {
        const int known = atomic_load_explicit(&n_ended, memory_order_relaxed);
        revocations_read_lock(shared);
        for (int number = 0; number < N_SESSIONS; number += STRIDE) {
            uint8_t session_id[16];
            write_id(session_id, number);
            const revocable who = {session_id, session_id, session_id, 1};
            if (number < known && revocations_judge(shared, &who) != VERDICT_REVOKED) {
                atomic_fetch_add_explicit(&n_wrong, 1, memory_order_relaxed);
            }
        }
        revocations_read_unlock(shared);
        (void)revocations_count(shared);
        (void)revocations_memory_len(shared);
    }
    return unused;
}

/* End sessions, cut and forget while others read; say how often a reader missed what it had to know. */
int main(void)
{
    pthread_t readers[N_READERS];
    shared = revocations_new();
    for (int i = 0; i < N_READERS; i++) {
        pthread_create(&readers[i], NULL, read_groups, NULL);
    }
    for (int number = 0; number < N_SESSIONS; number++) {
        uint8_t session_id[16], passing[16];
        const revocations_spared spared = {passing, number % 2};
        write_id(session_id, number);
        revocations_end_session(shared, session_id, VERDICT_REVOKED, 1000);
        atomic_store_explicit(&n_ended, number + 1, memory_order_relaxed);
        for (int i = 0; i < 20; i++) {
            write_id(passing, N_SESSIONS + i);
            revocations_end_session(shared, passing, VERDICT_REVOKED, number % 2);
        }
        revocations_cut(shared, REVOCATIONS_SUBJECT, passing, 1, number % 2, &spared);
        revocations_expire(shared, 1);
    }
    atomic_store_explicit(&done, 1, memory_order_relaxed);
    for (int i = 0; i < N_READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    const bool is_right = n_wrong == 0 && revocations_count(shared) == N_SESSIONS;
    printf("%d wrong, %zu known\n", n_wrong, revocations_count(shared));
    revocations_free(shared);
    return is_right ? 0 : 1;
}
