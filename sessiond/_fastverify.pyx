# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, autotestdict=False, auto_pickle=False
"""
The compiled verifier: token text in, verdict and fields out.

Rule 1: a verdict is the first cause that holds, in this order: MALFORMED, WRONG_TOKEN_KIND, UNKNOWN_KEY, KEY_REVOKED,
TAMPERED, NOT_YET_VALID, EXPIRED, WRONG_AUDIENCE, and the cause that revoked it, where a revocation index is asked.
Rule 2: a token has one spelling; whatever the signer would not write is MALFORMED.
Rule 3: nothing of a token is handed out before its signature is found good.
Rule 4: no text, however wrong, is an error of its own: it has a verdict. Arguments of a wrong type raise.

Everything works on public data: no key here can sign, and nothing is constant in time. All objects may be used from any
thread. What changes is which of its tables a key verifies with, what a revocation index knows, and what a verifier
remembers: the tokens in its cache, and the spelling of the last audience.
"""

import json
import os

cimport cython

from cpython.buffer cimport (
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_CheckBuffer,
    PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.number cimport PyNumber_AsSsize_t
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_AsUnsignedLongLong
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from cpython.unicode cimport PyUnicode_DecodeLatin1, PyUnicode_DecodeUTF8, PyUnicode_FromObject
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcmp, memcpy


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
REVOKED = VERDICT_REVOKED
SUBJECT_REVOKED = VERDICT_SUBJECT_REVOKED
TENANT_REVOKED = VERDICT_TENANT_REVOKED
ALL_REVOKED = VERDICT_ALL_REVOKED
REUSED = VERDICT_REUSED
STATE_LOST = VERDICT_STATE_LOST
WRONG_TOKEN_KIND = VERDICT_WRONG_TOKEN_KIND
WRONG_AUDIENCE = VERDICT_WRONG_AUDIENCE
EVICTED = VERDICT_EVICTED

REFRESH_FIELDS_SIZE = REFRESH_FIELDS_LEN
ACCESS_FIELDS_SIZE = ACCESS_FIELDS_LEN

SMALL_TABLE_WINDOWS = TABLE_WINDOWS_MAX
WIDEST_TABLE_WINDOWS = TABLE_WINDOWS_MIN

cdef enum:
    # Above this many bytes hashing outweighs the cost of giving the GIL away and waiting for it again.
    MESSAGE_LEN_WITHOUT_GIL = 65536
    # The same for tokens of a batch. To give the GIL away costs 0.1 us where nobody wants it; beside a thread that
    # computes in Python it costs the wait for that thread's switch interval, 5 ms, whatever the length of the batch.
    # Fewer tokens than these are 0.1 ms of work at most, which others can wait for.
    BATCH_LEN_WITHOUT_GIL = 64


cdef int choose_implementation() except -1:
    """Choose the implementation, or say which ones could be forced."""
    forced = os.environ.get("SESSIOND_FORCE_IMPL")
    name = None if forced is None else forced.encode("utf-8", "surrogateescape")
    cdef const char *chosen = NULL
    if name is not None:
        chosen = name
    cdef implementation_fault fault = implementation_start(chosen)
    if fault == IMPLEMENTATION_NO_MEMORY:
        raise MemoryError
    if fault == IMPLEMENTATION_MISCALCULATED:
        raise ImportError("the table of the base point did not pass its check: this machine miscalculates")
    if fault != IMPLEMENTATION_GOOD:
        raise ImportError(
            f"SESSIOND_FORCE_IMPL={forced!r} does not run on this machine; possible: {', '.join(implementations())}"
        )
    return 0


def implementations() -> tuple[str, ...]:
    """Name every implementation of the verifier that this machine can run, best first."""
    names = []
    cdef const char *name = implementation_runnable(0)
    while name is not NULL:
        names.append(name.decode("ascii"))
        name = implementation_runnable(len(names))
    return tuple(names)


def implementation() -> str:
    """
    Name the implementation in use.

    It is chosen once, at import: the best one, or the one that the environment variable SESSIOND_FORCE_IMPL names.
    """
    return implementation_name().decode("ascii")


include "native/arguments.pxi"
include "native/borrowed.pxi"
include "native/tables.pxi"
include "native/signatures.pxi"
include "native/revocations.pxi"
include "native/verified.pxi"
include "native/cache.pxi"
include "native/verifiers.pxi"
include "native/batches.pxi"
include "native/shared_revision.pxi"

draw_cache_secret()
choose_implementation()
