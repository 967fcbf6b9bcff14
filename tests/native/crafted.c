/*
 * Signatures that somebody took pains over, made by the million, and the answers that each judge gives to them.
 *
 * What makes them and what says which of them are good is libsodium, the copy inside PyNaCl, by its addresses. Case n
 * of a seed is the same each time and on every machine, whatever stands beside it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ed25519.h"

enum {
    N_TORSION = 8,
    N_SIGNERS = 4,
    N_NONCES = 32,
    MESSAGE_MAX = 512,
    BATCH = 1024,
    N_JUDGES_MAX = 8,
    N_WRONG_MAX = 16,
};

typedef struct {
    int (*verify)(const uint8_t *signature, const uint8_t *message, unsigned long long message_len, const uint8_t *key);
    int (*sha512)(uint8_t *digest, const uint8_t *data, unsigned long long data_len);
    void (*reduce)(uint8_t *r, const uint8_t *x);
    void (*mul)(uint8_t *z, const uint8_t *x, const uint8_t *y);
    void (*add)(uint8_t *z, const uint8_t *x, const uint8_t *y);
} sodium;

/* A secret that signs by the book and beside it, with every torsion component on the key and on R. */
typedef struct {
    uint8_t secret[32];
    uint8_t key[N_TORSION][32];
    uint8_t nonce[N_NONCES][32];
    uint8_t R[N_NONCES][N_TORSION][32];
} signer;

/* Encodings that are refused, whatever fits the equation. */
typedef struct {
    const uint8_t (*encoding)[32];
    size_t n;
} encodings;

typedef struct {
    const sodium *by_sodium;
    const signer *signers;
    encodings small_order, not_canonical;
} workshop;

/* An implementation in a library of its own; a key that it refused is NULL. */
typedef struct {
    bool (*verify)(const ed25519_key *key, const uint8_t *message, size_t message_len, const uint8_t *signature);
    void (*verify_batch)(const ed25519_item *items, size_t n_items, uint8_t *good);
    bool (*verify_once)(const uint8_t *key, const uint8_t *message, size_t message_len, const uint8_t *signature);
    const ed25519_key *keys[N_SIGNERS][N_TORSION];
    uint64_t singly_every, once_every; /* how often a case is also asked about by itself, and without a table */
} judge;

typedef struct {
    uint64_t n_good, n_cases, n_differences;
    uint64_t wrong[N_WRONG_MAX]; /* the numbers of the first cases with a difference */
} tally;

typedef struct {
    int signer, torsion; /* of the key, -1 when the key is none of the signers' */
    uint8_t key[32], signature[64], message[MESSAGE_MAX];
    size_t message_len;
} crafted;

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t below(uint64_t *state, size_t n)
{
    return (size_t)(next(state) % n);
}

static void fill(uint64_t *state, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        const uint64_t word = next(state);
        memcpy(bytes + i, &word, len - i < 8 ? len - i : 8);
    }
}

