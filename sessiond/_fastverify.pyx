# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, autotestdict=False, auto_pickle=False
"""
The compiled verifier: token text in, verdict and fields out.

Rule 1: a verdict is the first cause that holds, in this order: MALFORMED, WRONG_TOKEN_KIND, UNKNOWN_KEY, KEY_REVOKED,
TAMPERED, NOT_YET_VALID, EXPIRED, WRONG_AUDIENCE.
Rule 2: a token has one spelling; whatever the signer would not write is MALFORMED.
Rule 3: nothing of a token is handed out before its signature is found good.
Rule 4: no text, however wrong, raises; only arguments of a wrong type do.

Everything works on public data: no key here can sign, and nothing is constant in time. All objects are immutable and
may be used from any thread.
"""

import os

cimport cython

from cpython.buffer cimport PyObject_CheckBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc


cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    void *PyUnicode_DATA(object text)


GOOD = VERDICT_GOOD
MALFORMED = VERDICT_MALFORMED
UNKNOWN_KEY = VERDICT_UNKNOWN_KEY
KEY_REVOKED = VERDICT_KEY_REVOKED
TAMPERED = VERDICT_TAMPERED
NOT_YET_VALID = VERDICT_NOT_YET_VALID
EXPIRED = VERDICT_EXPIRED
WRONG_TOKEN_KIND = VERDICT_WRONG_TOKEN_KIND
WRONG_AUDIENCE = VERDICT_WRONG_AUDIENCE

REFRESH_FIELDS_SIZE = REFRESH_FIELDS_LEN
ACCESS_FIELDS_SIZE = ACCESS_FIELDS_LEN

cdef enum:
    # Above this many bytes hashing outweighs the cost of giving the GIL away and waiting for it again.
    MESSAGE_LEN_WITHOUT_GIL = 65536


def _start():
    """Choose the implementation, or say which ones could be forced."""
    forced = os.environ.get("SESSIOND_FORCE_IMPL")
    name = None if forced is None else forced.encode("utf-8", "surrogateescape")
    cdef const char *chosen = NULL
    if name is not None:
        chosen = name
    cdef ed25519_start_fault fault = ed25519_start(chosen, ED25519_SMALL_TABLE)
    if fault == ED25519_START_NO_MEMORY:
        raise MemoryError
    if fault != ED25519_START_GOOD:
        raise ImportError(
            f"SESSIOND_FORCE_IMPL={forced!r} does not run on this machine; possible: {', '.join(implementations())}"
        )


def implementations() -> tuple[str, ...]:
    """Name every implementation of Ed25519 that this machine can run, best first."""
    names = []
    cdef const char *name = ed25519_runnable_name(0)
    while name is not NULL:
        names.append(name.decode("ascii"))
        name = ed25519_runnable_name(len(names))
    return tuple(names)


def implementation() -> str:
    """
    Name the implementation in use.

    It is chosen once, at import: the best one, or the one that the environment variable SESSIOND_FORCE_IMPL names.
    """
    return ed25519_implementation_name().decode("ascii")


# --- Borrowed bytes ---


cdef inline span span_of(object data):
    """Borrow the bytes of *data*, a bytes object or one of a subclass."""
    cdef span borrowed
    borrowed.start = <const uint8_t *>PyBytes_AS_STRING(data)
    borrowed.len = <size_t>PyBytes_GET_SIZE(data)
    return borrowed


cdef bytes as_bytes(object data, str name):
    """
    Give *data* as bytes: itself, or a copy of any other bytes-like object.

    The copy is what makes a bytearray safe that another thread changes while its signature is verified.
    """
    if type(data) is bytes:
        return data
    if not PyObject_CheckBuffer(data):
        raise TypeError(f"{name} must be bytes-like, not {type(data).__name__}")
    return bytes(memoryview(data))


