#define _POSIX_C_SOURCE 200809L /* pthread_rwlock_t */

#include "revocations.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

/*
 * Hashed with open addressing and linear probing: a key stands at its home or after it, with no free slot between.
 *
 * Most of what is looked up is not there. So each slot has a byte besides, with a bit for each eighth of the keys that
 * have their home there, set while one of them is known: nine of ten look-ups end with a byte out of a small
 * array, and read no slot.
 *
 * Memory: a slot and its byte have 25 bytes, at most 7/8 of the slots are used, and their number is the smallest power
 * of two for which that holds. Half of them would then be too few, so more than 7/16 are used, and an entry takes less
 * than 25 / (7/16) < 58 bytes at every size, just after a growth as well. A spared session has 8 bytes more, so less
 * than 33 / (7/16) < 76. While slots move, both of their places exist.
 */
enum {
    MAX_USED_NUMERATOR = 7,
    MAX_USED_DENOMINATOR = 8,
    CAUSE_BITS = 8,
    CAUSE_MASK = (1 << CAUSE_BITS) - 1,
    SPARED = CAUSE_MASK, /* stands where an end has its cause; no cause has this number */
};

enum { N_SCOPES = REVOCATIONS_ALL + 1 };

static const verdict cut_causes[N_SCOPES] = {
    [REVOCATIONS_SUBJECT] = VERDICT_SUBJECT_REVOKED,
    [REVOCATIONS_TENANT] = VERDICT_TENANT_REVOKED,
    [REVOCATIONS_ALL] = VERDICT_ALL_REVOKED,
};

/* An ended or spared session has its id in *first* and *second*; a cut the hash of its scope and its revision. */
typedef struct {
    uint64_t first, second;
    uint64_t kept; /* keep_until << CAUSE_BITS | cause; 0 in a free slot, since no cause is 0 */
} slot;

enum { SLOT_LEN = sizeof(slot) + 1 };

_Static_assert(SLOT_LEN == 25, "the bound above counts on it");

typedef struct {
    slot *at;
    uint64_t *revisions; /* behind the slots, one for each; NULL where no key has one beside it */
    uint8_t *homes;      /* behind those, a byte for each slot */
    uint64_t key_mask;   /* what of *second* belongs to the key: all of it, or nothing */
    size_t revision_len; /* the bytes that a slot has in *revisions* */
    size_t n_slots;    /* 2^n_bits, or 0 */
    int n_bits;        /* at least 1 */
    size_t n_used;
} slots;

struct revocations {
    pthread_rwlock_t lock;
    /* Without a turn for them, writers could wait for ever: readers that overlap never leave the lock free. */
    pthread_mutex_t turn;
    atomic_int n_writers; /* that wait for their turn, or for the lock */
    slots sessions;
    slots cuts[N_SCOPES]; /* by revocations_scope; those of everything have one entry at most */
    slots spared_sessions;
};

static uint64_t kept_of(int64_t keep_until, unsigned cause)
{
    return (uint64_t)keep_until << CAUSE_BITS | cause; /* keep_until < 2^53, cause < 2^CAUSE_BITS */
}

static int64_t keep_until_of(const slot *entry)
{
    return (int64_t)(entry->kept >> CAUSE_BITS);
}

/* Where a key belongs among slots, of which there are some, and its bit there. */
typedef struct {
    size_t place;
    uint8_t bit;
} home;

/*
 * Find the home of a key.
 *
 * The highest bits of a product with 2^64 / the golden ratio are enough: nobody who could gain by collisions chooses a
 * key. What is inserted are the authority's own session ids, with 62 random bits in *second*, and hashes keyed with its
 * secret; what is looked up comes out of tokens that it signed.
 */
static home home_of(const slots *in, uint64_t first, uint64_t second)
{
    const uint64_t mixed = (first ^ (second & in->key_mask)) * UINT64_C(0x9e3779b97f4a7c15);
    return (home){
        .place = (size_t)(mixed >> (64 - in->n_bits)),
        .bit = (uint8_t)(1 << (mixed >> (61 - in->n_bits) & 7)), /* n_bits < 60: slots have 24 bytes */
    };
}

