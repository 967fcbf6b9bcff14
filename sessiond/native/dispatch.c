#include "dispatch.h"

#include "base64url.h"
#include "implementation.h"

#include <string.h>

/* Best first. */
static const implementation *const implementations[] = {
#ifdef HAS_AVX512IFMA
    &implementation_avx512ifma,
#endif
    &implementation_portable,
};
#define N_IMPLEMENTATIONS (sizeof implementations / sizeof implementations[0])

static const implementation *chosen;

implementation_fault implementation_start(const char *forced)
{
    const implementation *found = NULL;
    for (size_t i = 0; i < N_IMPLEMENTATIONS && found == NULL; i++) {
        const implementation *candidate = implementations[i];
        if (candidate->runs_here() && (forced == NULL || strcmp(forced, candidate->name) == 0)) {
            found = candidate;
        }
    }
    if (found == NULL) {
        return IMPLEMENTATION_NOT_RUNNABLE;
    }
    const ed25519_key_fault fault = ed25519_base_init();
    if (fault != ED25519_KEY_GOOD) {
        return fault == ED25519_KEY_NO_MEMORY ? IMPLEMENTATION_NO_MEMORY : IMPLEMENTATION_MISCALCULATED;
    }
    chosen = found;
    return IMPLEMENTATION_GOOD;
}

const char *implementation_name(void)
{
    return chosen->name;
}

const char *implementation_runnable(size_t n)
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
    return chosen->verify(ed25519_base_table(), key, message, message_len, signature);
}

void ed25519_verify_batch(const ed25519_item *items, size_t n_items, uint8_t *good)
{
    chosen->verify_batch(ed25519_base_table(), items, n_items, good);
}

bool base64url_decode(uint8_t *out, const uint8_t *text, size_t text_len)
{
    return chosen->base64url_decode(out, text, text_len);
}
