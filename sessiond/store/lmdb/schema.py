"""
How records lie in LMDB: the tables, their keys, and what a value is made of.

Rule 1: a value is a format byte, four bytes of CRC-32 over the rest of it and over its table and key, two bytes of
length, the record as MessagePack, and room to grow. LMDB's own format checks nothing: a flipped bit goes unseen.
Rule 2: every format begins with its byte. A process that meets a newer one neither reads nor rewrites it.
Rule 3: a session is packed (see :func:`pack_session`): it is the one record that there are millions of.
Rule 4: rows of an index are keys alone, and whatever an index leads to is checked against it.
Rule 5: numbers in keys are big-endian, so that rows lie in the order of their numbers.
"""

from __future__ import annotations

import enum
import re
import struct
import uuid
import zlib
from typing import Any, TypeVar

import msgspec
from msgspec.structs import astuple

from sessiond.store.records import Cut, Event, Record, RequestRecord, Revocation, Scope, ScopeKind, Session
from sessiond.store.rows import Table

R = TypeVar("R", bound=Record)

FORMAT = 1

SESSION_ROOM = 264
"""
The bytes that a session's value takes at least.

A session grows at its first refreshes, by the trace of a second call. In a table
whose pages were filled by new sessions that would split every page in two; with
the room in place, pages stay full and a refresh writes where the session lies.
"""

_HEADER = struct.Struct("<BIH")
_BODY_MAX = 2**16 - 1
_KEY_MAX = 500
_DEADLINE_MAX = 2**32 - 1