static size_t next_of(const slots *in, size_t place)
{
    return (place + 1) & (in->n_slots - 1);
}

/* Find the slot of a key where there are slots, or the free one where it would go; an eighth are free. */
static slot *slot_of(const slots *in, uint64_t first, uint64_t second)
{
    size_t place = home_of(in, first, second).place;
    while (true) {
        slot *found = &in->at[place];
        if (found->kept == 0 || (found->first == first && ((found->second ^ second) & in->key_mask) == 0)) {
            return found;
        }
        place = next_of(in, place);
    }
}

static const slot *find(const slots *in, uint64_t first, uint64_t second)
{
    if (in->n_used == 0) {
        return NULL;
    }
    const home where = home_of(in, first, second);
    if ((in->homes[where.place] & where.bit) == 0) {
        return NULL;
    }
    const slot *found = slot_of(in, first, second);
    return found->kept == 0 ? NULL : found;
}

static bool is_enough(size_t n_slots, size_t n_used)
{
    return n_used * MAX_USED_DENOMINATOR <= n_slots * MAX_USED_NUMERATOR; /* below 2^63: slots have 24 bytes */
}

static size_t memory_len(const slots *in)
{
    return in->n_slots * (SLOT_LEN + in->revision_len);
}

/* Copy what stands in a slot, and beside it. */
static void copy(slots *to, size_t place, const slots *from, size_t from_place)
{
    to->at[place] = from->at[from_place];
    if (to->revision_len != 0) {
        to->revisions[place] = from->revisions[from_place];
    }
}

static void mark_home(slots *in, const slot *entry)
{
    const home where = home_of(in, entry->first, entry->second);
    in->homes[where.place] |= where.bit;
}

/* Put all entries into 2^n_bits slots, which are enough. Return false, with nothing changed, when there is no memory. */
static bool move(slots *in, int n_bits)
{
    slots moved = *in;
    moved.n_bits = n_bits;
    moved.n_slots = (size_t)1 << n_bits;
    moved.at = calloc(moved.n_slots, SLOT_LEN + moved.revision_len);
    if (moved.at == NULL) {
        return false;
    }
    moved.revisions = in->revision_len == 0 ? NULL : (uint64_t *)(moved.at + moved.n_slots);
    moved.homes = (uint8_t *)(moved.at + moved.n_slots) + moved.n_slots * moved.revision_len;
    for (size_t i = 0; i < in->n_slots; i++) {
        if (in->at[i].kept != 0) {
            const slot *to = slot_of(&moved, in->at[i].first, in->at[i].second);
            copy(&moved, (size_t)(to - moved.at), in, i);
            mark_home(&moved, &in->at[i]);
        }
    }
    free(in->at);
    *in = moved;
    return true;
}

/* See to it that there is an entry of a key, or a slot for it. Return false when there is no memory. */
static bool make_room(slots *in, uint64_t first, uint64_t second)
{
    return (in->n_used != 0 && slot_of(in, first, second)->kept != 0) || is_enough(in->n_slots, in->n_used + 1) ||
           move(in, in->n_bits + 1);
}

/* Find the entry of a key, or make a free slot one that lacks its *kept*. There is room. */
static slot *entry_of(slots *in, uint64_t first, uint64_t second)
{
    slot *entry = slot_of(in, first, second);
    if (entry->kept == 0) {
        entry->first = first;
        entry->second = second;
        mark_home(in, entry);
        in->n_used++;
    }
    return entry;
}

/*
 * Free a slot, and close the gap: an entry behind it moves up unless its home lies behind the gap. The mark at the home
 * of what stood there stays, for mark_homes.
 */
