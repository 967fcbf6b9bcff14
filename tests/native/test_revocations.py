"""The revocation index: the answers of plain dictionaries, in less than 58 bytes an entry, 76 a spared session."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessiond.errors import Cause
from sessiond.store.records import ScopeKind
from sessiond.token.verify import RevocationIndex

MULTIPLIER = 0x9E3779B97F4A7C15  # of revocations.c
BYTES_AN_ENTRY = 58
BYTES_A_SPARED_SESSION = 76
EMPTY_BYTES = RevocationIndex().memory_bytes

# Words of one key that have their home in the first, the last, and some slot in the middle of a table of any size.
FIRST, LAST, MIDDLE = 0, pow(MULTIPLIER, -1, 2**64) * (2**64 - 1) % 2**64, 0x0123456789ABCDEF
HOMES = (FIRST, LAST, LAST ^ 1, MIDDLE)
# The halves of an id are xored: those of one home stand in each other's way.
SESSIONS = [b"".join(word.to_bytes(8, "little") for word in (n, n ^ home)) for home in HOMES for n in range(6)]
HASHES = [home.to_bytes(8, "little") for home in HOMES] + [n.to_bytes(8, "big") for n in range(1, 12)]
ENDS = [Cause.REVOKED, Cause.EVICTED, Cause.REUSED, Cause.STATE_LOST]


class End(NamedTuple):
    session_id: bytes
    cause: Cause
    keep_until: int


class Cut(NamedTuple):
    kind: ScopeKind
    scope_hash: bytes
    revision: int
    keep_until: int
    spared: bytes = b""
    spared_until: int = 0


class Expiry(NamedTuple):
    now: int


class Model:
    """The index as plain dictionaries."""

    def __init__(self) -> None:
        self.sessions: dict[bytes, tuple[Cause, int]] = {}
        self.cuts: dict[tuple[ScopeKind, bytes], tuple[int, int]] = {}
        self.spared: dict[bytes, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.sessions) + len(self.cuts) + len(self.spared)

    @property
    def bytes_at_most(self) -> int:
        return BYTES_AN_ENTRY * (len(self.sessions) + len(self.cuts)) + BYTES_A_SPARED_SESSION * len(self.spared)

    def do(self, step: End | Cut | Expiry) -> None:
        match step:
            case End(session_id, cause, keep_until):
                _, kept = self.sessions.get(session_id, (None, 0))
                self.sessions[session_id] = cause, max(kept, keep_until)
            case Cut(kind, scope_hash, revision, keep_until, spared, spared_until):
                of, kept = self.cuts.get((kind, scope_hash), (0, 0))
                self.cuts[kind, scope_hash] = max(of, revision), max(kept, keep_until)
                if spared:
                    of, kept = self.spared.get(spared, (0, 0))
                    self.spared[spared] = max(of, revision), max(kept, spared_until)
            case Expiry(now):
                self.sessions = {one: end for one, end in self.sessions.items() if end[1] > now}
                self.cuts = {scope: cut for scope, cut in self.cuts.items() if cut[1] > now}
                self.spared = {one: cut for one, cut in self.spared.items() if cut[1] > now}

    def cause_of(self, session_id: bytes, tenant_hash: bytes, subject_hash: bytes, born: int) -> int:
        if session_id in self.sessions:
            return self.sessions[session_id][0]
        born = max(born, self.spared.get(session_id, (0, 0))[0])
        for kind, scope_hash, cause in (
            (ScopeKind.SUBJECT, subject_hash, Cause.SUBJECT_REVOKED),
            (ScopeKind.TENANT, tenant_hash, Cause.TENANT_REVOKED),
            (ScopeKind.ALL, b"", Cause.ALL_REVOKED),
        ):
            if born < self.cuts.get((kind, scope_hash), (0, 0))[0]:
                return cause
        return 0


def do(index: RevocationIndex, step: End | Cut | Expiry) -> None:
    """Take a step on the index."""
    match step:
        case End():
            index.end_session(*step)
        case Cut(ScopeKind.SUBJECT):
            index.cut_subject(*step[1:])
        case Cut(ScopeKind.TENANT):
            index.cut_tenant(*step[1:])
        case Cut():
            index.cut_all(*step[2:])
        case Expiry():
            index.expire(*step)


def questions() -> Iterator[tuple[bytes, bytes, bytes, int]]:
    """Ask for every session by itself and under scopes, then for every scope without one, around every revision."""
    nobody = b"nobody's session"
    for session_id in SESSIONS:
        yield session_id, b"no scope", b"no scope", 9
        for born in range(5):
            yield session_id, HASHES[0], HASHES[1], born
    for born in range(5):
        for scope_hash in HASHES:
            yield nobody, scope_hash, b"no scope", born
            yield nobody, b"no scope", scope_hash, born


instants = st.integers(0, 8)
nobody_spared = st.just(b""), st.just(0)
steps = st.lists(
    st.builds(End, st.sampled_from(SESSIONS), st.sampled_from(ENDS), instants)
    | st.builds(
        Cut,
        st.sampled_from([ScopeKind.SUBJECT, ScopeKind.TENANT]),
        st.sampled_from(HASHES),
        instants,
        instants,
        *nobody_spared,
    )
    | st.builds(Cut, st.just(ScopeKind.ALL), st.just(b""), st.integers(0, 4), instants, *nobody_spared)
    | st.builds(
        Cut,
        st.just(ScopeKind.SUBJECT),
        st.sampled_from(HASHES[:2]),
        st.integers(0, 6),
        instants,
        st.sampled_from(SESSIONS),
        instants,
    )
    | st.builds(Expiry, instants),
    max_size=60,
)


@given(steps)
def test_index_answers_as_plain_dictionaries(taken: list[End | Cut | Expiry]) -> None:
    """After any steps, with keys that collide, every answer, the count and the bound of memory are right."""
    index, model = RevocationIndex(), Model()
    for step in taken:
        do(index, step)
        model.do(step)

        assert len(model) == len(index)
        assert index.memory_bytes <= EMPTY_BYTES + model.bytes_at_most
    for asked in questions():
        assert model.cause_of(*asked) == index.cause_of(*asked)


@pytest.mark.parametrize("seed", range(4))
def test_long_life_of_an_index(seed: int) -> None:
    """Hundreds of ends that come and expire, again and again, are answered as by dictionaries after each round."""
    random_steps = random.Random(seed)  # noqa: S311 - the same steps in every run
    session_ids = [random_steps.randbytes(16) for _ in range(400)]
    index, model = RevocationIndex(), Model()
    for now in range(60):
        for _ in range(random_steps.choice([0, 3, 200])):
            step = End(random_steps.choice(session_ids), random_steps.choice(ENDS), now + random_steps.randrange(9))
            do(index, step)
            model.do(step)
        do(index, Expiry(now))
        model.do(Expiry(now))
        expected = [model.cause_of(session_id, bytes(8), bytes(8), 0) for session_id in session_ids]

        assert expected == [index.cause_of(session_id, bytes(8), bytes(8), 0) for session_id in session_ids]


def test_100000_sessions_take_less_than_58_bytes_each() -> None:
    """With every number of sessions up to 100,000, so just after each growth too, each takes less than 58 bytes."""
    index = RevocationIndex()
    for n_sessions in range(1, 100_001):
        index.end_session(n_sessions.to_bytes(16, "big"), Cause.REVOKED, 1000)
        assert index.memory_bytes - EMPTY_BYTES < BYTES_AN_ENTRY * n_sessions
    assert 100_000 == len(index)


def test_spared_sessions_take_less_than_76_bytes_each() -> None:
    """With every number of spared sessions up to 20,000 each takes less than 76 bytes beside the one cut."""
    index = RevocationIndex()
    for n_sessions in range(1, 20_001):
        index.cut_all(n_sessions, 1000, n_sessions.to_bytes(16, "big"), 1000)
        assert index.memory_bytes - EMPTY_BYTES < BYTES_AN_ENTRY + BYTES_A_SPARED_SESSION * n_sessions
    assert 20_001 == len(index)


def test_memory_is_given_back() -> None:
    """What expired takes no memory any more: few entries are as small as if there had never been more."""
    index = RevocationIndex()
    for number in range(10_000):
        session_id = number.to_bytes(16, "big")
        index.end_session(session_id, Cause.REVOKED, number)
        index.cut_subject(number.to_bytes(8, "big"), 1, number, session_id, number)
    for n_left in (5000, 100, 1):
        index.expire(9999 - n_left)
        assert 3 * n_left == len(index)
        assert index.memory_bytes - EMPTY_BYTES < (2 * BYTES_AN_ENTRY + BYTES_A_SPARED_SESSION) * n_left
    index.expire(9999)
    assert (0, EMPTY_BYTES) == (len(index), index.memory_bytes)


def test_place_of_a_forgotten_spared_session_says_nothing_of_the_next() -> None:
    """A session that is spared where another one was forgotten is born at its own cut, not at the other's."""
    *staying, forgotten, coming = SESSIONS[:4]  # of one home, and so many that the table keeps its size
    index = RevocationIndex()
    for session_id in staying:
        index.cut_all(1, 9, session_id, 9)
    index.cut_all(8, 9, forgotten, 5)
    index.expire(5)
    index.cut_all(2, 9, coming, 9)
    assert Cause.ALL_REVOKED == index.cause_of(coming, bytes(8), bytes(8), 1)


