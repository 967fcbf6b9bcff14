"""The promises about decisions: what they see, and what becomes of what they want."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sessiond.clock import ManualClock
from sessiond.errors import Cause
from sessiond.store.contract import Change, Cuts, KeysChange, Swept, View
from sessiond.store.records import End, Revocation, RevocationKind, Scope
from tests.conformance.probes import WRITES, TickingStore, everything, writing_calls
from tests.conformance.samples import (
    EVERYTHING,
    FIRST_REVISION,
    NOW,
    OTHER_HASH,
    SUBJECT,
    SUBJECT_HASH,
    TENANT,
    TENANT_HASH,
    add,
    answer,
    cut,
    cut_scope,
    end,
    ended,
    event,
    full_session,
    keep,
    key,
    look,
    put_keys,
    refuse,
    request,
    revocation,
    session,
    tell,
)


class DecisionsSuite:
    """What a decision sees, what it can write, and which numbers that gets."""

    # Decisions.

    @pytest.mark.parametrize("verb", WRITES)
    def test_what_a_decision_raises_is_raised_and_nothing_is_written(self, store: TickingStore, verb: str) -> None:
        """A decision that raises is its caller's to see, and leaves everything as it was."""
        add(store, session())
        before = everything(store)

        with pytest.raises(LookupError, match="no such thing"):
            writing_calls(store, refuse("no such thing"))[verb]()

        assert before == everything(store)

    @pytest.mark.parametrize("verb", [verb for verb in WRITES if verb != "cut"])
    def test_a_result_alone_writes_nothing(self, store: TickingStore, verb: str) -> None:
        """A change that holds a result alone gives it to the caller and leaves everything as it was."""
        add(store, session())
        before = everything(store)
        change: object = KeysChange("result") if verb == "change_keys" else Change("result")

        assert "result" == writing_calls(store, lambda _: change)[verb]()
        assert before == everything(store)

    def test_a_create_sees_the_cuts_of_its_scopes(self, store: TickingStore) -> None:
        """The decision of a create sees the cuts of everything, its tenant and its subject, and no other."""
        cut_scope(store, EVERYTHING)
        cut_scope(store, TENANT)
        cut_scope(store, SUBJECT)

        def cuts(tenant_hash: bytes, subject_hash: bytes) -> tuple[int | None, ...]:
            seen = store.create(tenant_hash, subject_hash, None, lambda view: Change(view.cuts))
            return tuple(None if one is None else one.revision for one in (seen.everything, seen.tenant, seen.subject))

        first = FIRST_REVISION + 1
        assert (first, first + 1, first + 2) == cuts(TENANT_HASH, SUBJECT_HASH)
        assert (first, None, None) == cuts(OTHER_HASH, OTHER_HASH)
        # A hash of one kind is none of another kind.
        assert (first, None, None) == cuts(SUBJECT_HASH, TENANT_HASH)

    @pytest.mark.parametrize("verb", ["rotate", "update", "revoke"])
    def test_a_change_sees_the_session_its_cuts_and_the_counters(
        self, store: TickingStore, clock: ManualClock, verb: str
    ) -> None:
        """The decision about a session sees it, the cuts that cover it, the revisions and the serving clock."""
        store.tick()
        clock.advance(2)
        store.tick()
        put_keys(store, key())
        cut_scope(store, TENANT)
        new = add(store, session())
        seen: list[View] = []

        def decide(view: View) -> Change[None]:
            seen.append(view)
            return Change(None)

        writing_calls(store, decide)[verb]()

        covering = replace(cut(), revision=FIRST_REVISION + 2)
        expected = View(new, Cuts(tenant=covering), None, FIRST_REVISION + 2, 2_000, FIRST_REVISION + 1)
        assert expected == seen[-1]
        assert expected == store.get(new.id)

    @pytest.mark.parametrize("verb", ["rotate", "update"])
    def test_a_change_of_an_unknown_session_sees_none(self, store: TickingStore, verb: str) -> None:
        """The decision about an id that no session has sees no session and no cuts, and can write none."""
        cut_scope(store, EVERYTHING)

        def decide(view: View) -> Change[None]:
            assert (None, Cuts()) == (view.session, view.cuts)
            return Change(None, session=session())

        with pytest.raises(ValueError, match="in the store"):
            writing_calls(store, decide)[verb]()
        assert store.get(session().id).session is None

    def test_an_id_is_given_once(self, store: TickingStore) -> None:
        """A session whose id is taken is not added, and the one that has it stays."""
        first = add(store, session())

        with pytest.raises(ValueError, match="not new"):
            add(store, session(subject="mallory"))
        assert first == store.get(first.id).session

    @pytest.mark.parametrize("verb", ["rotate", "update"])
    def test_a_call_changes_no_other_session(self, store: TickingStore, verb: str) -> None:
        """A change of a session cannot write another one."""
        add(store, session(1))
        other = add(store, session(2))

        with pytest.raises(ValueError, match="the call names"):
            writing_calls(store, lambda _: Change(None, session=replace(other, label="changed")))[verb]()
        assert other == store.get(other.id).session

    @pytest.mark.parametrize("verb", ["rotate", "update"])
    def test_a_session_is_changed(self, store: TickingStore, verb: str) -> None:
        """The session of a change takes the place of the one before; the revision stays."""
        add(store, session())
        changed = full_session()

        assert "done" == writing_calls(store, lambda _: Change("done", session=changed))[verb]()
        assert changed == store.get(changed.id).session
        assert FIRST_REVISION == store.revision()

    # Numbers.

    def test_a_revocation_raises_the_revision_and_is_logged_with_it(self, store: TickingStore) -> None:
        """A revocation gets the next revision, whatever number it carries, and is in the log under it."""
        add(store, session())

        assert FIRST_REVISION + 1 == end(store, session().id)
        assert FIRST_REVISION + 1 == store.revision()
        expected = replace(revocation(session().id), revision=FIRST_REVISION + 1)
        assert ([expected], FIRST_REVISION + 1) == store.revocations_after(0, 10)
        ended = store.get(session().id).session
        assert ended is not None
        assert End(Cause.REVOKED, NOW, "logout") == ended.end

    def test_a_revocation_does_not_raise_the_revision_of_the_keys(self, store: TickingStore) -> None:
        """Only a change of the keyset makes a decision's keyset old."""
        put_keys(store, key())
        add(store, session())
        end(store, session().id)

        view = store.get(session().id)
        assert (FIRST_REVISION + 2, FIRST_REVISION + 1) == (view.revision, view.keys_revision)

    def test_a_cut_in_a_change_comes_after_its_end(self, store: TickingStore) -> None:
        """A change that ends its session and cuts raises the revision twice, the end first."""
        add(store, session())
        change = Change(None, ended=(ended(session()),), cut=(SUBJECT, cut(reason="reuse")))

        store.rotate(session().id, lambda _: change)

        first, second = FIRST_REVISION + 1, FIRST_REVISION + 2
        logged = Revocation(second, RevocationKind.CUT, NOW, NOW + 2_000, scope=SUBJECT)
        assert ([replace(revocation(session().id), revision=first), logged], second) == store.revocations_after(0, 10)
        assert ({SUBJECT: replace(cut(reason="reuse"), revision=second)}, second) == store.cuts()

    def test_events_are_numbered_one_by_one(self, store: TickingStore) -> None:
        """Events get the next numbers in order, whatever number they carry, from every verb."""
        new = session()
        store.create(
            TENANT_HASH, SUBJECT_HASH, None, lambda _: Change(None, session=new, events=(event("A"), event("B")))
        )
        store.rotate(new.id, lambda _: Change(None, events=(event("C"),)))
        cut_scope(store, SUBJECT)
        tell(store, event("D"))

        told = [(one.sequence, one.kind) for one in store.events_after(0, 10)[0]]
        assert [(1, "A"), (2, "B"), (3, "C"), (4, "CUT"), (5, "D")] == told

    def test_a_log_is_read_in_pages(self, store: TickingStore) -> None:
        """Log and events are read above a number, up to a limit, in order, with the store's revision."""
        for number in range(5):
            cut_scope(store, SUBJECT, keep_until=NOW + number)

        entries, revision = store.revocations_after(FIRST_REVISION + 1, 2)
        assert [FIRST_REVISION + 2, FIRST_REVISION + 3] == [entry.revision for entry in entries]
        assert FIRST_REVISION + 5 == revision
        assert ([], revision) == store.revocations_after(revision, 2)
        assert [2, 3] == [one.sequence for one in store.events_after(1, 2)[0]]
        assert [] == store.events_after(5, 2)[0]

    # Cuts.

    @pytest.mark.parametrize("scope", [EVERYTHING, TENANT, SUBJECT], ids=lambda scope: scope.kind.name)
    def test_a_scope_is_cut(self, store: TickingStore, scope: Scope) -> None:
        """A cut gets the next revision, is logged, told, and covers the sessions of its scope; the last one counts."""
        add(store, session())
        for revision, reason in ((FIRST_REVISION + 1, "first"), (FIRST_REVISION + 2, "second")):
            assert revision == cut_scope(store, scope, reason=reason)

        last = replace(cut(reason="second"), revision=FIRST_REVISION + 2)
        assert ({scope: last}, FIRST_REVISION + 2) == store.cuts()
        cuts = store.get(session().id).cuts
        assert [last] == [one for one in (cuts.everything, cuts.tenant, cuts.subject) if one is not None]
        entries, _ = store.revocations_after(FIRST_REVISION + 1, 10)
        assert [(RevocationKind.CUT, scope)] == [(entry.kind, entry.scope) for entry in entries]
        assert ["CUT", "CUT"] == [one.kind for one in store.events_after(0, 10)[0]]

    def test_a_cut_that_decides_for_nothing_writes_nothing(self, store: TickingStore) -> None:
        """A cut whose change is a result alone gives that, and leaves everything as it was."""
        cut_scope(store, SUBJECT)
        before = everything(store)

        assert FIRST_REVISION + 1 == store.cut(SUBJECT, b"", request(), lambda view: Change(view.revision))
        assert before == everything(store)

    # Requests.

    def test_a_repeated_create_sees_the_first_answer_and_its_session(self, store: TickingStore) -> None:
        """A repetition sees the row of the first call and the session that it made, as that is by then."""
        new = session()
        row = answer(session_id=new.id)
        store.create(TENANT_HASH, SUBJECT_HASH, request(), lambda _: Change(None, session=new, answer=row))
        changed = replace(new, label="changed")
        store.update(new.id, None, lambda _: Change(None, session=changed))

        view = store.create(TENANT_HASH, SUBJECT_HASH, request(), Change)
        assert (row, changed) == (view.prior, view.session)
        other = store.create(TENANT_HASH, SUBJECT_HASH, request(2), Change)
        assert (None, None) == (other.prior, other.session)

    def test_a_repeated_create_may_change_its_session(self, store: TickingStore) -> None:
        """A repetition may write the session that the first call made, and no other one that is in the store."""
        new, other = session(), session(2)
        row = answer(session_id=new.id)
        store.create(TENANT_HASH, SUBJECT_HASH, request(), lambda _: Change(None, session=new, answer=row))
        store.create(TENANT_HASH, SUBJECT_HASH, None, lambda _: Change(None, session=other))
        changed = replace(new, label="changed", expires_at=new.expires_at + 1)
        before = everything(store)

        with pytest.raises(ValueError, match="not new"):
            store.create(
                TENANT_HASH, SUBJECT_HASH, request(), lambda _: Change(None, session=replace(other, label="x"))
            )
        assert before == everything(store)
        store.create(TENANT_HASH, SUBJECT_HASH, request(), lambda _: Change(None, session=changed))
        assert (changed, other) == (store.get(new.id).session, store.get(other.id).session)

    @pytest.mark.parametrize("verb", ["update", "revoke"])
    def test_a_repeated_change_sees_the_first_answer(self, store: TickingStore, verb: str) -> None:
        """A repetition sees the row of the first call; without an answer there is none."""
        add(store, session())
        row = answer(session_id=session().id, revision=5)

        assert None is writing_calls(store, lambda view: Change(view.prior))[verb]()
        assert None is writing_calls(store, lambda view: Change(view.prior, answer=row))[verb]()
        assert row == writing_calls(store, lambda view: Change(view.prior))[verb]()
        assert row == look(store, request())

    def test_an_answer_without_a_request_is_not_kept(self, store: TickingStore) -> None:
        """A call without a request leaves no row."""
        add(store, session())
        store.rotate(session().id, lambda _: Change(None, answer=answer()))

        assert Swept() == store.sweep(NOW + 500, 0, 10)

    def test_a_row_of_a_request_is_replaced(self, store: TickingStore) -> None:
        """Where a call answers under a request that has a row, the later row counts, its deadline too."""
        keep(store, request(), answer(keep_until=NOW + 10))
        keep(store, request(), answer(keep_until=NOW + 20, revision=2))

        assert Swept() == store.sweep(NOW + 10, 0, 10)
        assert answer(keep_until=NOW + 20, revision=2) == look(store, request())
        assert Swept(requests=1) == store.sweep(NOW + 20, 0, 10)
        assert None is look(store, request())
