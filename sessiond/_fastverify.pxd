"""What the extension takes from ``native/``; each header says what its functions promise."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "native/bytes.h" nogil:
    ctypedef struct span:
        const uint8_t *start
        size_t len

    uint32_t load_be32(const uint8_t *bytes)
    uint64_t load_be64(const uint8_t *bytes)


cdef extern from "native/fields.h" nogil:
    enum:
        KEY_ID_LEN
        SESSION_ID_LEN
        SCOPE_HASH_LEN

        FIELDS_KEY_ID
        FIELDS_EXPIRES_AT
        FIELDS_ISSUED_AT
        FIELDS_SESSION_ID
        FIELDS_GENERATION
        REFRESH_FIELDS_LEN

        FIELDS_TENANT_HASH
        FIELDS_SUBJECT_HASH
        FIELDS_BORN
        ACCESS_FIELDS_LEN


cdef extern from "native/table_form.h" nogil:
    enum:
        TABLE_WINDOWS_MIN
        TABLE_WINDOWS_MAX
        TABLE_ALIGNMENT

    ctypedef enum table_fault:
        TABLE_GOOD
        TABLE_WRONG_LEN
        TABLE_WRONG_LAYOUT
        TABLE_WRONG_ENTRY
        TABLE_NOT_WIDER

    size_t table_len(int n_windows)


cdef extern from "native/dispatch.h" nogil:
    ctypedef enum implementation_fault:
        IMPLEMENTATION_GOOD
        IMPLEMENTATION_NOT_RUNNABLE
        IMPLEMENTATION_NO_MEMORY
        IMPLEMENTATION_MISCALCULATED

    implementation_fault implementation_start(const char *forced)
    const char *implementation_name()
    const char *implementation_runnable(size_t n)


cdef extern from "native/ed25519.h" nogil:
    enum:
        ED25519_PUBLIC_KEY_LEN
        ED25519_SIGNATURE_LEN

    ctypedef struct ed25519_key:
        pass

    ctypedef struct ed25519_item:
        const ed25519_key *key
        const uint8_t *message
        size_t message_len
        const uint8_t *signature

    ctypedef enum ed25519_key_fault:
        ED25519_KEY_GOOD
        ED25519_KEY_SMALL_ORDER
        ED25519_KEY_NO_MEMORY
        ED25519_KEY_MISCALCULATED

    ed25519_key_fault ed25519_key_new(ed25519_key **key, const uint8_t *public_key)
    void ed25519_key_free(ed25519_key *key)
    size_t ed25519_key_memory_len(const ed25519_key *key)
    ed25519_key_fault ed25519_table_build(void *into, int n_windows, const uint8_t *public_key)
    table_fault ed25519_key_widen(ed25519_key *key, const void *given, size_t len)
    table_fault ed25519_base_widen(const void *given, size_t len)
    int ed25519_key_windows(const ed25519_key *key)
    int ed25519_base_windows()
    bint ed25519_verify(const ed25519_key *key, const uint8_t *message, size_t message_len, const uint8_t *signature)
    void ed25519_verify_batch(const ed25519_item *items, size_t n_items, uint8_t *good)
    bint ed25519_verify_once(
        const uint8_t *public_key, const uint8_t *message, size_t message_len, const uint8_t *signature)


cdef extern from "native/verdict.h" nogil:
    ctypedef enum verdict:
        VERDICT_GOOD
        VERDICT_MALFORMED
        VERDICT_UNKNOWN_KEY
        VERDICT_KEY_REVOKED
        VERDICT_TAMPERED
        VERDICT_NOT_YET_VALID
        VERDICT_EXPIRED
        VERDICT_REVOKED
        VERDICT_SUBJECT_REVOKED
        VERDICT_TENANT_REVOKED
        VERDICT_ALL_REVOKED
        VERDICT_REUSED
        VERDICT_STATE_LOST
        VERDICT_WRONG_TOKEN_KIND
        VERDICT_WRONG_AUDIENCE
        VERDICT_EVICTED

    bint verdict_is_of_revoked(verdict given)
    bint verdict_is_of_signed(verdict given)


cdef extern from "native/revocations.h" nogil:
    ctypedef enum revocations_scope:
        REVOCATIONS_SUBJECT
        REVOCATIONS_TENANT
        REVOCATIONS_ALL

    ctypedef struct revocations_spared:
        const uint8_t *session_id
        int64_t keep_until

    ctypedef struct revocable:
        const uint8_t *session_id
        const uint8_t *tenant_hash
        const uint8_t *subject_hash
        uint64_t born

    ctypedef struct revocations:
        pass

    revocations *revocations_new()
    void revocations_free(revocations *index)
    bint revocations_end_session(revocations *index, const uint8_t *session_id, verdict cause, int64_t keep_until)
    bint revocations_cut(
        revocations *index, revocations_scope scope, const uint8_t *scope_hash, uint64_t revision, int64_t keep_until,
        const revocations_spared *spared)
    void revocations_expire(revocations *index, int64_t now)
    void revocations_read_lock(revocations *index)
    void revocations_read_unlock(revocations *index)
    verdict revocations_judge(const revocations *index, const revocable *who)
    size_t revocations_count(revocations *index)
    size_t revocations_memory_len(revocations *index)


cdef extern from "native/known_keys.h" nogil:
    ctypedef struct known_key:
        pass

    ctypedef struct known_keys:
        known_key *keys
        size_t n_keys

    void known_key_set(known_key *known, const uint8_t *key_id, const ed25519_key *key, bint revoked)


cdef extern from "native/refresh.h" nogil:
    verdict refresh_verify(uint8_t *fields, span text, const known_keys *keys, int64_t now)
    void refresh_verify_batch(
        uint8_t *verdicts, uint8_t *fields, const span *texts, size_t n_texts, const known_keys *keys, int64_t now)


cdef extern from "native/payload.h" nogil:
    ctypedef struct payload_text:
        uint16_t at
        uint16_t len

    ctypedef struct payload:
        payload_text issuer
        payload_text audience
        payload_text subject
        payload_text client_id
        payload_text tenant
        payload_text claims


cdef extern from "native/siphash.h" nogil:
    enum:
        SIPHASH_KEY_LEN

    uint64_t siphash13(const uint8_t *key, const uint8_t *data, size_t data_len)


cdef extern from "native/access.h" nogil:
    enum:
        SIGNATURE_TEXT_LEN
        ACCESS_PAYLOAD_MAX

    ctypedef struct signed_access:
        uint8_t fields[ACCESS_FIELDS_LEN]
        uint8_t payload_json[ACCESS_PAYLOAD_MAX]
        size_t payload_len
        payload content

    ctypedef struct access_terms:
        const known_keys *keys
        span issuer
        span audience
        int64_t now
        int64_t leeway
        revocations *revocations

    verdict access_verify(signed_access *found, span text, const access_terms *terms)
    void access_reread_verified(signed_access *found, span text, const known_keys *keys)
    void access_verify_batch(
        uint8_t *verdicts, uint8_t *fields, const span *texts, size_t n_texts, const access_terms *terms)
    verdict access_judge_window(uint32_t issued_at, uint32_t expires_at, int64_t now, int64_t leeway)
    verdict access_judge_revocation(const uint8_t *fields, revocations *index)


cdef extern from "native/shared_revision.h" nogil:
    enum:
        SHARED_REVISION_LEN

    uint64_t shared_revision_load(const uint64_t *word)
    void shared_revision_raise(uint64_t *word, uint64_t revision)
