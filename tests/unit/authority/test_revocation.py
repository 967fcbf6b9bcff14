"""The revocation index: who is revoked, by what, and for how long it must be remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessiond.authority.feed import Revocations
from sessiond.errors import Cause
from sessiond.store.records import Cut, Revocation, RevocationKind, Scope, ScopeKind
from sessiond.token.endings import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = 1_800_000_000
SESSION, OTHER_SESSION, THIRD_SESSION = b"0123456789abcdef", b"another session.", b"one more session"
TENANT, SUBJECT, OTHER = b"tenant..", b"subject.", b"another."
SCOPES = {
    ScopeKind.SUBJECT: Scope(ScopeKind.SUBJECT, SUBJECT),
    ScopeKind.TENANT: Scope(ScopeKind.TENANT, TENANT),
    ScopeKind.ALL: Scope(ScopeKind.ALL),
}
CAUSES = {
    ScopeKind.SUBJECT: Cause.SUBJECT_REVOKED,
    ScopeKind.TENANT: Cause.TENANT_REVOKED,
    ScopeKind.ALL: Cause.ALL_REVOKED,
}

every_scope = pytest.mark.parametrize("kind", list(ScopeKind))


def ended(
    session_id: bytes = SESSION, cause: Cause | None = Cause.REVOKED, *, revision: int = 5, keep_until: int = NOW + 100
) -> Revocation:
    """Give the entry of a session that ended."""
    return Revocation(revision, RevocationKind.SESSION, NOW, keep_until, session_id=session_id, cause=cause)


def cut(kind: ScopeKind, *, revision: int = 5, keep_until: int = NOW + 100) -> Revocation:
    """Give the entry of a scope that was cut."""
    return Revocation(revision, RevocationKind.CUT, NOW, keep_until, scope=SCOPES[kind])


def index_of(*entries: Revocation) -> Revocations:
    """Give an index that knows *entries*."""
    index = Revocations()
    index.apply(entries, max((entry.revision for entry in entries), default=0))
    return index


def judged(
    index: Revocations,
    *,
    born: int = 4,
    session_id: bytes = SESSION,
    tenant: bytes = TENANT,
    subject: bytes = SUBJECT,
) -> Cause | None:
    """Ask for one session."""
    return index.is_revoked(session_id, tenant, subject, born)


def test_nothing_is_known_at_first() -> None:
    """A fresh index knows of no revocation, and has applied nothing."""
    assert (0, None) == (Revocations().applied_revision, judged(Revocations()))


@pytest.mark.parametrize("cause", [Cause.REVOKED, Cause.EVICTED, Cause.REUSED, Cause.STATE_LOST])
def test_ended_session(cause: Cause) -> None:
    """A session that ended has the cause of its end; another one lives."""
    index = index_of(ended(cause=cause))
    assert (cause, None) == (judged(index), judged(index, session_id=OTHER_SESSION))


def test_end_without_a_cause() -> None:
    """An entry of a session that names no cause revokes it all the same."""
    assert Cause.REVOKED is judged(index_of(ended(cause=None)))


@pytest.mark.parametrize("cause", sorted(set(Cause) - set(ENDINGS)))
def test_end_of_a_cause_that_ends_no_session(cause: Cause) -> None:
    """An entry of a session with any other cause revokes it, and those that follow are applied."""
    index = index_of(ended(cause=cause), ended(OTHER_SESSION, Cause.REUSED, revision=6))
    assert (6, Cause.REVOKED) == (index.applied_revision, judged(index))
    assert Cause.REUSED is judged(index, session_id=OTHER_SESSION)


@every_scope
def test_cut_revokes_what_was_born_before_it(kind: ScopeKind) -> None:
    """A cut revokes every session of its scope that was born before its revision, and none from then on."""
    index = index_of(cut(kind, revision=5))
    assert [CAUSES[kind], CAUSES[kind], None, None] == [judged(index, born=born) for born in (0, 4, 5, 6)]


def test_cut_stays_in_its_scope() -> None:
    """A cut of a subject or a tenant leaves the others, and a hash of another kind, alone."""
    assert [None, None, None, None] == [
        judged(index_of(cut(ScopeKind.SUBJECT)), subject=OTHER),
        judged(index_of(cut(ScopeKind.TENANT)), tenant=OTHER),
        judged(index_of(cut(ScopeKind.SUBJECT)), subject=OTHER, tenant=SUBJECT),
        judged(index_of(cut(ScopeKind.TENANT)), subject=TENANT, tenant=OTHER),
    ]


def test_order_of_causes() -> None:
    """A session's own end comes first, then the cuts of its subject, its tenant and everything."""
    entries = [cut(ScopeKind.ALL), cut(ScopeKind.TENANT), cut(ScopeKind.SUBJECT), ended(cause=Cause.REUSED)]
    found = [judged(index_of(*entries[: number + 1])) for number in range(4)]
    assert [Cause.ALL_REVOKED, Cause.TENANT_REVOKED, Cause.SUBJECT_REVOKED, Cause.REUSED] == found