def test_limits_of_numbers() -> None:
    """The largest revision, the largest born and the largest time to keep are taken as they are."""
    index = RevocationIndex()
    index.cut_all(2**64 - 1, 2**53 - 1)
    index.end_session(SESSIONS[0], Cause.REUSED, 2**53 - 1)
    index.expire(2**53 - 2)
    scopes = bytes(8), bytes(8)

    assert Cause.REUSED == index.cause_of(SESSIONS[0], *scopes, 2**64 - 1)
    assert [Cause.ALL_REVOKED, 0] == [index.cause_of(SESSIONS[1], *scopes, born) for born in (2**64 - 2, 2**64 - 1)]
    index.expire(2**53 - 1)
    assert 0 == len(index)


WRONG: list[tuple[type[Exception], str, str, tuple[Any, ...]]] = [
    (ValueError, "session_id must be 16 bytes, not 15", "end_session", (bytes(15), Cause.REVOKED, 1)),
    (TypeError, "session_id", "end_session", ("0" * 16, Cause.REVOKED, 1)),
    (TypeError, "session_id", "end_session", (None, Cause.REVOKED, 1)),
    (ValueError, "no session ends with the cause 0", "end_session", (bytes(16), 0, 1)),
    (ValueError, "no session ends with the cause 6", "end_session", (bytes(16), Cause.EXPIRED, 1)),
    (ValueError, "no session ends with the cause 13", "end_session", (bytes(16), Cause.SUPERSEDED, 1)),
    (ValueError, "no session ends with the cause 4294967304", "end_session", (bytes(16), 2**32 + 8, 1)),
    (ValueError, "cause must be from 0", "end_session", (bytes(16), -1, 1)),
    (TypeError, "cause must be an int, not str", "end_session", (bytes(16), "8", 1)),
    (ValueError, "keep_until must be whole seconds", "end_session", (bytes(16), Cause.REVOKED, -1)),
    (ValueError, "keep_until must be whole seconds", "end_session", (bytes(16), Cause.REVOKED, 2**53)),
    (TypeError, "keep_until must be an int, not float", "end_session", (bytes(16), Cause.REVOKED, 1.0)),
    (ValueError, "tenant_hash must be 8 bytes, not 0", "cut_tenant", (b"", 1, 1)),
    (ValueError, "subject_hash must be 8 bytes, not 9", "cut_subject", (bytes(9), 1, 1)),
    (TypeError, "tenant_hash", "cut_tenant", (None, 1, 1)),
    (TypeError, "subject_hash", "cut_subject", ("subject.", 1, 1)),
    (ValueError, "revision must be from 0", "cut_all", (2**64, 1)),
    (ValueError, "revision must be from 0", "cut_subject", (bytes(8), -1, 1)),
    (ValueError, "keep_until must be whole seconds", "cut_tenant", (bytes(8), 1, 2**53)),
    (ValueError, "except_session_id must be 16 bytes, not 8", "cut_all", (1, 1, bytes(8), 1)),
    (TypeError, "except_session_id", "cut_subject", (bytes(8), 1, 1, None)),
    (ValueError, "except_until must be whole seconds", "cut_tenant", (bytes(8), 1, 1, bytes(16), -1)),
    (ValueError, "except_until must be whole seconds", "cut_all", (1, 1, bytes(16), 2**53)),
    (ValueError, "now must be whole seconds", "expire", (-1,)),
    (ValueError, "session_id must be 16 bytes, not 0", "cause_of", (b"", bytes(8), bytes(8), 0)),
    (ValueError, "tenant_hash must be 8 bytes, not 9", "cause_of", (bytes(16), bytes(9), bytes(8), 0)),
    (ValueError, "subject_hash must be 8 bytes, not 7", "cause_of", (bytes(16), bytes(8), bytes(7), 0)),
    (ValueError, "born must be from 0", "cause_of", (bytes(16), bytes(8), bytes(8), -1)),
]


@pytest.mark.parametrize(("error", "message", "method", "arguments"), WRONG)
def test_wrong_arguments_are_refused(
    error: type[Exception], message: str, method: str, arguments: tuple[Any, ...]
) -> None:
    """A wrong length, number or type is refused with its name, and changes nothing."""
    index = RevocationIndex()
    with pytest.raises(error, match=message):
        getattr(index, method)(*arguments)
    assert 0 == len(index)