static void forget(slots *in, size_t gap)
{
    for (size_t place = next_of(in, gap); in->at[place].kept != 0; place = next_of(in, place)) {
        const size_t from_home = place - home_of(in, in->at[place].first, in->at[place].second).place;
        const size_t from_gap = place - gap;
        if ((from_home & (in->n_slots - 1)) >= (from_gap & (in->n_slots - 1))) {
            copy(in, gap, in, place);
            gap = place;
        }
    }
    in->at[gap].kept = 0;
    if (in->revision_len != 0) {
        in->revisions[gap] = 0; /* as in any free slot */
    }
    in->n_used--;
}

/* Mark the homes of all entries again, and no others. */
static void mark_homes(slots *in)
{
    memset(in->homes, 0, in->n_slots);
    for (size_t i = 0; i < in->n_slots; i++) {
        if (in->at[i].kept != 0) {
            mark_home(in, &in->at[i]);
        }
    }
}

static void expire(slots *in, int64_t now)
{
    const size_t n_used = in->n_used;
    size_t place = 0;
    while (place < in->n_slots) {
        /* What moves up comes from slots that are still to be read, or, around the end, from some that were. */
        if (in->at[place].kept != 0 && keep_until_of(&in->at[place]) <= now) {
            forget(in, place);
        } else {
            place++;
        }
    }
    if (in->n_used < n_used) {
        mark_homes(in);
    }
    int n_bits = in->n_bits;
    while (n_bits > 1 && is_enough((size_t)1 << (n_bits - 1), in->n_used)) {
        n_bits--;
    }
    if (in->n_used == 0) {
        free(in->at);
        *in = (slots){.key_mask = in->key_mask, .revision_len = in->revision_len};
    } else if (n_bits < in->n_bits) {
        /* Without memory to move to, the larger place stays: it is as right, and the next time tries again. */
        (void)move(in, n_bits);
    }
}

