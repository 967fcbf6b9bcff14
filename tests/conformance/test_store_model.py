"""Any sequence of calls leaves a store like a few plain dictionaries."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from sessiond.clock import ManualClock
from sessiond.store.contract import Change, EndedSession, Store, Swept, View
from sessiond.store.lmdb import LmdbStore
from sessiond.store.memory import MemoryStore
from sessiond.store.records import (
    Cut,
    Event,
    KeyRecord,
    RequestRecord,
    Revocation,
    RevocationKind,
    Scope,
    ScopeKind,
    Session,
)
from tests.conformance.samples import (
    EVERYTHING,
    FIRST_REVISION,
    OTHER_HASH,
    SUBJECT,
    SUBJECT_HASH,
    TENANT,
    add,
    answer,
    cut,
    cut_scope,
    ended,
    event,
    keep,
    key,
    look,
    put_keys,
    request,
    revocation,
    session,
    tell,
)

GRACE = 3
TIMES = st.integers(0, 20)
NUMBERS = st.integers(1, 4)
SCOPES = st.sampled_from([EVERYTHING, TENANT, SUBJECT, Scope(ScopeKind.SUBJECT, OTHER_HASH)])


class Model:
    """What a store should hold, as plainly as it can be said."""

    def __init__(self) -> None:
        """Start empty."""
        self.revision = FIRST_REVISION
        self.keys_revision = 0
        self.serving_ms = 0
        self.sequence = 0
        self.sessions: dict[bytes, Session] = {}
        self.cuts: dict[Scope, Cut] = {}
        self.keys: dict[bytes, KeyRecord] = {}
        self.log: dict[int, Revocation] = {}
        self.events: dict[int, Event] = {}
        self.requests: dict[bytes, RequestRecord] = {}

    def write_log(self, entry: Revocation) -> int:
        """Log an entry under the next revision."""
        self.revision += 1
        self.log[self.revision] = replace(entry, revision=self.revision)
        return self.revision

    def write_event(self, one: Event) -> None:
        """Tell an event under the next number."""
        self.sequence += 1
        self.events[self.sequence] = replace(one, sequence=self.sequence)

    def view(self, session_id: bytes) -> tuple[Any, ...]:
        """Give what a store shows of a session."""
        found = self.sessions.get(session_id)
        scopes: tuple[Scope, ...] = ()
        if found is not None:
            scopes = (EVERYTHING, TENANT, Scope(ScopeKind.SUBJECT, found.subject_hash))
        cuts = tuple(self.cuts.get(scope) for scope in scopes) or (None, None, None)
        return found, *cuts, self.revision, self.serving_ms, self.keys_revision

    def sweep(self, now: int, events_before: int, limit: int, max_events: int, max_refusal_events: int) -> Swept:
        """Delete in the order that the store promises none of, but keeps: by table, then by deadline."""
        tables: list[tuple[str, dict[Any, Any], int, str]] = [
            ("sessions", self.sessions, now - GRACE, "expires_at"),
            ("requests", self.requests, now, "keep_until"),
            ("cuts", self.cuts, now, "keep_until"),
            ("revocations", self.log, now, "keep_until"),
        ]
        counts: dict[str, int] = {}
        for name, rows, until, deadline in tables:
            due = [row for row in rows if getattr(rows[row], deadline) <= until]
            due.sort(key=lambda row: getattr(rows[row], deadline))
            counts[name] = min(len(due), limit - sum(counts.values()))
            # Rows of one deadline may go in any order: the machine gives each a deadline of its own.
            for row in due[: counts[name]]:
                del rows[row]
        for name, refusal, most in (("events", False, max_events), ("refusal_events", True, max_refusal_events)):
            told = sorted((one for one in self.events.values() if one.refusal == refusal), key=lambda one: one.at)
            room = limit - sum(counts.values())
            going = [one.sequence for one in told if one.at < events_before][:room]
            rest = sorted({one.sequence for one in told}.difference(going))
            going += rest[: max(0, min(room, len(told) - most) - len(going))]
            counts[name] = len(going)
            for sequence in going:
                del self.events[sequence]
        return Swept(**counts, more=sum(counts.values()) == limit)

    def living(self, subject_hash: bytes) -> list[Session]:
        """Give the sessions of a subject's hash without an end, in the order of ids."""
        found = (one for one in self.sessions.values() if one.subject_hash == subject_hash and one.end is None)
        return sorted(found, key=lambda one: one.id)