cdef span text_span(object token) except *:
    """Borrow the characters of *token*; a str that is not ASCII becomes the empty text, which no token is."""
    cdef span text
    text.start = NULL
    text.len = 0
    if isinstance(token, str):
        if PyUnicode_IS_ASCII(token):
            text.start = <const uint8_t *>PyUnicode_DATA(token)
            text.len = <size_t>PyUnicode_GET_LENGTH(token)
    elif isinstance(token, bytes):
        text = span_of(token)
    else:
        raise TypeError(f"a token must be str or bytes, not {type(token).__name__}")
    return text


# --- Signatures ---


def verify_signature(public_key, message, signature) -> bool:
    """
    Tell whether *signature* is good for *message* under *public_key*.

    The rule is that of the libsodium releases 1.0.18 to 1.0.22, for keys too: S < L, the key canonical and not of
    small order, R not of small order, no cofactor, R compared byte by byte. Keys with a torsion component are taken;
    refusing them is the business of whoever loads keys. Wrong lengths are False. Any bytes-like objects do; the
    message may have any length. Use a KeyTable for a key that verifies more than once: it is several times faster.
    """
    cdef bytes key_bytes = as_bytes(public_key, "public_key")
    cdef bytes message_bytes = as_bytes(message, "message")
    cdef bytes signature_bytes = as_bytes(signature, "signature")
    if len(key_bytes) != ED25519_PUBLIC_KEY_LEN or len(signature_bytes) != ED25519_SIGNATURE_LEN:
        return False
    cdef span A = span_of(key_bytes), M = span_of(message_bytes), R_and_S = span_of(signature_bytes)
    cdef bint good
    with nogil:
        good = ed25519_verify_once(A.start, M.start, M.len, R_and_S.start)
    return good


@cython.final
cdef class KeyTable:
    """
    The precomputed table of one public key, which makes its verifications several times faster.

    Making one takes about a millisecond. Immutable; share it between verifiers and threads. The memory is freed with
    the object. Keys with a torsion component are taken, as by libsodium: refuse them where keys are loaded.

    Raises ValueError when *public_key* is not 32 bytes, not the canonical encoding of a point, or of small order.
    """

    cdef ed25519_key *_key
    cdef bytes _public_key

    def __cinit__(self, public_key):
        cdef bytes key_bytes = as_bytes(public_key, "public_key")
        if len(key_bytes) != ED25519_PUBLIC_KEY_LEN:
            raise ValueError(f"an Ed25519 public key has {ED25519_PUBLIC_KEY_LEN} bytes, not {len(key_bytes)}")
        cdef span A = span_of(key_bytes)
        cdef ed25519_key_fault fault
        with nogil:
            fault = ed25519_key_new(&self._key, A.start, ED25519_SMALL_TABLE)
        if fault == ED25519_KEY_NO_MEMORY:
            raise MemoryError
        if fault == ED25519_KEY_SMALL_ORDER:
            raise ValueError("the public key is a point of small order")
        if fault != ED25519_KEY_GOOD:
            raise ValueError("the public key is not the canonical encoding of a point of the curve")
        self._public_key = key_bytes

    def __dealloc__(self):
        ed25519_key_free(self._key)

    @property
    def public_key(self) -> bytes:
        """The 32 bytes that the table was made from."""
        return self._public_key

    @property
    def memory_bytes(self) -> int:
        """The memory that the table takes."""
        return ed25519_key_memory_len(self._key)

    def verify(self, message, signature) -> bool:
        """Tell whether *signature* is good for *message*, by the rule of verify_signature."""
        cdef bytes message_bytes = as_bytes(message, "message")
        cdef bytes signature_bytes = as_bytes(signature, "signature")
        if len(signature_bytes) != ED25519_SIGNATURE_LEN:
            return False
        cdef span M = span_of(message_bytes), R_and_S = span_of(signature_bytes)
        cdef bint good
        if M.len < <size_t>MESSAGE_LEN_WITHOUT_GIL:
            return ed25519_verify(self._key, M.start, M.len, R_and_S.start)
        with nogil:
            good = ed25519_verify(self._key, M.start, M.len, R_and_S.start)
        return good

    def verify_batch(self, items) -> bytes:
        """
        Verify (message, signature) pairs: one byte each, 1 for good and 0 for bad, in order.

        Each answer is that of ``verify`` for the pair alone. The items are read once, before the work starts, which
        runs without the GIL.
        """
        cdef list pairs = []
        cdef bytes message_bytes, signature_bytes
        for message, signature in tuple(items):
            pairs.append((as_bytes(message, "message"), as_bytes(signature, "signature")))
        cdef size_t n_pairs = <size_t>len(pairs), n_items = 0, i
        cdef bytearray answers = bytearray(n_pairs)
        cdef ed25519_item *batch = <ed25519_item *>malloc((n_pairs + 1) * sizeof(ed25519_item))
        cdef size_t *places = <size_t *>malloc((n_pairs + 1) * sizeof(size_t))
        cdef uint8_t *good = <uint8_t *>malloc(n_pairs + 1)
        try:
            if batch is NULL or places is NULL or good is NULL:
                raise MemoryError
            for i in range(n_pairs):
                message_bytes, signature_bytes = pairs[i]
                if len(signature_bytes) != ED25519_SIGNATURE_LEN:
                    continue
                batch[n_items].key = self._key
                batch[n_items].message = span_of(message_bytes).start
                batch[n_items].message_len = span_of(message_bytes).len
                batch[n_items].signature = span_of(signature_bytes).start
                places[n_items] = i
                n_items += 1
            with nogil:
                ed25519_verify_batch(batch, n_items, good)
            for i in range(n_items):
                answers[places[i]] = good[i]
            return bytes(answers)
        finally:
            free(batch)
            free(places)
            free(good)


