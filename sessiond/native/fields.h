/* What a token says, packed: where each field stands, and how long the ids are. Integers are big-endian. */
#ifndef SESSIOND_FIELDS_H
#define SESSIOND_FIELDS_H

enum {
    KEY_ID_LEN = 8,
    SESSION_ID_LEN = 16,
    SCOPE_HASH_LEN = 8,

    /* Of both kinds of tokens. */
    FIELDS_KEY_ID = 0,
    FIELDS_EXPIRES_AT = FIELDS_KEY_ID + KEY_ID_LEN, /* u32: seconds since the epoch, like the other instants */
    FIELDS_ISSUED_AT = FIELDS_EXPIRES_AT + 4,
    FIELDS_SESSION_ID = FIELDS_ISSUED_AT + 4,
    FIELDS_GENERATION = FIELDS_SESSION_ID + SESSION_ID_LEN, /* u32 */
    REFRESH_FIELDS_LEN = FIELDS_GENERATION + 4,

    /* Of access tokens alone. */
    FIELDS_JTI_ISSUED_AT = REFRESH_FIELDS_LEN, /* the same instant again, the last part of jti */
    FIELDS_TENANT_HASH = FIELDS_JTI_ISSUED_AT + 4,
    FIELDS_SUBJECT_HASH = FIELDS_TENANT_HASH + SCOPE_HASH_LEN,
    FIELDS_BORN = FIELDS_SUBJECT_HASH + SCOPE_HASH_LEN, /* u64 */
    ACCESS_FIELDS_LEN = FIELDS_BORN + 8,
};

#endif
