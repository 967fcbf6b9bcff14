/*
 * What a verifier says of a token.
 *
 * A verdict is the first that holds, in this order: MALFORMED or WRONG_TOKEN_KIND, UNKNOWN_KEY, KEY_REVOKED, TAMPERED,
 * NOT_YET_VALID, EXPIRED, WRONG_AUDIENCE, and the cause that revoked it.
 */
#ifndef SESSIOND_VERDICT_H
#define SESSIOND_VERDICT_H

#include <stdbool.h>

/* The numbers of sessiond.errors.Cause, and 0. */
typedef enum {
    VERDICT_GOOD = 0,
    VERDICT_MALFORMED = 1,
    VERDICT_UNKNOWN_KEY = 2,
    VERDICT_KEY_REVOKED = 3,
    VERDICT_TAMPERED = 4,
    VERDICT_NOT_YET_VALID = 5,
    VERDICT_EXPIRED = 6,
    VERDICT_REVOKED = 8,
    VERDICT_SUBJECT_REVOKED = 9,
    VERDICT_TENANT_REVOKED = 10,
    VERDICT_ALL_REVOKED = 11,
    VERDICT_REUSED = 12,
    VERDICT_STATE_LOST = 14,
    VERDICT_WRONG_TOKEN_KIND = 17,
    VERDICT_WRONG_AUDIENCE = 18,
    VERDICT_EVICTED = 20,
} verdict;

/* Tell whether a cause is one that ends sessions before their time. */
static inline bool verdict_is_of_revoked(verdict given)
{
    return (given >= VERDICT_REVOKED && given <= VERDICT_REUSED) || given == VERDICT_STATE_LOST ||
           given == VERDICT_EVICTED;
}

/* Tell whether a token got as far as a good signature, so that what it says may be handed out. */
static inline bool verdict_is_of_signed(verdict given)
{
    switch (given) {
    case VERDICT_GOOD:
    case VERDICT_NOT_YET_VALID:
    case VERDICT_EXPIRED:
    case VERDICT_WRONG_AUDIENCE:
    case VERDICT_REVOKED:
    case VERDICT_SUBJECT_REVOKED:
    case VERDICT_TENANT_REVOKED:
    case VERDICT_ALL_REVOKED:
    case VERDICT_REUSED:
    case VERDICT_STATE_LOST:
    case VERDICT_EVICTED:
        return true;
    case VERDICT_MALFORMED:
    case VERDICT_UNKNOWN_KEY:
    case VERDICT_KEY_REVOKED:
    case VERDICT_TAMPERED:
    case VERDICT_WRONG_TOKEN_KIND:
        break;
    }
    return false;
}

#endif