# --- Keys of a verifier ---


@cython.final
cdef class _KnownKeys:
    """The keys of a verifier, from (key id, table, revoked) rows. Keeps the tables alive."""

    cdef known_keys _known
    cdef list _tables

    def __cinit__(self, keys):
        cdef tuple rows = tuple(keys)
        self._tables = []
        self._known.keys = <known_key *>malloc((len(rows) + 1) * sizeof(known_key))
        if self._known.keys is NULL:
            raise MemoryError
        seen = set()
        for key_id, table, revoked in rows:
            if not isinstance(key_id, bytes) or len(key_id) != KEY_ID_LEN:
                raise ValueError(f"a key id is {KEY_ID_LEN} bytes")
            if key_id in seen:
                raise ValueError(f"the key id {key_id.hex()} stands for two keys")
            seen.add(key_id)
            self._tables.append(table)
            known_key_set(
                &self._known.keys[self._known.n_keys], span_of(key_id).start, (<KeyTable?>table)._key, bool(revoked)
            )
            self._known.n_keys += 1

    def __dealloc__(self):
        free(self._known.keys)


cdef int64_t seconds(object value, str name, int64_t limit) except -1:
    """Give *value*, an int from 0 to below *limit*: so small that no sum of times overflows."""
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    cdef int overflow
    cdef int64_t given = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow or not 0 <= given < limit:
        raise ValueError(f"{name} must be whole seconds from 0 to {limit - 1}")
    return given


cdef int64_t check_now(object now) except -1:
    return seconds(now, "now", 1 << 53)


cdef int64_t check_leeway(object leeway) except -1:
    return seconds(leeway, "leeway", 1 << 32)


# --- Tokens ---


@cython.final
cdef class RefreshVerifier:
    """
    Verifies refresh tokens under the keys it was made with.

    *keys* are (key id of 8 bytes, table, revoked) rows; ValueError when two rows share a key id.
    """

    cdef _KnownKeys _keys

    def __cinit__(self, keys):
        self._keys = _KnownKeys(keys)

    def verify(self, token, now) -> tuple[int, bytes]:
        """
        Judge *token* at *now*, whole seconds since the epoch.

        Returns the verdict and, once the signature is good, REFRESH_FIELDS_SIZE bytes of fields (so an EXPIRED token
        has them too), else b"". The window is half-open: a token is dead in the second that it names as its expiry.
        iat is not judged.
        """
        cdef span text = text_span(token)
        cdef uint8_t fields[REFRESH_FIELDS_LEN]
        cdef verdict given = refresh_verify(fields, text, &self._keys._known, check_now(now))
        if not verdict_is_of_signed(given):
            return given, b""
        return given, PyBytes_FromStringAndSize(<char *>fields, REFRESH_FIELDS_LEN)


