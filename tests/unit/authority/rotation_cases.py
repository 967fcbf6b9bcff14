"""A session in the middle of its life, and a short way to present its tokens."""

from __future__ import annotations

from msgspec.structs import replace

from sessiond.authority.policy import Policy, Profile
from sessiond.authority.rotation import Call, Decision, rotate
from sessiond.store.contract import Cuts, View
from sessiond.store.records import Session, Trace

NOW = 1_800_000_000
SERVING = 5_000_000
SIGNING = b"signing."
OLDER = b"older..."

BALANCED = Policy()
STRICT = Policy(profile=Profile.STRICT)
FORGIVING = Policy(profile=Profile.FORGIVING)
PROFILES = (BALANCED, STRICT, FORGIVING)

NO_CUTS = Cuts()

MAKER = Call(retry_hash=b"maker's retry", request_hash=b"maker's request")
STRANGER = Call(ip=b"\x7f\0\0\1", user_agent="stranger", caller="gateway")

# Generation 4 is pending, made a minute of serving time ago by MAKER presenting 3. Generation 3 replaced 2.
HELD = Session(
    id=b"0123456789abcdef",
    tenant="acme",
    subject="ada",
    tenant_hash=b"tenant..",
    subject_hash=b"subject.",
    audience="api",
    created_at=NOW - 1000,
    expires_at=NOW + 100_000,
    idle_seconds=3600,
    access_seconds=300,
    born=7,
    pending=4,
    pending_by=Trace(
        at=NOW - 60,
        serving_ms=SERVING - 60_000,
        key_id=SIGNING,
        retry_hash=MAKER.retry_hash,
        request_hash=MAKER.request_hash,
    ),
    label="laptop",
    confirmed=3,
    confirmed_by=Trace(at=NOW - 120, serving_ms=SERVING - 120_000, key_id=SIGNING),
    confirmed_ms=SERVING - 60_000,
    parent=2,
    access_issued_at=NOW - 60,
)

FRESH = replace(
    HELD,
    pending=0,
    pending_by=Trace(at=NOW - 60, serving_ms=SERVING - 60_000, key_id=SIGNING),
    confirmed=None,
    confirmed_by=None,
    confirmed_ms=0,
    parent=None,
)


def aged(session: Session, *, ms: int) -> Session:
    """Let pending have been made, and confirmed been proved, *ms* of serving time ago."""
    made = SERVING - ms
    return replace(session, pending_by=replace(session.pending_by, serving_ms=made), confirmed_ms=made)


def present(
    session: Session | None,
    generation: int,
    call: Call = STRANGER,
    *,
    policy: Policy = BALANCED,
    now: int = NOW,
    serving_ms: int = SERVING,
    cuts: Cuts = NO_CUTS,
    signing_key_id: bytes = SIGNING,
    revoked: frozenset[bytes] = frozenset(),
) -> Decision:
    """Present *generation* of *session* to the rules."""
    view = View(session=session, cuts=cuts, prior=None, revision=9, serving_ms=serving_ms)
    return rotate(
        view, generation, call, now=now, policy=policy, signing_key_id=signing_key_id, revoked_key_ids=revoked
    )


def written(decision: Decision) -> Session:
    """Give the record that *decision* writes."""
    assert decision.session is not None
    return decision.session


def token_of(session: Session) -> tuple[int, int, int, bytes]:
    """Give everything that the bytes of the session's newest refresh token depend on."""
    return (session.pending, session.pending_by.at, session.expires_at, session.pending_by.key_id)
