"""An authority of one session around the rules of Refresh, which holds every decision against the history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from sessiond.authority.events import EventKind
from sessiond.authority.policy import Policy
from sessiond.authority.rotation import Call, Decision, Outcome
from sessiond.errors import Cause
from sessiond.store.contract import Cuts, View
from sessiond.store.records import Cut, End, Refusal, Reuse, RevocationKind, ScopeKind, Session, Trace
from sessiond.token.sign import RefreshClaims, SigningKey, sign_refresh_token
from tests.property.rotation_model import History, Presentation, Row

Rotate = Callable[..., Decision]

START = 1_800_000_000
IDLE_SECONDS = 3600
ABSOLUTE_SECONDS = 50_000
ACCESS_SECONDS = 300
REFUSAL_EVENT_SECONDS = 60

KEYS = tuple(SigningKey(bytes([number]) * 32) for number in range(1, 9))
"""Known to everyone: for tests only."""

ENDS = {Cause.REUSED: EventKind.REFRESH_REUSED, Cause.STATE_LOST: EventKind.REFRESH_STATE_LOST}
KINDS = {
    Outcome.ROTATED: EventKind.REFRESH_ROTATED,
    Outcome.RETRIED: EventKind.REFRESH_RETRIED,
    Outcome.SHARED: EventKind.REFRESH_SHARED,
    Outcome.REPLACED: EventKind.REFRESH_REPLACED,
}


@dataclass(frozen=True)
class Token:
    """A refresh token, and what can be read in it."""

    generation: int
    key_id: bytes
    text: str


class Authority:
    """One session at a time, its clocks and keys, and the rules *rotate*."""

    def __init__(self, rotate: Rotate, policy: Policy) -> None:
        """Start on a wall clock and a serving clock that agree."""
        self.rotate = rotate
        self.policy = policy
        self.now = START
        self.serving_ms = 5_000_000
        self.signing = KEYS[0]
        self.unused_keys = list(KEYS[1:])
        self.revoked: frozenset[bytes] = frozenset()
        self.revision = 9
        self.logins = 0
        self.log_in()

    def log_in(self) -> Token:
        """Open a session; the one before it is forgotten."""
        self.logins += 1
        login = Presentation(0, Call(), self.now, self.serving_ms, self.signing.key_id, self.revoked)
        self.session = Session(
            id=self.logins.to_bytes(16, "big"),
            tenant="acme",
            subject="ada",
            tenant_hash=b"tenant..",
            subject_hash=b"subject.",
            audience="api",
            created_at=self.now,
            expires_at=self.now + ABSOLUTE_SECONDS,
            idle_seconds=IDLE_SECONDS,
            access_seconds=ACCESS_SECONDS,
            born=self.revision,
            pending=0,
            pending_by=Trace(at=self.now, serving_ms=self.serving_ms, key_id=self.signing.key_id),
            label="laptop",
            access_issued_at=self.now,
        )
        self.cuts = Cuts()
        self.history = History(self.policy, "acme", IDLE_SECONDS, login, made={})
        self.handed: dict[int, Token] = {}
        return self._hand_out()

    @property
    def is_over(self) -> bool:
        """Tell whether no token of the session can be good any more."""
        return self.history.ended is not None or bool(self.history.cuts) or self.now >= self.session.expires_at

    def end(self) -> None:
        """End the session on purpose."""
        if self.session.end is None:
            self.session = replace(self.session, end=End(Cause.REVOKED, self.now, reason="lost", actor="ops"))
            self.history.ended = Cause.REVOKED

    def cut(self, kind: ScopeKind) -> None:
        """Revoke everything, the tenant or the subject."""
        self.revision += 1
        cut = Cut(revision=self.revision, at=self.now, keep_until=self.now + 1000)
        old = self.cuts
        match kind:
            case ScopeKind.ALL:
                self.cuts = Cuts(cut, old.tenant, old.subject)
                self.history.cuts.add(Cause.ALL_REVOKED)
            case ScopeKind.TENANT:
                self.cuts = Cuts(old.everything, cut, old.subject)
                self.history.cuts.add(Cause.TENANT_REVOKED)
            case ScopeKind.SUBJECT:
                self.cuts = Cuts(old.everything, old.tenant, cut)
                self.history.cuts.add(Cause.SUBJECT_REVOKED)

    def change_keys(self, *, revoke: bool) -> None:
        """Sign with the next key; the one before it is retiring, or revoked."""
        if revoke:
            self.revoked |= {self.signing.key_id}
        self.signing = self.unused_keys.pop(0)

    def refresh(self, token: Token, call: Call) -> Token | Cause:
        """Trade a refresh token: what is judged before the store is asked, then the rules."""
        return self._front(token, self.now) or self.judge(token.generation, call)

    def probe(self, token: Token, call: Call, *, now: int | None = None) -> Outcome | Cause:
        """Say what would come of a refresh, at another wall time than the present one if *now* is given."""
        at = self.now if now is None else now
        cause = self._front(token, at)
        if cause is not None:
            return cause
        decision = self._decide(token.generation, call, at)
        answer = decision.outcome or decision.cause
        assert answer is not None
        return answer

    def judge(self, generation: int, call: Call) -> Token | Cause:
        """Let the rules decide, check what they say, write it, and hand out what it allows."""
        before = self.session
        by = Presentation(generation, call, self.now, self.serving_ms, self.signing.key_id, self.revoked)
        expected = self.history.take(by)
        decision = self._decide(generation, call, self.now)
        assert decision == self._decide(generation, call, self.now), "the same arguments gave another decision"
        assert (expected if isinstance(expected, Outcome) else None) == decision.outcome
        assert (expected if isinstance(expected, Cause) else None) == decision.cause
        assert decision.session is not None, "nothing is written"
        assert decision.cut is None, "another session of the subject ends too"
        self.session = decision.session
        if decision.cause is not None:
            self._check_refusal(before, decision, decision.cause, by)
            return decision.cause
        self._check_answer(before, decision, by)
        return self._hand_out()

    def _front(self, token: Token, now: int) -> Cause | None:
        if token.key_id in self.revoked:
            return Cause.KEY_REVOKED
        return Cause.EXPIRED if now >= self.session.expires_at else None

    def _decide(self, generation: int, call: Call, now: int) -> Decision:
        view = View(
            session=self.session, cuts=self.cuts, prior=None, revision=self.revision, serving_ms=self.serving_ms
        )
        return self.rotate(
            view,
            generation,
            call,
            now=now,
            policy=self.policy,
            signing_key_id=self.signing.key_id,
            revoked_key_ids=self.revoked,
        )

    def _hand_out(self) -> Token:
        """Sign what the record says; whoever gets a generation gets the same bytes."""
        session = self.session
        key = next(key for key in KEYS if key.key_id == session.pending_by.key_id)
        claims = RefreshClaims(session.id, session.pending, session.pending_by.at, session.expires_at)
        token = Token(session.pending, key.key_id, sign_refresh_token(key, claims))
        assert token == self.handed.setdefault(token.generation, token), "two tokens of one generation"
        return token

    def _check_answer(self, before: Session, decision: Decision, by: Presentation) -> None:
        """An answer writes what the history says, tells of it once, and revokes nothing."""
        history, confirmed = self.history, self.history.confirmed
        expected = replace(
            before,
            pending=history.pending,
            pending_by=self._trace(history.pending),
            confirmed=confirmed,
            confirmed_by=None if confirmed is None else self._trace(confirmed),
            confirmed_ms=history.confirmed_ms,
            parent=history.parent,
            shared_in_row=history.shared_in_row,
            pending_shared=confirmed in history.shared,
            shared=history.rows[Row.SHARE],
            retried=history.rows[Row.RETRY],
            access_issued_at=history.access_issued_at,
        )
        assert expected == decision.session
        assert decision.revocation is None
        assert decision.outcome is not None
        self._check_event(decision, KINDS[decision.outcome], by)

    def _check_refusal(self, before: Session, decision: Decision, cause: Cause, by: Presentation) -> None:
        """A refusal is counted and told, ends a session at most once, and changes nothing else."""
        ends = cause in ENDS and before.end is None
        old = next((refusal for refusal in before.refusals if refusal.cause is cause), None)
        due = old is None or not 0 <= by.now - old.event_at < REFUSAL_EVENT_SECONDS
        counted = Refusal(
            cause=cause,
            first_at=by.now if old is None else old.first_at,
            last_at=by.now,
            count=1 if old is None else old.count + 1,
            event_at=by.now if old is None or due else old.event_at,
        )
        others = {refusal.cause: refusal for refusal in before.refusals}
        assert {**others, cause: counted} == {refusal.cause: refusal for refusal in self.session.refusals}
        expected = replace(before, refusals=self.session.refusals)
        if ends:
            reuse = Reuse(presented=by.generation, by=self._call_trace(by)) if cause is Cause.REUSED else None
            expected = replace(expected, end=End(cause=cause, at=by.now, reuse=reuse))
        if cause is Cause.SUPERSEDED:
            expected = replace(expected, superseded=self.history.rows[Row.STRAGGLER])
        assert expected == self.session
        entry = decision.revocation
        told = entry and (entry.kind, entry.session_id, entry.cause, entry.scope)
        assert ((RevocationKind.SESSION, before.id, cause, None) if ends else None) == told
        if entry is not None:
            dead_at = min(max(by.now, self.history.access_issued_at) + ACCESS_SECONDS, before.expires_at)
            assert dead_at + 2 * self.policy.leeway_seconds == entry.keep_until, "an access token outlives the memory"
        quiet = EventKind.REFRESH_SUPERSEDED if cause is Cause.SUPERSEDED else EventKind.REFRESH_REFUSED
        if due:
            self._check_event(decision, ENDS[cause] if ends else quiet, by)
        else:
            assert () == decision.events

    def _check_event(self, decision: Decision, kind: EventKind, by: Presentation) -> None:
        """The one event of a decision names session, generation, cause and call."""
        assert 1 == len(decision.events)
        event, call = decision.events[0], by.call
        assert (kind, by.now, self.session.id, decision.cause, by.generation, call.ip, call.caller) == (
            event.kind,
            event.at,
            event.session_id,
            event.cause,
            event.generation,
            event.ip,
            event.caller,
        )

    def _trace(self, generation: int) -> Trace:
        """Give the trace of the presentation that made a generation."""
        by = self.history.birth(generation)
        return replace(self._call_trace(by), at=self.history.issued_at(generation), key_id=by.signing_key_id)

    def _call_trace(self, by: Presentation) -> Trace:
        call = by.call
        return Trace(
            at=by.now,
            serving_ms=by.serving_ms,
            key_id=b"",
            retry_hash=call.retry_hash,
            request_hash=call.request_hash,
            ip=call.ip,
            user_agent=call.user_agent,
            caller=call.caller,
        )