@cython.final
cdef class AccessVerifier:
    """
    Verifies access tokens of one issuer under the keys it was made with.

    *keys* are (key id of 8 bytes, table, revoked) rows; ValueError when two rows share a key id. *issuer*, like every
    *audience*, is given as it stands between the quotes of a JSON string.
    """

    cdef _KnownKeys _keys
    cdef bytes _issuer

    def __cinit__(self, keys, bytes issuer not None):
        self._keys = _KnownKeys(keys)
        self._issuer = issuer

    cdef access_terms _terms(self, bytes audience, now, leeway) except *:
        """Gather what is asked of tokens; good for as long as *audience* lives."""
        cdef access_terms terms
        terms.keys = &self._keys._known
        terms.issuer = span_of(self._issuer)
        terms.audience = span_of(audience)
        terms.now = check_now(now)
        terms.leeway = check_leeway(leeway)
        return terms

    def verify(self, token, bytes audience not None, now, leeway) -> tuple[int, bytes, bytes]:
        """
        Judge *token* for *audience* at *now*, whole seconds since the epoch.

        *leeway* seconds are granted before iat, none after exp. Returns the verdict and, once the signature is good,
        ACCESS_FIELDS_SIZE bytes of fields and the payload (so an EXPIRED token has them too), else b"" twice.
        """
        cdef span text = text_span(token)
        cdef access_terms terms = self._terms(audience, now, leeway)
        cdef uint8_t fields[ACCESS_FIELDS_LEN]
        cdef uint8_t payload[ACCESS_PAYLOAD_MAX]
        cdef size_t payload_len
        cdef verdict given = access_verify(fields, payload, &payload_len, text, &terms)
        if not verdict_is_of_signed(given):
            return given, b"", b""
        return (
            given,
            PyBytes_FromStringAndSize(<char *>fields, ACCESS_FIELDS_LEN),
            PyBytes_FromStringAndSize(<char *>payload, <Py_ssize_t>payload_len),
        )

    def verify_batch(self, tokens, bytes audience not None, now, leeway) -> tuple[bytes, bytes]:
        """
        Judge many tokens as ``verify`` does: one verdict byte each, in order, and their fields one after another.

        The fields of each take ACCESS_FIELDS_SIZE bytes, zeros where the verdict is not GOOD. The list is read once,
        before the work starts, which runs without the GIL; tokens under different keys may be mixed.
        """
        cdef tuple held = tuple(tokens)  # what another thread does to the list must not free what is read below
        cdef access_terms terms = self._terms(audience, now, leeway)
        cdef size_t n_tokens = <size_t>len(held), i
        cdef bytes verdicts = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>n_tokens)
        cdef bytes fields = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(n_tokens * ACCESS_FIELDS_LEN))
        cdef uint8_t *verdicts_out = <uint8_t *>PyBytes_AS_STRING(verdicts)
        cdef uint8_t *fields_out = <uint8_t *>PyBytes_AS_STRING(fields)
        cdef span *texts = <span *>malloc((n_tokens + 1) * sizeof(span))
        cdef bint has_room
        try:
            if texts is NULL:
                raise MemoryError
            for i in range(n_tokens):
                texts[i] = text_span(held[i])
            with nogil:
                has_room = access_verify_batch(verdicts_out, fields_out, texts, n_tokens, &terms)
            if not has_room:
                raise MemoryError
            return verdicts, fields
        finally:
            free(texts)


_start()