static int64_t longer(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

revocations *revocations_new(void)
{
    revocations *index = calloc(1, sizeof(revocations));
    if (index == NULL) {
        return NULL;
    }
    index->sessions.key_mask = UINT64_MAX;
    index->spared_sessions.key_mask = UINT64_MAX;
    index->spared_sessions.revision_len = sizeof(uint64_t);
    index->turn = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    index->lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    return index;
}

void revocations_free(revocations *index)
{
    if (index == NULL) {
        return;
    }
    free(index->sessions.at);
    for (int i = 0; i < N_SCOPES; i++) {
        free(index->cuts[i].at);
    }
    free(index->spared_sessions.at);
    pthread_rwlock_destroy(&index->lock);
    pthread_mutex_destroy(&index->turn);
    free(index);
}

/* No way of taking the locks can fail: they are good, and no thread takes them twice. */
void revocations_read_lock(revocations *index)
{
    if (atomic_load_explicit(&index->n_writers, memory_order_relaxed) != 0) {
        pthread_mutex_lock(&index->turn); /* which a writer holds until it has the lock */
        pthread_mutex_unlock(&index->turn);
    }
    pthread_rwlock_rdlock(&index->lock);
}

void revocations_read_unlock(revocations *index)
{
    pthread_rwlock_unlock(&index->lock);
}

static void write_lock(revocations *index)
{
    atomic_fetch_add_explicit(&index->n_writers, 1, memory_order_relaxed);
    pthread_mutex_lock(&index->turn);
    pthread_rwlock_wrlock(&index->lock);
    pthread_mutex_unlock(&index->turn);
    atomic_fetch_sub_explicit(&index->n_writers, 1, memory_order_relaxed);
}

static void write_unlock(revocations *index)
{
    pthread_rwlock_unlock(&index->lock);
}

bool revocations_end_session(
    revocations *index, const uint8_t session_id[SESSION_ID_LEN], verdict cause, int64_t keep_until)
{
    const uint64_t first = load_le64(session_id), second = load_le64(session_id + 8);
    write_lock(index);
    const bool has_room = make_room(&index->sessions, first, second);
    if (has_room) {
        slot *entry = entry_of(&index->sessions, first, second);
        entry->kept = kept_of(longer(keep_until, keep_until_of(entry)), cause);
    }
    write_unlock(index);
    return has_room;
}

static void spare(slots *spared_sessions, uint64_t first, uint64_t second, uint64_t revision, int64_t keep_until)
{
    slot *entry = entry_of(spared_sessions, first, second);
    uint64_t *beside = &spared_sessions->revisions[entry - spared_sessions->at];
    *beside = larger(revision, *beside); /* which is 0 in one that was just made */
    entry->kept = kept_of(longer(keep_until, keep_until_of(entry)), SPARED);
}

bool revocations_cut(
    revocations *index, revocations_scope scope, const uint8_t scope_hash[SCOPE_HASH_LEN], uint64_t revision,
    int64_t keep_until, const revocations_spared *spared)
{
    const uint64_t hash = scope == REVOCATIONS_ALL ? 0 : load_le64(scope_hash);
    const uint64_t first = spared == NULL ? 0 : load_le64(spared->session_id);
    const uint64_t second = spared == NULL ? 0 : load_le64(spared->session_id + 8);
    write_lock(index);
    /* Room for both before either is written; what room was made stays where there is none for the other. */
    const bool has_room = make_room(&index->cuts[scope], hash, revision) &&
                          (spared == NULL || make_room(&index->spared_sessions, first, second));
    if (has_room) {
        slot *entry = entry_of(&index->cuts[scope], hash, revision);
        entry->second = larger(revision, entry->second);
        entry->kept = kept_of(longer(keep_until, keep_until_of(entry)), cut_causes[scope]);
        if (spared != NULL) {
            spare(&index->spared_sessions, first, second, revision, spared->keep_until);
        }
    }
    write_unlock(index);
    return has_room;
}

void revocations_expire(revocations *index, int64_t now)
{
    write_lock(index);
    expire(&index->sessions, now);
    for (int i = 0; i < N_SCOPES; i++) {
        expire(&index->cuts[i], now);
    }
    expire(&index->spared_sessions, now);
    write_unlock(index);
}

/* The revision that a session counts as born at: its own, or that of the last cut that spared it. */
static uint64_t born_of(const slots *spared_sessions, const revocable *who)
{
    const slot *found = find(spared_sessions, load_le64(who->session_id), load_le64(who->session_id + 8));
    return found == NULL ? who->born : larger(who->born, spared_sessions->revisions[found - spared_sessions->at]);
}

verdict revocations_judge(const revocations *index, const revocable *who)
{
    const slot *session = find(&index->sessions, load_le64(who->session_id), load_le64(who->session_id + 8));
    if (session != NULL) {
        return (verdict)(session->kept & CAUSE_MASK);
    }
    const uint64_t hashes[N_SCOPES] = {load_le64(who->subject_hash), load_le64(who->tenant_hash), 0};
    for (int i = 0; i < N_SCOPES; i++) {
        const slot *cut = find(&index->cuts[i], hashes[i], 0);
        /* Few were born before a cut, so spared sessions are looked for among those alone. */
        if (cut != NULL && who->born < cut->second && born_of(&index->spared_sessions, who) < cut->second) {
            return (verdict)(cut->kept & CAUSE_MASK);
        }
    }
    return VERDICT_GOOD;
}

size_t revocations_count(revocations *index)
{
    revocations_read_lock(index);
    size_t n_entries = index->sessions.n_used;
    for (int i = 0; i < N_SCOPES; i++) {
        n_entries += index->cuts[i].n_used;
    }
    n_entries += index->spared_sessions.n_used;
    revocations_read_unlock(index);
    return n_entries;
}

size_t revocations_memory_len(revocations *index)
{
    revocations_read_lock(index);
    size_t n_bytes = sizeof(revocations) + memory_len(&index->sessions);
    for (int i = 0; i < N_SCOPES; i++) {
        n_bytes += memory_len(&index->cuts[i]);
    }
    n_bytes += memory_len(&index->spared_sessions);
    revocations_read_unlock(index);
    return n_bytes;
}
