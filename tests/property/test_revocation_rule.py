"""
One rule says who is revoked: index, verifier, batch, cache and records agree with a plain model of it.

The model: a token is born with its session, or at the last cut that spared that, where that is later. It is refused
for its session's own end, else for the first of the cuts of its subject, its tenant and everything that it was born
before.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessiond._fastverify import GOOD, KeyTable, RevocationIndex
from sessiond.authority.rotation import judge_session
from sessiond.authority.sessions import Issued, Login
from sessiond.errors import Cause, InvalidAccessToken, SessionEndedError
from sessiond.store.records import ScopeKind
from sessiond.token.revocations import cut_scope, end_session
from sessiond.token.sign import AccessClaims
from tests.native.tokens import (
    ACCESS_KEY,
    AUDIENCE,
    ISSUER,
    NOW,
    AccessVerifier,
    access_claims,
    access_token,
    outcome,
)
from tests.unit.authority.installation import Installation

LATER = NOW + 1000
BORNS = range(1, 5)
ALL, TENANT, SUBJECT = ScopeKind.ALL, ScopeKind.TENANT, ScopeKind.SUBJECT
ROW = (ACCESS_KEY.key_id, KeyTable(ACCESS_KEY.public_key), False)
ACME, OTHER_TENANT, ALICE, BOB, CAROL = (
    name.ljust(8, b".") for name in (b"acme", b"other", b"alice", b"bob", b"carol")
)
CAUSES = ((SUBJECT, Cause.SUBJECT_REVOKED), (TENANT, Cause.TENANT_REVOKED), (ALL, Cause.ALL_REVOKED))


@dataclass(frozen=True)
class End:
    """A session ended."""

    session_id: bytes
    cause: Cause
    keep_until: int = LATER

    def feed(self, index: RevocationIndex) -> None:
        end_session(index, self.session_id, self.cause, self.keep_until)


@dataclass(frozen=True)
class Cut:
    """A scope was cut, and may have spared a session."""

    kind: ScopeKind
    scope_hash: bytes
    revision: int
    spared: bytes = b""
    keep_until: int = LATER

    def feed(self, index: RevocationIndex) -> None:
        cut_scope(
            index,
            self.kind,
            self.scope_hash,
            self.revision,
            self.keep_until,
            except_session_id=self.spared,
            except_until=self.keep_until,
        )


Fact = End | Cut


def model(facts: Iterable[Fact], now: int, claims: AccessClaims) -> int:
    """Say what the facts say, of those that are remembered at *now*, in whichever order they came."""
    ends = [fact for fact in facts if isinstance(fact, End) and fact.session_id == claims.session_id]
    if any(end.keep_until > now for end in ends):
        return ends[0].cause
    cuts = [fact for fact in facts if isinstance(fact, Cut)]

    def revision_of(same: list[Cut]) -> int:
        return max((cut.revision for cut in same), default=0) if any(cut.keep_until > now for cut in same) else 0

    born = max(claims.born, revision_of([cut for cut in cuts if cut.spared == claims.session_id]))
    hashes = {SUBJECT: claims.subject_hash, TENANT: claims.tenant_hash, ALL: b""}
    for kind, cause in CAUSES:
        if born < revision_of([cut for cut in cuts if (cut.kind, cut.scope_hash) == (kind, hashes[kind])]):
            return cause
    return GOOD


SESSIONS = {
    b"%d of %-11b" % (n, who): (who, tenant)
    for who, tenant, count in ((ALICE, ACME, 2), (BOB, ACME, 1), (CAROL, OTHER_TENANT, 1))
    for n in range(count)
}
TOKENS = [
    (claims, access_token(claims=claims))
    for session_id, (subject_hash, tenant_hash) in SESSIONS.items()
    for born in BORNS
    for claims in [
        replace(access_claims(), session_id=session_id, subject_hash=subject_hash, tenant_hash=tenant_hash, born=born)
    ]
]
ASKED: dict[str, Any] = {"audience": AUDIENCE, "now": NOW, "leeway": 0}


class Asked:
    """Every way to ask one index; the cache holds every token from before the first fact."""

    def __init__(self) -> None:
        self.index = RevocationIndex()
        self._plain = AccessVerifier([ROW], ISSUER, self.index)
        self._cached = AccessVerifier([ROW], ISSUER, self.index, 64)
        for _, token in TOKENS:
            self._cached.verify(token, **ASKED)

    def answers(self, tokens: Sequence[tuple[AccessClaims, str]]) -> dict[str, list[int]]:
        texts = [token for _, token in tokens]
        return {
            "cause_of": [
                self.index.cause_of(one.session_id, one.tenant_hash, one.subject_hash, one.born) for one, _ in tokens
            ],
            "verify": [self._ask(self._plain, token) for token in texts],
            "cache": [self._ask(self._cached, token) for token in texts],
            "batch": list(self._plain.verify_batch(texts, **ASKED).verdicts),
        }

    @staticmethod
    def _ask(verifier: AccessVerifier, token: str) -> int:
        return outcome(lambda: verifier.verify(token, **ASKED))[0]


def assert_agree(asked: Asked, facts: Sequence[Fact], now: int, tokens: Sequence[tuple[AccessClaims, str]]) -> None:
    """Every way to ask says what the model says."""
    expected = [model(facts, now, claims) for claims, _ in tokens]
    for way, found in asked.answers(tokens).items():
        assert expected == found, way


MINE = TOKENS[: len(BORNS)]
MY_ID = MINE[0][0].session_id
# Each level alone, at one of two revisions. What spares the session cuts a subject that is not asked for.
LEVELS: dict[str, Callable[[int], Fact]] = {
    "end": lambda revision: End(MY_ID, [Cause.REVOKED, Cause.REUSED][revision % 2]),
    "subject": lambda revision: Cut(SUBJECT, ALICE, revision),
    "tenant": lambda revision: Cut(TENANT, ACME, revision),
    "all": lambda revision: Cut(ALL, b"", revision),
    "spared": lambda revision: Cut(SUBJECT, b"nobody..", revision, MY_ID),
}


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(LEVELS, 2)))
def test_every_pair_of_levels(one: str, other: str) -> None:
    """Two levels at every pair of revisions, in both orders, and beside each third one, judge every birth around."""
    for revisions in itertools.product((2, 3, 4), repeat=2):
        pair = [LEVELS[level](revision) for level, revision in zip((one, other), revisions, strict=True)]
        thirds = [[LEVELS[level](3)] for level in LEVELS if level not in {one, other}]
        for third in ([], *thirds):
            for facts in (pair + third, third + pair[::-1]):
                asked = Asked()
                for fact in facts:
                    fact.feed(asked.index)
                assert_agree(asked, facts, NOW, MINE)


ids = st.sampled_from(sorted(SESSIONS))
keeps = st.integers(NOW, NOW + 3)
scopes = st.sampled_from(
    [(SUBJECT, ALICE), (SUBJECT, BOB), (SUBJECT, CAROL), (TENANT, ACME), (TENANT, OTHER_TENANT), (ALL, b"")]
)
cuts = st.builds(lambda scope, *rest: Cut(*scope, *rest), scopes, st.integers(1, 6), st.just(b"") | ids, keeps)
ends = st.dictionaries(ids, st.tuples(st.sampled_from([Cause.REVOKED, Cause.EVICTED, Cause.STATE_LOST]), keeps))


@given(
    facts=st.tuples(ends, st.lists(cuts, max_size=8)).map(
        lambda both: [*(End(one, *end) for one, end in both[0].items()), *both[1]]
    ),
    now=st.integers(NOW - 1, NOW + 4),
    data=st.data(),
)
def test_whatever_order_facts_come_in(facts: list[Fact], now: int, data: st.DataObject) -> None:
    """Facts that come shuffled and repeated, and are forgotten when their time is over, say what the model says."""
    arrived = data.draw(st.permutations(facts + facts[:3]))
    asked = Asked()
    for fact in arrived:
        fact.feed(asked.index)
    asked.index.expire(now)
    assert_agree(asked, facts, now, TOKENS)


NAMES = (("acme", "alice"), ("acme", "bob"), ("other", "carol"))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("login"), st.sampled_from(NAMES)),
        st.tuples(st.just("refresh"), st.integers(0, 9)),
        st.tuples(st.just("end"), st.integers(0, 9)),
        st.tuples(st.just("subject"), st.sampled_from(["alice", "bob"])),
        st.tuples(st.just("others"), st.integers(0, 9)),
        st.tuples(st.just("tenant"), st.sampled_from(["acme", "other"])),
        st.tuples(st.just("all"), st.none()),
    ),
    min_size=1,
    max_size=12,
)


def take(installation: Installation, opened: list[Issued], step: str, what: object) -> None:
    """Let the authority do one thing; a number names one of what was opened, if it can be."""
    here = installation.here
    chosen = opened[what % len(opened)] if isinstance(what, int) and opened else None
    if step == "login" and isinstance(what, tuple):
        opened.append(here.login(login=Login(*what)))
    elif step == "subject":
        here.revoke_subject(subject=str(what))
    elif step == "tenant":
        here.revoke_tenant(tenant=str(what))
    elif step == "all":
        here.revoke_all()
    elif chosen is None:
        return
    elif step == "end":
        here.revoke(chosen.session_id)
    else:
        record = installation.record(chosen.session_id)
        living = judge_session(installation.store.get(record.id), tenant="", now=None) is None
        if step == "refresh" and living:
            newest = next(one for one in reversed(opened) if one.session_id == record.id)
            opened.append(here.refresh(newest.refresh_token)[0])
        elif step == "others" and record.tenant == "acme":
            try:
                here.revoke_subject(subject=record.subject, spared=record.id)
            except SessionEndedError:
                assert not living


@given(steps)
def test_records_and_index_agree(taken: list[tuple[str, object]]) -> None:
    """
    After each step of an authority every access token that it ever issued is judged as its session's record is.

    By a process that followed all along, and by one that starts at the end.
    """
    installation = Installation()
    there = installation.process("there")
    opened: list[Issued] = []

    def by_records() -> list[Cause | None]:
        views = [installation.store.get(one.session_id) for one in opened]
        return [judge_session(view, tenant="", now=None) for view in views]

    for step, what in taken:
        take(installation, opened, step, what)
        assert by_records() == [judged(there.verify, one) for one in opened]
    late = installation.process("late")
    assert by_records() == [judged(late.verify, one) for one in opened]


def judged(verify: Callable[[str], object], issued: Issued) -> Cause | None:
    """Judge an access token."""
    try:
        verify(issued.access_token)
    except InvalidAccessToken as refusal:
        return refusal.cause
    return None