static void flip(uint8_t *bytes, size_t bit)
{
    bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

/* bytes = bytes + times * more, modulo 2^256 */
static void add_times(uint8_t *bytes, const uint8_t *more, unsigned times)
{
    unsigned carry = 0;
    for (int i = 0; i < 32; i++) {
        carry += bytes[i] + times * more[i];
        bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static const uint8_t L[32] = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    [31] = 0x10,
};

/* Make R, and S = r + k a; r = 0, the answer to an R that stands for nothing, where *nonce* is NULL. */
static void sign(const workshop *with, crafted *made, int torsion_of_key, const uint8_t R[32], const uint8_t *nonce)
{
    const sodium *use = with->by_sodium;
    const signer *by = &with->signers[made->signer];
    uint8_t hashed[64 + MESSAGE_MAX], digest[64], k[32], *S = made->signature + 32;
    made->torsion = torsion_of_key;
    memcpy(made->key, by->key[torsion_of_key], 32);
    memcpy(made->signature, R, 32);
    memcpy(hashed, R, 32);
    memcpy(hashed + 32, made->key, 32);
    memcpy(hashed + 64, made->message, made->message_len);
    use->sha512(digest, hashed, 64 + made->message_len);
    use->reduce(k, digest);
    use->mul(S, k, by->secret);
    if (nonce != NULL) {
        use->add(S, S, nonce);
    }
}

static void sign_with(const workshop *with, crafted *made, uint64_t *chance, int torsion_of_key, int torsion_of_R)
{
    const signer *by = &with->signers[made->signer];
    const size_t n = below(chance, N_NONCES);
    sign(with, made, torsion_of_key, by->R[n][torsion_of_R], by->nonce[n]);
}

static void good(const workshop *with, crafted *made, uint64_t *chance)
{
    sign_with(with, made, chance, 0, 0);
}

static void flipped_R(const workshop *with, crafted *made, uint64_t *chance)
{
    good(with, made, chance);
    flip(made->signature, below(chance, 256));
}

static void flipped_S(const workshop *with, crafted *made, uint64_t *chance)
{
    good(with, made, chance);
    flip(made->signature, 256 + below(chance, 256));
}

static void flipped_message(const workshop *with, crafted *made, uint64_t *chance)
{
    good(with, made, chance);
    if (made->message_len == 0) {
        made->message[made->message_len++] = 0;
    } else {
        flip(made->message, below(chance, 8 * made->message_len));
    }
}

/* A zero more or a byte less at the end of the message: padding must tell them apart. */
static void other_length(const workshop *with, crafted *made, uint64_t *chance)
{
    good(with, made, chance);
    if (made->message_len > 0 && below(chance, 2)) {
        made->message_len--;
    } else {
        made->message[made->message_len++] = 0;
    }
}

static void other_key(const workshop *with, crafted *made, uint64_t *chance)
{
    good(with, made, chance);
    made->signer = (int)below(chance, N_SIGNERS);
    made->torsion = (int)below(chance, N_TORSION);
    memcpy(made->key, with->signers[made->signer].key[made->torsion], 32);
}

/* S moved by a power of two, up or down: one digit of one window. */
static void moved_S(const workshop *with, crafted *made, uint64_t *chance)
{
    good(with, made, chance);
    uint8_t power[32] = {0}, *S = made->signature + 32;
    flip(power, below(chance, 253));
    if (below(chance, 2)) {
        add_times(S, power, 1 + (unsigned)below(chance, 3));
    } else { /* less: L - 1 times, modulo L */
        uint8_t less[32], minus_one[32];
        memcpy(minus_one, L, 32);
        minus_one[0]--;
        with->by_sodium->mul(less, power, minus_one);
        with->by_sodium->add(S, S, less);
    }
}

static void S_plus_L(const workshop *with, crafted *made, uint64_t *chance)
{
    good(with, made, chance);
    add_times(made->signature + 32, L, 1 + (unsigned)below(chance, 15));
}

/* S tiny, or near a power of two or a multiple of L. */
static void S_at_an_edge(const workshop *with, crafted *made, uint64_t *chance)
{
    good(with, made, chance);
    uint8_t *S = made->signature + 32, near[32] = {0};
    memset(S, 0, 32);
    switch (below(chance, 4)) {
    case 0:
        add_times(S, L, (unsigned)below(chance, 16));
        break;
    case 1:
        flip(S, 250 + below(chance, 6));
        break;
    case 2:
        flip(S, below(chance, 253));
        break;
    default:
        break;
    }
    near[0] = (uint8_t)below(chance, 8);
    add_times(S, near, 1);
    if (below(chance, 2)) {
        memset(near, 0xff, 32); /* -1 */
        add_times(S, near, (unsigned)below(chance, 4));
    }
}

static void torsion_in_R(const workshop *with, crafted *made, uint64_t *chance)
{
    sign_with(with, made, chance, 0, 1 + (int)below(chance, 7));
}

static void torsion_in_key(const workshop *with, crafted *made, uint64_t *chance)
{
    sign_with(with, made, chance, 1 + (int)below(chance, 7), 0);
}

static void torsion_in_both(const workshop *with, crafted *made, uint64_t *chance)
{
    const int of_key = (int)below(chance, 8);
    sign_with(with, made, chance, of_key, (int)below(chance, 8));
}

static void small_order_R(const workshop *with, crafted *made, uint64_t *chance)
{
    const encodings *some = &with->small_order;
    const int of_key = (int)below(chance, 8);
    sign(with, made, of_key, some->encoding[below(chance, some->n)], NULL);
}

static void R_not_canonical(const workshop *with, crafted *made, uint64_t *chance)
{
    const encodings *some = &with->not_canonical;
    sign(with, made, 0, some->encoding[below(chance, some->n)], NULL);
}

/* A key of small order or of another spelling, with an R and an S that fit the equation for A = 0. */
static void refused_key(const workshop *with, crafted *made, uint64_t *chance)
{
    const encodings *some = below(chance, 2) ? &with->small_order : &with->not_canonical;
    const signer *by = &with->signers[made->signer];
    const size_t n = below(chance, N_NONCES);
    made->torsion = -1;
    memcpy(made->key, some->encoding[below(chance, some->n)], 32);
    memcpy(made->signature, by->R[n][0], 32);
    memcpy(made->signature + 32, by->nonce[n], 32);
}

static void made_up(const workshop *with, crafted *made, uint64_t *chance)
{
    good(with, made, chance);
    fill(chance, made->signature, 64);
    made->signature[63] &= below(chance, 8) ? 0x0f : 0xff; /* mostly an S that is below L */
}

/* Bytes of R, S and the message written over, moved or exchanged. */
static void edited(const workshop *with, crafted *made, uint64_t *chance)
{
    good(with, made, chance);
    uint8_t *S = made->signature + 32, room[32];
    switch (below(chance, 5)) {
    case 0:
        memcpy(room, made->signature, 32);
        memcpy(made->signature, S, 32);
        memcpy(S, room, 32);
        S[31] &= 0x0f;
        break;
    case 1:
        memcpy(made->signature, made->key, 32);
        break;
    case 2:
        memcpy(made->signature, with->signers[made->signer].R[below(chance, N_NONCES)][0], 32);
        break;
    case 3:
        memcpy(S, with->signers[made->signer].nonce[below(chance, N_NONCES)], 32);
        break;
    default:
        for (size_t i = below(chance, 4) + 1; i-- > 0;) {
            made->signature[below(chance, 63)] = (uint8_t)next(chance);
        }
    }
}

static const struct {
    const char *name;
    void (*make)(const workshop *with, crafted *made, uint64_t *chance);
} classes[] = {
    {"good", good},
    {"flipped_R", flipped_R},
    {"flipped_S", flipped_S},
    {"flipped_message", flipped_message},
    {"other_length", other_length},
    {"other_key", other_key},
    {"moved_S", moved_S},
    {"S_plus_L", S_plus_L},
    {"S_at_an_edge", S_at_an_edge},
    {"torsion_in_R", torsion_in_R},
    {"torsion_in_key", torsion_in_key},
    {"torsion_in_both", torsion_in_both},
    {"small_order_R", small_order_R},
    {"R_not_canonical", R_not_canonical},
    {"refused_key", refused_key},
    {"made_up", made_up},
    {"edited", edited},
};
#define N_CLASSES (sizeof classes / sizeof classes[0])

const char *crafted_class_name(size_t n)
{
    return n < N_CLASSES ? classes[n].name : NULL;
}

/* At, below and above the ends of SHA-512's blocks, which R and the key fill with 64 bytes and padding with 17. */
static const uint16_t lengths[] = {
    0, 1, 14, 46, 47, 48, 63, 64, 65, 111, 112, 127, 128, 129, 174, 175, 176, 191, 192, 239, 240, 302, 303, 304, 431, 432,
};

/* Make case *n* of *seed*, of a class out of *mix*: one share for each class, and their sum. */
static size_t craft(
    const workshop *with, const uint32_t *mix, uint32_t mix_sum, uint64_t seed, uint64_t n, crafted *made)
{
    uint64_t chance = seed;
    chance = next(&chance) ^ n;
    size_t of_class = 0;
    for (size_t share = below(&chance, mix_sum); share >= mix[of_class]; of_class++) {
        share -= mix[of_class];
    }
    made->signer = (int)below(&chance, N_SIGNERS);
    made->message_len = lengths[below(&chance, sizeof lengths / sizeof lengths[0])];
    fill(&chance, made->message, made->message_len);
    classes[of_class].make(with, made, &chance);
    return of_class;
}

/* Note the cases of a batch that *good* answers otherwise than *expected*. */
static void compare(
    tally *found, const size_t *of_class, const bool *expected, const uint8_t *good, uint64_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        tally *one = &found[of_class[i]];
        if (good[i] != expected[i]) {
            if (one->n_differences < N_WRONG_MAX) {
                one->wrong[one->n_differences] = first + i;
            }
            one->n_differences++;
        }
    }
}

/* Batches of these sizes, then one of the rest: below, at and above where implementations cut batches up. */
static const size_t cuts[] = {1, 2, 7, 8, 9, 63, 64, 65};
#define N_CUTS (sizeof cuts / sizeof cuts[0])

static void ask(const judge *of, const crafted *cases, uint64_t first, size_t n, uint8_t *in_batch, uint8_t *singly)
{
    ed25519_item items[BATCH];
    uint8_t answers[BATCH];
    size_t place[BATCH], n_items = 0;
    for (size_t i = 0; i < n; i++) {
        const crafted *one = &cases[i];
        const ed25519_key *key = one->torsion < 0 ? NULL : of->keys[one->signer][one->torsion];
        in_batch[i] = 0; /* what a key that was refused says to everything */
        if (key != NULL) {
            place[n_items] = i;
            items[n_items++] = (ed25519_item){key, one->message, one->message_len, one->signature};
        }
    }
    for (size_t done = 0, cut = 0; done < n_items; cut++) {
        const size_t left = n_items - done, wanted = cut < N_CUTS ? cuts[cut] : left;
        const size_t n_cut = wanted < left ? wanted : left;
        of->verify_batch(items + done, n_cut, answers + done);
        done += n_cut;
    }
    for (size_t i = 0; i < n_items; i++) {
        in_batch[place[i]] = answers[i];
    }
    for (size_t i = 0; i < n; i++) {
        const crafted *one = &cases[i];
        const ed25519_key *key = one->torsion < 0 ? NULL : of->keys[one->signer][one->torsion];
        singly[i] = in_batch[i];
        if (key != NULL && (first + i) % of->singly_every == 0) {
            singly[i] = of->verify(key, one->message, one->message_len, one->signature);
        }
        if (key == NULL || (first + i) % of->once_every == 0) {
            const bool once = of->verify_once(one->key, one->message, one->message_len, one->signature);
            singly[i] = once == singly[i] ? singly[i] : 2; /* an answer that nobody expects */
        }
    }
}

/* Ask about the cases from *first* on; *found* has one tally for each class. */
void crafted_run(
    const workshop *with, const judge *judges, size_t n_judges, const uint32_t *mix, uint64_t seed, uint64_t first,
    uint64_t n_cases, tally *found)
{
    static _Thread_local crafted cases[BATCH];
    uint32_t mix_sum = 0;
    for (size_t i = 0; i < N_CLASSES; i++) {
        mix_sum += mix[i];
    }
    for (uint64_t done = 0; done < n_cases; done += BATCH) {
        const size_t n = n_cases - done < BATCH ? (size_t)(n_cases - done) : BATCH;
        size_t of_class[BATCH];
        bool expected[BATCH];
        uint8_t in_batch[BATCH], singly[BATCH];
        for (size_t i = 0; i < n; i++) {
            crafted *one = &cases[i];
            of_class[i] = craft(with, mix, mix_sum, seed, first + done + i, one);
            expected[i] = with->by_sodium->verify(one->signature, one->message, one->message_len, one->key) == 0;
            found[of_class[i]].n_cases++;
            found[of_class[i]].n_good += expected[i];
        }
        for (size_t j = 0; j < n_judges; j++) {
            ask(&judges[j], cases, first + done, n, in_batch, singly);
            compare(found, of_class, expected, in_batch, first + done, n);
            compare(found, of_class, expected, singly, first + done, n);
        }
    }
}
