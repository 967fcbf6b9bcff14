/*
 * Threads that verify while others widen the tables under them: for ThreadSanitizer, which reports every access that
 * nothing orders. Prints how many answers were wrong.
 *
 * The signature is given in hexadecimal: the public key, then the signature of an empty message.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "dispatch.h"
#include "ed25519.h"

enum { N_READERS = 3, N_ITEMS = 20, FIRST = 31, LAST = 26 };

static ed25519_key *key;
static uint8_t good[ED25519_SIGNATURE_LEN], bad[ED25519_SIGNATURE_LEN];
static atomic_int n_wrong, n_rounds, swapped;

/* Count without ordering anything: what the swap has to order must not be ordered by the test. */
static void add(atomic_int *count, int n)
{
    atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

static void *read_tables(void *unused)
{
    ed25519_item items[N_ITEMS];
    uint8_t answers[N_ITEMS];
    for (int i = 0; i < N_ITEMS; i++) {
        items[i] = (ed25519_item){key, NULL, 0, i % 3 == 0 ? bad : good};
    }
    /* A round after the last swap too: with all of the widest tables. */
    for (int last = 0; !last;) {
        last = atomic_load_explicit(&swapped, memory_order_relaxed);
        ed25519_verify_batch(items, N_ITEMS, answers);
        for (int i = 0; i < N_ITEMS; i++) {
            add(&n_wrong, answers[i] != (i % 3 != 0));
        }
        add(&n_wrong, !ed25519_verify(key, NULL, 0, good) + ed25519_verify(key, NULL, 0, bad));
        add(&n_rounds, 1);
    }
    return unused;
}

/* Widen the tables of the key, or those of the base point if *public_key* is NULL, one window at a time. */
static void *swap_tables(void *public_key)
{
    for (int n_windows = FIRST; n_windows >= LAST; n_windows--) {
        const size_t len = table_len(n_windows);
        void *made = aligned_alloc(TABLE_ALIGNMENT, len); /* stays */
        if (made == NULL || ed25519_table_build(made, n_windows, public_key) != ED25519_KEY_GOOD) {
            abort();
        }
        /* Readers get somewhere between two swaps. */
        for (const int before = atomic_load_explicit(&n_rounds, memory_order_relaxed);
             atomic_load_explicit(&n_rounds, memory_order_relaxed) == before;) {
        }
        const table_fault fault =
            public_key != NULL ? ed25519_key_widen(key, made, len) : ed25519_base_widen(made, len);
        add(&n_wrong, fault != TABLE_GOOD);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    uint8_t public_key[ED25519_PUBLIC_KEY_LEN];
    for (int i = 0; argc == 3 && i < ED25519_PUBLIC_KEY_LEN + ED25519_SIGNATURE_LEN; i++) {
        const char digits[3] = {argv[2][2 * i], argv[2][2 * i + 1], 0};
        uint8_t *to = i < ED25519_PUBLIC_KEY_LEN ? &public_key[i] : &good[i - ED25519_PUBLIC_KEY_LEN];
        *to = (uint8_t)strtoul(digits, NULL, 16);
    }
    for (int i = 0; i < ED25519_SIGNATURE_LEN; i++) {
        bad[i] = good[i] ^ (i == 40);
    }
    if (argc != 3 || implementation_start(argv[1]) != IMPLEMENTATION_GOOD ||
        ed25519_key_new(&key, public_key) != ED25519_KEY_GOOD) {
        return 2;
    }
    pthread_t threads[N_READERS + 2];
    for (int i = 0; i < N_READERS; i++) {
        pthread_create(&threads[i], NULL, read_tables, NULL);
    }
    pthread_create(&threads[N_READERS], NULL, swap_tables, public_key);
    pthread_create(&threads[N_READERS + 1], NULL, swap_tables, NULL);
    pthread_join(threads[N_READERS], NULL);
    pthread_join(threads[N_READERS + 1], NULL);
    atomic_store(&swapped, 1);
    for (int i = 0; i < N_READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%d wrong, windows %d and %d\n", atomic_load(&n_wrong), ed25519_key_windows(key), ed25519_base_windows());
    return 0;
}
