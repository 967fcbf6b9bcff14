"""
Requests that may come twice: how an attempt is named, and what its repetition gets.

Rule 1: an attempt is named by caller, method and request id, so callers cannot meet each other's.
Rule 2: a repetition gets the first answer for as long as the store keeps the row; the same id
with another request is refused.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeAlias

from sessiond.errors import RequestIdReusedError
from sessiond.store.contract import Request
from sessiond.store.records import RequestRecord

if TYPE_CHECKING:
    from sessiond.authority.caller import Caller
    from sessiond.authority.policy import Policy

HASH_SIZE = 16

Field: TypeAlias = str | bytes | int | None
"""A value of a request."""


def request_key(caller: str, method: str, request_id: str) -> bytes:
    """Name an attempt, 16 bytes; b"" where the request has no id."""
    return _hash(b"request key", (caller, method, request_id)) if request_id else b""


def request_hash(*fields: Field) -> bytes:
    """Hash a whole request, field by field, 16 bytes. Other values, types or splits give another hash."""
    return _hash(b"request", fields)


def retry_hash(retry_key: bytes) -> bytes:
    """Hash a retry key for the record, 16 bytes; b"" where the caller gave none."""
    return _hash(b"retry key", (retry_key,)) if retry_key else b""


def repeatable(
    caller: Caller, method: str, request_id: str, fields: tuple[Field, ...], *, policy: Policy, now: int
) -> Request | None:
    """Describe a mutation that may be repeated; None where it has no request id and so cannot be recognised."""
    if not request_id:
        return None
    keep_until = now + policy.request_retention_seconds
    return Request(request_key(caller.name, method, request_id), request_hash(*fields), keep_until)


def key_of(request: Request | None) -> bytes:
    """Name the request in an event, 16 bytes; b"" where it has no id."""
    return request.key if request is not None else b""


def first_answer(request: Request | None, prior: RequestRecord | None) -> RequestRecord | None:
    """
    Give what an earlier call with the same request answered, None where there was none.

    Raises:
        RequestIdReusedError: The earlier call asked for something else.

    """
    if request is None or prior is None:
        return None
    if prior.request_hash != request.request_hash:
        message = "the request_id was used before with another request; give every new request an id of its own"
        raise RequestIdReusedError(message)
    return prior


def answer_of(
    request: Request | None,
    *,
    revision: int = 0,
    session_id: bytes = b"",
    key_id: bytes = b"",
    other_key_id: bytes = b"",
    outcome: bytes = b"",
    at: int = 0,
) -> RequestRecord | None:
    """Note what a request is answered with, for its repetition; None where it cannot be repeated."""
    if request is None:
        return None
    return RequestRecord(
        request_hash=request.request_hash,
        keep_until=request.keep_until,
        session_id=session_id,
        key_id=key_id,
        other_key_id=other_key_id,
        revision=revision,
        outcome=outcome,
        at=at,
    )


def _hash(person: bytes, fields: tuple[Field, ...]) -> bytes:
    state = hashlib.blake2b(digest_size=HASH_SIZE, person=person)
    for field in fields:
        if isinstance(field, str):
            kind, data = b"s", field.encode()
        elif isinstance(field, bytes):
            kind, data = b"b", field
        elif field is None:
            kind, data = b"n", b""
        else:
            kind, data = b"i", str(field).encode()
        state.update(kind + len(data).to_bytes(4, "big") + data)
    return state.digest()