class Machine(RuleBasedStateMachine):
    """Calls a store and the model alike, and compares all that can be read after each call."""

    store: Any
    reopens = False

    def __init__(self) -> None:
        """Start with an empty store."""
        super().__init__()
        self.model = Model()
        self.clock = ManualClock()
        self.deadline = 0

    def open(self) -> Any:
        """Open the store."""
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        """Open the store and start its serving clock."""
        self.store = self.open()
        self.store.tick()

    def soon(self, seconds: int) -> int:
        """Give a deadline that no other row has, some time after the last one."""
        self.deadline += 1 + seconds
        return self.deadline

    @rule(number=NUMBERS, seconds=TIMES, other=st.booleans())
    def create(self, number: int, seconds: int, *, other: bool) -> None:
        """Add a session, if its id is free."""
        new = session(number, expires_at=self.soon(seconds), subject_hash=OTHER_HASH if other else SUBJECT_HASH)
        if new.id not in self.model.sessions:
            add(self.store, new)
            self.model.sessions[new.id] = new

    @rule(number=NUMBERS, seconds=st.none() | TIMES, other=st.booleans())
    def change(self, number: int, seconds: int | None, *, other: bool) -> None:
        """Change a session, its deadline and its subject's hash too, and keep the answer."""
        deadline = None if seconds is None else self.soon(seconds)
        row = answer(keep_until=self.soon(5), revision=number)

        def decide(view: View) -> Change[Session | None]:
            if view.session is None:
                return Change(None)
            moved = replace(
                view.session,
                shared=view.session.shared + 1,
                expires_at=view.session.expires_at if deadline is None else deadline,
                subject_hash=OTHER_HASH if other else SUBJECT_HASH,
            )
            return Change(moved, session=moved, events=(event(at=row.keep_until),), answer=row)

        changed = self.store.update(session(number).id, request(number), decide)
        assert (session(number).id in self.model.sessions) == (changed is not None)
        if changed is not None:
            assert changed.shared == self.model.sessions[changed.id].shared + 1
            self.model.sessions[changed.id] = changed
            self.model.requests[request(number).key] = row
            self.model.write_event(event(at=row.keep_until))

    def end_in_model(self, one: Session, until: int) -> EndedSession:
        """End a session in the model, and give what the store is to be told."""
        ending = ended(one, until)
        self.model.write_log(ending.revocation)
        self.model.sessions[one.id] = ending.session
        return ending

    @rule(order=st.permutations(range(1, 5)), count=st.integers(0, 4), seconds=TIMES)
    def end(self, order: list[int], count: int, seconds: int) -> None:
        """End those of a list that are there, in its order."""
        ids = [session(number).id for number in order[:count]]
        seen = [self.model.sessions.get(session_id) for session_id in ids]
        endings = [self.end_in_model(one, self.soon(seconds)) for one in seen if one is not None]

        def decide(views: Sequence[View]) -> Change[None]:
            assert seen == [view.session for view in views]
            return Change(None, ended=endings)

        self.store.revoke(ids, None, decide)

    @rule(number=NUMBERS, siblings=st.integers(0, 4), ending=st.integers(0, 4), seconds=TIMES)
    def evict(self, number: int, siblings: int, ending: int, seconds: int) -> None:
        """Add a session, if its id is free, and end the oldest of so many siblings."""
        new = session(number, expires_at=self.soon(seconds))
        if new.id in self.model.sessions:
            return
        seen = self.model.living(SUBJECT_HASH)[::-1][:siblings]
        endings = [self.end_in_model(one, self.soon(seconds)) for one in seen[::-1][:ending]]
        self.model.sessions[new.id] = new

        def decide(view: View) -> Change[None]:
            assert seen == list(view.siblings)
            return Change(None, session=new, ended=endings)

        self.store.create(new.tenant_hash, SUBJECT_HASH, None, decide, siblings=siblings)

    @rule(number=NUMBERS, scope=SCOPES, seconds=TIMES)
    def spare(self, number: int, scope: Scope, seconds: int) -> None:
        """Cut a scope but for a session, if it is there."""
        one = self.model.sessions.get(session(number).id)
        if one is None:
            return
        until = self.soon(seconds)
        sparing = replace(cut(until), except_session_id=one.id, except_until=seconds)
        entry = Revocation(0, RevocationKind.CUT, cut().at, until, scope=scope)
        born = self.model.write_log(replace(entry, except_session_id=one.id, except_until=seconds))
        self.model.cuts[scope] = replace(sparing, revision=born)
        self.model.sessions[one.id] = replace(one, born=born)

        def decide(view: View) -> Change[None]:
            assert one == view.session
            return Change(None, session=replace(one, born=view.revision + 1), cut=(scope, sparing))

        self.store.cut(scope, one.id, None, decide)

    @rule(scope=SCOPES, seconds=TIMES)
    def cut(self, scope: Scope, seconds: int) -> None:
        """Cut a scope."""
        until = self.soon(seconds)
        revision = self.model.write_log(Revocation(0, RevocationKind.CUT, cut().at, until, scope=scope))
        self.model.cuts[scope] = replace(cut(until), revision=revision)
        self.model.write_event(event("CUT"))
        assert revision == cut_scope(self.store, scope, until)

    @rule(number=NUMBERS, removed=NUMBERS)
    def change_keys(self, number: int, removed: int) -> None:
        """Write a key and delete another."""
        if number != removed:
            put_keys(self.store, key(number), remove=(key(removed).key_id,))
            self.model.keys_revision = self.model.write_log(revocation())
            self.model.keys[key(number).key_id] = key(number)
            self.model.keys.pop(key(removed).key_id, None)

    @rule(at=TIMES, number=st.integers(0, 4), refusal=st.booleans())
    def tell(self, at: int, number: int, *, refusal: bool) -> None:
        """Tell an event of a session, or of none."""
        one = event(at=self.soon(at), session_id=session(number).id if number else b"", refusal=refusal)
        tell(self.store, one)
        self.model.write_event(one)

    @rule(number=NUMBERS, seconds=TIMES)
    def keep(self, number: int, seconds: int) -> None:
        """Keep the answer to a request."""
        row = answer(keep_until=self.soon(seconds))
        keep(self.store, request(number), row)
        self.model.requests[request(number).key] = row

    @rule(
        back=st.integers(-5, 40),
        events_back=st.integers(-5, 40),
        limit=st.integers(1, 6),
        most=st.integers(0, 6),
        refusals=st.integers(0, 6),
    )
    def sweep(self, back: int, events_back: int, limit: int, most: int, refusals: int) -> None:
        """Delete what has expired by some time, and the events that are too many."""
        now, events_before = self.deadline - back, self.deadline - events_back
        swept = self.store.sweep(now, events_before, limit, max_events=most, max_refusal_events=refusals)
        assert self.model.sweep(now, events_before, limit, most, refusals) == swept

    @rule(milliseconds=st.integers(0, 5_000))
    def tick(self, milliseconds: int) -> None:
        """Let time pass and tick."""
        self.clock.advance(milliseconds / 1_000)
        self.store.tick()
        if milliseconds <= 3_000:
            self.model.serving_ms += milliseconds

    @precondition(lambda self: self.reopens)
    @rule()
    def reopen(self) -> None:
        """Close the store and open it again."""
        self.store.close()
        self.store = self.open()

    @invariant()
    def the_store_is_like_the_model(self) -> None:
        """All that can be read is what the model holds."""
        if not hasattr(self, "store"):
            return
        store: Store = self.store
        for number in range(1, 5):
            view = store.get(session(number).id)
            cuts = (view.cuts.everything, view.cuts.tenant, view.cuts.subject)
            seen = (view.session, *cuts, view.revision, view.serving_ms, view.keys_revision)
            assert self.model.view(session(number).id) == seen
            assert self.model.requests.get(request(number).key) == look(store, request(number))
            told = [one for one in self.model.events.values() if one.session_id == session(number).id]
            assert told[-3:] == store.events_of_session(session(number).id, 3)
        for subject_hash in (SUBJECT_HASH, OTHER_HASH):
            assert (self.model.living(subject_hash), self.model.revision) == store.list_by_subject(
                subject_hash, b"", 100
            )
        assert (self.model.cuts, self.model.revision) == store.cuts()
        assert sorted(self.model.keys) == sorted(one.key_id for one in store.keys().keys)
        assert (list(self.model.log.values()), self.model.revision) == store.revocations_after(0, 1_000)
        assert (list(self.model.events.values()), self.model.sequence) == store.events_after(0, 1_000)

    def teardown(self) -> None:
        """Close the store."""
        if hasattr(self, "store"):
            self.store.close()


class MemoryMachine(Machine):
    """The machine on the store in memory."""

    def open(self) -> MemoryStore:
        """Give an empty store."""
        return MemoryStore(monotonic_ms=self.clock.monotonic_ms, session_grace_seconds=GRACE)


class LmdbMachine(Machine):
    """The machine on the store in a directory, which it also closes and opens again."""

    reopens = True

    def __init__(self) -> None:
        """Start in a new directory."""
        super().__init__()
        self.path = Path(tempfile.mkdtemp())

    def open(self) -> LmdbStore:
        """Open the store as the directory holds it."""
        return LmdbStore(self.path, monotonic_ms=self.clock.monotonic_ms, session_grace_seconds=GRACE)

    def teardown(self) -> None:
        """Close the store and leave nothing."""
        super().teardown()
        shutil.rmtree(self.path)


TestMemoryModel = MemoryMachine.TestCase
TestMemoryModel.settings = settings(max_examples=60, stateful_step_count=30)

TestLmdbModel = LmdbMachine.TestCase
TestLmdbModel.settings = settings(max_examples=20, stateful_step_count=30)
