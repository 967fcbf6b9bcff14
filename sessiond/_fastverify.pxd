"""What the extension takes from ``native/``; each header says what its functions promise."""

from libc.stdint cimport int64_t, uint8_t


cdef extern from "native/bytes.h" nogil:
    ctypedef struct span:
        const uint8_t *start
        size_t len


cdef extern from "native/ed25519.h" nogil:
    enum:
        ED25519_PUBLIC_KEY_LEN
        ED25519_SIGNATURE_LEN

        ED25519_SMALL_TABLE

    ctypedef struct ed25519_key:
        pass

    ctypedef struct ed25519_item:
        const ed25519_key *key
        const uint8_t *message
        size_t message_len
        const uint8_t *signature

    ctypedef enum ed25519_key_fault:
        ED25519_KEY_GOOD
        ED25519_KEY_NOT_CANONICAL_POINT
        ED25519_KEY_SMALL_ORDER
        ED25519_KEY_NO_MEMORY

    ctypedef enum ed25519_start_fault:
        ED25519_START_GOOD
        ED25519_START_NOT_RUNNABLE
        ED25519_START_NO_MEMORY

    ed25519_start_fault ed25519_start(const char *forced, int n_windows)
    const char *ed25519_implementation_name()
    const char *ed25519_runnable_name(size_t n)
    ed25519_key_fault ed25519_key_new(ed25519_key **key, const uint8_t *public_key, int n_windows)
    void ed25519_key_free(ed25519_key *key)
    size_t ed25519_key_memory_len(const ed25519_key *key)
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
        VERDICT_WRONG_TOKEN_KIND
        VERDICT_WRONG_AUDIENCE

    bint verdict_is_of_signed(verdict given)


cdef extern from "native/known_keys.h" nogil:
    enum:
        KEY_ID_LEN

    ctypedef struct known_key:
        pass

    ctypedef struct known_keys:
        known_key *keys
        size_t n_keys

    void known_key_set(known_key *key, const uint8_t *key_id, const ed25519_key *table, bint revoked)


cdef extern from "native/refresh.h" nogil:
    enum:
        REFRESH_FIELDS_LEN

    verdict refresh_verify(uint8_t *fields, span text, const known_keys *keys, int64_t now)


cdef extern from "native/access.h" nogil:
    enum:
        ACCESS_FIELDS_LEN
        ACCESS_PAYLOAD_MAX

    ctypedef struct access_terms:
        const known_keys *keys
        span issuer
        span audience
        int64_t now
        int64_t leeway

    verdict access_verify(
        uint8_t *fields, uint8_t *payload_json, size_t *payload_len, span text, const access_terms *terms)
    bint access_verify_batch(
        uint8_t *verdicts, uint8_t *fields, const span *texts, size_t n_texts, const access_terms *terms)