@every_scope
@pytest.mark.parametrize("revisions", [(5, 9), (9, 5)])
def test_larger_cut_holds(kind: ScopeKind, revisions: tuple[int, int]) -> None:
    """Of two cuts of a scope the larger one holds, in whichever order they come, and the longer memory."""
    first, second = (cut(kind, revision=revision, keep_until=NOW + 10 * revision) for revision in revisions)
    index = index_of(first, second)
    index.expire(NOW + 89)
    assert [CAUSES[kind], None] == [judged(index, born=born) for born in (8, 9)]
    index.expire(NOW + 90)
    assert judged(index, born=0) is None


@every_scope
def test_cuts_of_the_store(kind: ScopeKind) -> None:
    """The cuts that a store has are known like those of its log, and applying them applies no revision."""
    index = Revocations()
    index.apply_cuts({SCOPES[kind]: Cut(5, NOW, NOW + 100)})
    assert (CAUSES[kind], None, 0) == (judged(index, born=4), judged(index, born=5), index.applied_revision)


def test_applied_revision_never_goes_back() -> None:
    """What is applied stays applied."""
    index = index_of(ended(revision=7))
    index.apply([], 3)
    assert 7 == index.applied_revision
    index.apply([], 9)
    assert 9 == index.applied_revision


def test_change_of_keys_revokes_nobody() -> None:
    """An entry of the keyset concerns no session."""
    index = index_of(Revocation(5, RevocationKind.KEYS, NOW, NOW + 100))
    assert (5, None) == (index.applied_revision, judged(index))


def test_ended_session_is_forgotten_once_its_tokens_are_dead() -> None:
    """An entry is remembered until the second before its time, whatever the others do."""
    index = index_of(
        ended(OTHER_SESSION, keep_until=NOW + 200),
        ended(keep_until=NOW + 100),
        cut(ScopeKind.SUBJECT, keep_until=NOW + 150),
    )
    seen = []
    for now in (NOW + 99, NOW + 100, NOW + 149, NOW + 150, NOW + 199, NOW + 200):
        index.expire(now)
        seen.append(
            (
                judged(index, subject=OTHER),
                judged(index, session_id=THIRD_SESSION),
                judged(index, session_id=OTHER_SESSION),
            )
        )
    revoked, cut_ = Cause.REVOKED, Cause.SUBJECT_REVOKED
    assert [
        (revoked, cut_, revoked),
        (None, cut_, revoked),
        (None, cut_, revoked),
        (None, None, revoked),
        (None, None, revoked),
        (None, None, None),
    ] == seen


session_ids = st.sampled_from([SESSION, OTHER_SESSION])
hashes = st.sampled_from([TENANT, SUBJECT, OTHER])
revisions = st.integers(1, 6)
entries = st.lists(
    st.builds(ended, session_ids, st.sampled_from([Cause.REVOKED, Cause.REUSED]), revision=revisions)
    | st.builds(
        lambda kind, scope_hash, revision: Revocation(
            revision,
            RevocationKind.CUT,
            NOW,
            NOW + 100,
            scope=Scope(kind, b"" if kind is ScopeKind.ALL else scope_hash),
        ),
        st.sampled_from(ScopeKind),
        hashes,
        revisions,
    ),
    max_size=6,
)


def plainly(known: Iterable[Revocation], session_id: bytes, tenant: bytes, subject: bytes, born: int) -> Cause | None:
    """Say the same as the index, from the entries one by one."""
    found = [entry.cause for entry in known if entry.kind is RevocationKind.SESSION and entry.session_id == session_id]
    if found:
        return found[-1]
    for scope, cause in (
        (Scope(ScopeKind.SUBJECT, subject), Cause.SUBJECT_REVOKED),
        (Scope(ScopeKind.TENANT, tenant), Cause.TENANT_REVOKED),
        (Scope(ScopeKind.ALL), Cause.ALL_REVOKED),
    ):
        if any(entry.scope == scope and born < entry.revision for entry in known):
            return cause
    return None


@given(entries, st.integers(0, 6), st.tuples(session_ids, hashes, hashes, st.integers(0, 7)))
def test_index_says_what_the_entries_say(
    known: list[Revocation], split: int, asked: tuple[bytes, bytes, bytes, int]
) -> None:
    """However the entries come in, the index says what they say one by one."""
    index = Revocations()
    index.apply(known[:split], 0)
    index.apply(known[split:], 0)
    assert plainly(known, *asked) == index.is_revoked(*asked)