_ID, _SUBJECT, _PENDING_BY, _CONFIRMED_BY = (
    Session.__struct_fields__.index(name) for name in ("id", "subject", "pending_by", "confirmed_by")
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


class Db(enum.Enum):
    """
    The tables of LMDB; ``META`` holds the single records.

    Three are indexes: ``SUBJECTS`` leads from a subject's hash to its sessions without an end of their own,
    ``TIMELINES`` from a session to its events, and ``DEADLINES`` from a time to what is due by then.
    """

    SESSIONS = b"sessions"
    SUBJECTS = b"subjects"
    REQUESTS = b"requests"
    CUTS = b"cuts"
    KEYS = b"keys"
    REVOCATIONS = b"revocations"
    EVENTS = b"events"
    REFUSALS = b"refusals"
    TIMELINES = b"timelines"
    DEADLINES = b"deadlines"
    META = b"meta"


ADDED = frozenset({Db.REFUSALS, Db.TIMELINES})
"""Tables that an older store lacks: they are made when it is opened."""

SWEPT: dict[Table, tuple[Db, type[Record]]] = {
    Table.SESSIONS: (Db.SESSIONS, Session),
    Table.REQUESTS: (Db.REQUESTS, RequestRecord),
    Table.CUTS: (Db.CUTS, Cut),
    Table.REVOCATIONS: (Db.REVOCATIONS, Revocation),
    Table.EVENTS: (Db.EVENTS, Event),
    Table.REFUSALS: (Db.REFUSALS, Event),
}
"""Where the rows of a swept table lie, and what they are."""

COUNTERS_KEY = b"counters"
INSTALLATION_KEY = b"installation"


class Installation(Record, frozen=True):
    """The sealed secrets of the installation."""

    sealed: bytes


class RecordFaultError(Exception):
    """A value cannot be used; the message names it by table and key and says what to do."""


def encode(db: Db, key: bytes, record: Record) -> bytes:
    """
    Write a record as the value of a row.

    Raises:
        ValueError: It is longer than 65,535 bytes, or its key than LMDB takes.

    """
    body = msgspec.msgpack.encode(pack_session(record) if isinstance(record, Session) else record)
    if len(body) > _BODY_MAX or not 0 < len(key) <= _KEY_MAX:
        message = f"a record of {len(body)} bytes under a key of {len(key)} does not fit in the store"
        raise ValueError(message)
    value = (_HEADER.pack(FORMAT, 0, len(body)) + body).ljust(SESSION_ROOM if db is Db.SESSIONS else 0, b"\0")
    return _HEADER.pack(FORMAT, _checksum(db, key, value), len(body)) + value[_HEADER.size :]


def decode(db: Db, key: bytes, value: bytes, kind: type[R]) -> R:
    """
    Read the record of a row.

    Raises:
        RecordFaultError: The value is of a newer format, or was not written like this under this key.

    """
    try:
        version, checksum, length = _HEADER.unpack_from(value)
        if version > FORMAT:
            message = (
                f"the record {_name(db, key)} of the store has format {version}, and this release knows {FORMAT}: a "
                "newer release of sessiond wrote it, or it is damaged. Run that release, or restore the store from a "
                "backup"
            )
            raise RecordFaultError(message)
        if checksum != _checksum(db, key, value):
            raise damaged(db, key)
        body = value[_HEADER.size : _HEADER.size + length]
        if kind is Session:
            return msgspec.convert(unpack_session(key, msgspec.msgpack.decode(body)), kind)
        return msgspec.msgpack.decode(body, type=kind)
    except (struct.error, ValueError):
        raise damaged(db, key) from None


def pack_session(session: Session) -> list[Any]:
    """
    Give the fields of a session, shorter.

    The id is left to the key, a subject that is a UUID takes 16 bytes, and what
    the trace of the confirmed generation has in common with that of the pending
    one (key, address, caller, as a rule) is nil.
    """
    fields: list[Any] = list(astuple(session))
    fields[_ID] = None
    if _UUID.match(session.subject):
        fields[_SUBJECT] = bytes.fromhex(session.subject.replace("-", ""))
    if session.confirmed_by is not None:
        pairs = zip(astuple(session.confirmed_by), astuple(session.pending_by), strict=True)
        fields[_CONFIRMED_BY] = [None if value == pending else value for value, pending in pairs]
    return fields


def unpack_session(session_id: bytes, fields: list[Any]) -> list[Any]:
    """Undo :func:`pack_session`, in place."""
    fields[_ID] = session_id
    if isinstance(fields[_SUBJECT], bytes):
        fields[_SUBJECT] = str(uuid.UUID(bytes=fields[_SUBJECT]))
    if fields[_CONFIRMED_BY] is not None:
        pairs = zip(fields[_CONFIRMED_BY], fields[_PENDING_BY], strict=True)
        fields[_CONFIRMED_BY] = [pending if value is None else value for value, pending in pairs]
    return fields


def damaged(db: Db, key: bytes) -> RecordFaultError:
    """Say that a row is not what was written."""
    return RecordFaultError(
        f"the record {_name(db, key)} of the store is damaged: check the disk, and restore the store from a backup; "
        "the other records stay in use"
    )


def number_key(number: int) -> bytes:
    """Make the key of a row that has a number: a revision or a sequence."""
    return number.to_bytes(8, "big")


def scope_key(scope: Scope) -> bytes:
    """Make the key of a cut."""
    return bytes([scope.kind]) + scope.hash


def scope_of(key: bytes) -> Scope:
    """Read the scope that a cut's key names."""
    return Scope(ScopeKind(key[0]), key[1:])


def deadline_prefix(table: Table) -> bytes:
    """Give what the keys of a table's rows begin with in ``DEADLINES``."""
    return bytes([table.value])


def deadline_key(table: Table, deadline: int, key: bytes) -> bytes:
    """Make the key of a row in ``DEADLINES``: table, deadline in 4 bytes, the row's key."""
    return deadline_prefix(table) + _clamped(deadline).to_bytes(4, "big") + key


def split_deadline_key(key: bytes) -> tuple[int, bytes]:
    """Take a key of ``DEADLINES`` apart: the deadline, and the key of the row."""
    return int.from_bytes(key[1:5], "big"), key[5:]


def _clamped(deadline: int) -> int:
    """Keep a deadline in the range of four bytes, up to 2106."""
    return min(max(deadline, 0), _DEADLINE_MAX)


def _checksum(db: Db, key: bytes, value: bytes) -> int:
    """Sum up the place of a value and all of it, with the bytes of the sum left out."""
    place = zlib.crc32(key, zlib.crc32(db.value + b"\0"))
    return zlib.crc32(value[5:], zlib.crc32(value[:1], place))


def _name(db: Db, key: bytes) -> str:
    return f"{db.value.decode()}/{key.decode() if db is Db.META else key.hex()}"
