/* The one place that chooses an implementation, and the table of B that all of them share. */
#include "ed25519_impl.h"

#include <stdlib.h>
#include <string.h>

/* Best first. */
static const ed25519_implementation *const implementations[] = {
#ifdef ED25519_HAS_AVX512IFMA
    &ed25519_avx512ifma,
#endif
    &ed25519_portable,
};
#define N_IMPLEMENTATIONS (sizeof implementations / sizeof implementations[0])

static const ed25519_implementation *chosen;
static table *multiples_of_B; /* lives as long as the process */

ed25519_start_fault ed25519_start(const char *forced, int n_windows)
{
    const ed25519_implementation *found = NULL;
    for (size_t i = 0; i < N_IMPLEMENTATIONS && found == NULL; i++) {
        const ed25519_implementation *candidate = implementations[i];
        if (candidate->runs_here() && (forced == NULL || strcmp(forced, candidate->name) == 0)) {
            found = candidate;
        }
    }
    if (found == NULL) {
        return ED25519_START_NOT_RUNNABLE;
    }
    table *multiples = table_new(n_windows);
    if (multiples == NULL) {
        return ED25519_START_NO_MEMORY;
    }
    point B;
    point_from_affine(&B, &GROUP_B_X, &GROUP_B_Y);
    table_build(multiples, n_windows, &B);
    free(multiples_of_B);
    multiples_of_B = multiples;
    chosen = found;
    return ED25519_START_GOOD;
}

const char *ed25519_implementation_name(void)
{
    return chosen->name;
}

const char *ed25519_runnable_name(size_t n)
{
    for (size_t i = 0; i < N_IMPLEMENTATIONS; i++) {
        if (implementations[i]->runs_here() && n-- == 0) {
            return implementations[i]->name;
        }
    }
    return NULL;
}

bool ed25519_verify(
    const ed25519_key *key, const uint8_t *message, size_t message_len,
    const uint8_t signature[ED25519_SIGNATURE_LEN])
{
    return chosen->verify(multiples_of_B, key, message, message_len, signature);
}

void ed25519_verify_batch(const ed25519_item *items, size_t n_items, uint8_t *good)
{
    chosen->verify_batch(multiples_of_B, items, n_items, good);
}
