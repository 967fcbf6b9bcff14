/*
 * The revocation index: which sessions ended, which scopes were cut, and which sessions a cut spared, for as long as a
 * token of theirs may live.
 *
 * Safe to use from any thread. Readers of many tokens hold the lock once for a pass of them, between
 * revocations_read_lock and revocations_read_unlock; whoever writes waits for them. Nothing here waits for anything
 * else while it holds the lock, so a caller may hold other locks.
 */
#ifndef SESSIOND_REVOCATIONS_H
#define SESSIOND_REVOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fields.h"
#include "verdict.h"

/* What a cut covers, in the order in which cuts are judged. */
typedef enum { REVOCATIONS_SUBJECT, REVOCATIONS_TENANT, REVOCATIONS_ALL } revocations_scope;

/* The session that a cut spares. */
typedef struct {
    const uint8_t *session_id;
    int64_t keep_until; /* when the last of its tokens from before the cut is dead, from 0 to below 2^53 */
} revocations_spared;

/* What of a token says who can have revoked it. */
typedef struct {
    const uint8_t *session_id, *tenant_hash, *subject_hash;
    uint64_t born; /* the revision at which the session was created */
} revocable;

typedef struct revocations revocations;

/* Make an index that knows nothing; NULL when there is no memory for it. */
revocations *revocations_new(void);
void revocations_free(revocations *index);

/*
 * Know that a session ended with *cause*, until *keep_until*, seconds from 0 to below 2^53. Of a session that comes
 * again the last cause holds, and the longer memory. Return false, with nothing changed, when there is no memory.
 */
bool revocations_end_session(
    revocations *index, const uint8_t session_id[SESSION_ID_LEN], verdict cause, int64_t keep_until);

/*
 * Know that every session of a scope that was born before *revision* is dead, until *keep_until* as above. The hash of
 * REVOCATIONS_ALL is not read. Of a scope that comes again the larger revision holds, and the longer memory.
 *
 * The session of *spared*, NULL for none, counts as born at *revision* if it was born before; of one that comes again
 * the larger revision holds, and the longer memory. No reader knows one without the other.
 *
 * Return false, with nothing known that was not before, when there is no memory.
 */
bool revocations_cut(
    revocations *index, revocations_scope scope, const uint8_t scope_hash[SCOPE_HASH_LEN], uint64_t revision,
    int64_t keep_until, const revocations_spared *spared);

/* Forget what is kept until *now* or less. Time grows with all that is known. */
void revocations_expire(revocations *index, int64_t now);

/* Hold off whoever writes. A thread that holds the lock must not take it again. */
void revocations_read_lock(revocations *index);
void revocations_read_unlock(revocations *index);

/*
 * Name what revoked a token, VERDICT_GOOD while it lives: the end of its session first, then the cuts of its subject,
 * of its tenant and of everything. It is born with its session, or at the last cut that spared that, where that is
 * later. The caller holds the lock.
 */
verdict revocations_judge(const revocations *index, const revocable *who);

/* Count the ends, cuts and spared sessions that are known, and the bytes that they take. They lock for themselves. */
size_t revocations_count(revocations *index);
size_t revocations_memory_len(revocations *index);

#endif
