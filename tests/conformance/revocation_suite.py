"""The promises about ending sessions: lists, evictions, siblings, and cuts that spare one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from sessiond.store.contract import Change, Cuts, View
from sessiond.store.records import Cut, Revocation, RevocationKind, Session
from tests.conformance.probes import TickingStore, everything
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
    look,
    refuse,
    request,
    session,
)

FIRST, SECOND, THIRD = (session(number) for number in (1, 2, 3))
UNKNOWN = session(9).id


def numbers(sessions: Sequence[Session]) -> list[int]:
    """Give the numbers that sessions were made up with."""
    return [int.from_bytes(one.id, "big") for one in sessions]


def logged(store: TickingStore) -> list[tuple[int, RevocationKind, bytes]]:
    """Give the log: each entry's place above the first revision, its kind and its session."""
    return [
        (entry.revision - FIRST_REVISION, entry.kind, entry.session_id) for entry in store.revocations_after(0, 9)[0]
    ]


def evict(store: TickingStore, new: Session, *, siblings: int) -> list[int]:
    """Add a session and end all that the decision sees beside it; give their numbers as it saw them."""

    def decide(view: View) -> Change[list[int]]:
        return Change(
            numbers(view.siblings),
            session=new,
            ended=tuple(ended(one) for one in view.siblings),
            events=(event("CREATED"),),
            answer=answer(session_id=new.id),
        )

    return store.create(new.tenant_hash, new.subject_hash, request(), decide, siblings=siblings)


def spare(store: TickingStore, one: Session) -> Cut:
    """Cut the subject but for a session, whose record the same change writes."""
    sparing = replace(cut(), except_session_id=one.id, except_until=NOW + 300)

    def decide(view: View) -> Change[Cut]:
        assert view.session is not None
        return Change(sparing, session=replace(view.session, born=view.revision + 1), cut=(SUBJECT, sparing))

    return store.cut(SUBJECT, one.id, None, decide)


class RevocationSuite:
    """What ends together, in which order, and what a decision may end."""

    # Lists.

    def test_a_list_is_seen_in_its_order(self, store: TickingStore) -> None:
        """The decision about a list gets one view for each id, in the list's order, with the cuts and the first row."""
        for one in (FIRST, SECOND, session(4, subject_hash=OTHER_HASH)):
            add(store, one)
        cut_scope(store, SUBJECT)
        store.revoke([FIRST.id], request(), lambda _: Change(None, answer=answer(outcome=b"\1")))

        views = store.revoke([SECOND.id, UNKNOWN, session(4).id, FIRST.id], request(), Change)
        covering = Cuts(subject=replace(cut(), revision=FIRST_REVISION + 1))
        row = answer(outcome=b"\1")
        expected = [
            (SECOND, covering, row),
            (None, Cuts(), row),
            (session(4, subject_hash=OTHER_HASH), Cuts(), row),
            (FIRST, covering, row),
        ]
        assert expected == [(view.session, view.cuts, view.prior) for view in views]
        assert {(FIRST_REVISION + 1, ())} == {(view.revision, tuple(view.siblings)) for view in views}

    def test_a_list_ends_in_the_order_of_the_decision(self, store: TickingStore) -> None:
        """Each session that ends gets a revision and a log entry of its own, in order; the others are left."""
        for one in (FIRST, SECOND, THIRD):
            add(store, one)

        def decide(views: Sequence[View]) -> Change[str]:
            endings = tuple(ended(views[place].session) for place in (2, 0))
            return Change("done", ended=endings, events=(event("ENDED"), event("ENDED")), answer=answer(outcome=b"101"))

        assert "done" == store.revoke([FIRST.id, SECOND.id, THIRD.id], request(), decide)
        kind = RevocationKind.SESSION
        assert [(1, kind, THIRD.id), (2, kind, FIRST.id)] == logged(store)
        assert FIRST_REVISION + 2 == store.revision()
        assert [ended(FIRST).session, SECOND, ended(THIRD).session] == [
            store.get(one.id).session for one in (FIRST, SECOND, THIRD)
        ]
        assert ["ENDED", "ENDED"] == [one.kind for one in store.events_after(0, 9)[0]]
        assert answer(outcome=b"101") == look(store, request())

    def test_a_list_ends_as_a_whole_or_not(self, store: TickingStore) -> None:
        """Where one of the list cannot end, none of it does, and nothing else of the call is written."""
        for one in (FIRST, SECOND, THIRD):
            add(store, one)
        before = everything(store)
        # The third is in the store, and the decision did not see it.
        unseen = Change(None, ended=(ended(FIRST), ended(THIRD)), events=(event(),), answer=answer())
        twice = Change(None, ended=(ended(FIRST), ended(SECOND), ended(FIRST)), events=(event(),))
        beside = Change(None, session=replace(FIRST, label="changed"), ended=(ended(SECOND),))

        for change, message in ((unseen, "decision saw"), (twice, "each session once"), (beside, "stands in `ended`")):
            with pytest.raises(ValueError, match=message):
                store.revoke([FIRST.id, SECOND.id], request(), lambda _, change=change: change)  # type: ignore[misc]
        with pytest.raises(LookupError, match="no"):
            store.revoke([FIRST.id, SECOND.id], request(), refuse("no"))
        assert before == everything(store)

    def test_an_unknown_id_of_a_list_cannot_end(self, store: TickingStore) -> None:
        """A session that is not in the store is not brought into it by its end."""
        with pytest.raises(ValueError, match="decision saw"):
            store.revoke([FIRST.id], None, lambda _: Change(None, ended=(ended(FIRST),)))
        assert None is store.get(FIRST.id).session

    def test_an_id_stands_once_in_a_list(self, store: TickingStore) -> None:
        """A list that names a session twice is a fault of the caller: no decision is asked."""
        add(store, FIRST)
        with pytest.raises(ValueError, match="twice in the list"):
            store.revoke([FIRST.id, UNKNOWN, FIRST.id], None, refuse("asked"))

    def test_an_empty_list(self, store: TickingStore) -> None:
        """A list of none ends none, and can be answered."""
        assert [] == store.revoke([], request(), lambda views: Change(list(views), answer=answer()))
        assert answer() == look(store, request())
        assert FIRST_REVISION == store.revision()

    @pytest.mark.parametrize("verb", ["rotate", "update", "cut"])
    def test_other_verbs_end_no_other_session(self, store: TickingStore, verb: str) -> None:
        """What is not of a list, a sibling or the call's own session cannot be ended; that a cut spares not even so."""
        add(store, FIRST)
        add(store, SECOND)
        change = Change(None, ended=(ended(FIRST),))
        calls = {
            "rotate": lambda: store.rotate(SECOND.id, lambda _: change),
            "update": lambda: store.update(SECOND.id, None, lambda _: change),
            "cut": lambda: store.cut(SUBJECT, FIRST.id, None, lambda _: change),
        }
        with pytest.raises(ValueError, match="decision saw"):
            calls[verb]()
        assert FIRST == store.get(FIRST.id).session

    def test_numbers_rise_from_the_ended_to_the_cut(self, store: TickingStore) -> None:
        """The sessions that end come first in the log, in their order, then the cut."""
        add(store, FIRST)
        add(store, SECOND)
        change = Change(None, ended=(ended(SECOND), ended(FIRST)), cut=(TENANT, cut()))
        store.revoke([FIRST.id, SECOND.id], None, lambda _: change)

        session_kind = RevocationKind.SESSION
        expected = [(1, session_kind, SECOND.id), (2, session_kind, FIRST.id), (3, RevocationKind.CUT, b"")]
        assert expected == logged(store)
        assert FIRST_REVISION + 3 == store.cuts()[0][TENANT].revision

    # Evictions.

    def test_an_eviction_is_written_with_the_session_that_causes_it(self, store: TickingStore) -> None:
        """A create ends siblings in its own transaction, in the decision's order, each logged."""
        add(store, FIRST)
        add(store, SECOND)

        assert [2, 1] == evict(store, THIRD, siblings=5)
        kind = RevocationKind.SESSION
        assert [(1, kind, SECOND.id), (2, kind, FIRST.id)] == logged(store)
        assert [ended(FIRST).session, ended(SECOND).session, THIRD] == [
            store.get(one.id).session for one in (FIRST, SECOND, THIRD)
        ]
        assert [(1, "CREATED")] == [(one.sequence, one.kind) for one in store.events_after(0, 9)[0]]
        assert answer(session_id=THIRD.id) == look(store, request())

    def test_siblings_are_the_newest_living_ones(self, store: TickingStore) -> None:
        """A create sees so many of the subject's sessions without an end as it asks for, the greatest id first."""
        for number in (2, 5, 1, 4, 3, 6):
            add(store, session(number))
        add(store, session(7, subject_hash=OTHER_HASH))
        add(store, session(8, subject_hash=b"\0" * 8))
        add(store, session(9, subject_hash=b"\xff" * 8))
        end(store, session(5).id)

        def siblings(subject_hash: bytes, count: int) -> list[int]:
            decide = lambda view: Change(numbers(view.siblings))  # noqa: E731 - two words
            return store.create(TENANT_HASH, subject_hash, None, decide, siblings=count)

        assert [] == siblings(SUBJECT_HASH, 0)
        assert [6, 4, 3] == siblings(SUBJECT_HASH, 3)
        assert [6, 4, 3, 2, 1] == siblings(SUBJECT_HASH, 100)
        assert [7] == siblings(OTHER_HASH, 100)
        assert [9] == siblings(b"\xff" * 8, 100)
        assert [] == siblings(b"nobody's", 100)
        assert [] == store.create(TENANT_HASH, SUBJECT_HASH, None, lambda view: Change(list(view.siblings)))

    def test_a_repeated_create_sees_its_session_among_the_siblings(self, store: TickingStore) -> None:
        """The session that the first call made is a sibling, and cannot end beside its own change."""
        add(store, FIRST)
        evict(store, SECOND, siblings=1)
        before = everything(store)

        with pytest.raises(ValueError, match="each session once"):
            evict(store, SECOND, siblings=1)
        assert before == everything(store)

    def test_a_create_ends_none_but_siblings(self, store: TickingStore) -> None:
        """A session that a create did not see is not ended by it, and the new one is not added."""
        for one in (FIRST, SECOND):
            add(store, one)
        before = everything(store)
        change = Change(None, session=THIRD, ended=(ended(SECOND), ended(FIRST)), events=(event(),))

        with pytest.raises(ValueError, match="decision saw"):
            store.create(TENANT_HASH, SUBJECT_HASH, None, lambda _: change, siblings=1)
        assert before == everything(store)
        assert None is store.get(THIRD.id).session

    def test_what_was_evicted_is_no_sibling_of_the_next(self, store: TickingStore) -> None:
        """Each create sees what the one before it left."""
        assert [[], [1], [2]] == [evict(store, one, siblings=5) for one in (FIRST, SECOND, THIRD)]

    # Cuts that spare a session.

    def test_a_cut_sees_the_session_that_it_is_to_spare(self, store: TickingStore) -> None:
        """The decision of a cut sees the named session with the cuts that cover it, or none."""
        add(store, FIRST)
        cut_scope(store, EVERYTHING)

        seen = store.cut(SUBJECT, FIRST.id, None, Change)
        expected = (FIRST, Cuts(everything=replace(cut(), revision=FIRST_REVISION + 1)), FIRST_REVISION + 1)
        assert expected == (seen.session, seen.cuts, seen.revision)
        for session_id in (UNKNOWN, b""):
            seen = store.cut(SUBJECT, session_id, None, Change)
            assert (None, Cuts()) == (seen.session, seen.cuts)

    def test_a_cut_that_spares_a_session_writes_both_at_once(self, store: TickingStore) -> None:
        """The spared session's record, the cut and its log entry are written together, and name the session."""
        add(store, FIRST)
        add(store, SECOND)

        sparing = spare(store, FIRST)
        first = FIRST_REVISION + 1
        view = store.get(FIRST.id)
        assert replace(FIRST, born=first) == view.session
        assert replace(sparing, revision=first) == view.cuts.subject
        assert ({SUBJECT: replace(sparing, revision=first)}, first) == store.cuts()
        entry = Revocation(
            revision=first,
            kind=RevocationKind.CUT,
            at=NOW,
            keep_until=NOW + 2_000,
            scope=SUBJECT,
            except_session_id=FIRST.id,
            except_until=NOW + 300,
        )
        assert ([entry], first) == store.revocations_after(0, 9)
        assert SECOND == store.get(SECOND.id).session

    def test_a_later_cut_spares_only_what_it_names(self, store: TickingStore) -> None:
        """The last cut of a scope counts, with the session that it spares or none."""
        add(store, FIRST)
        add(store, SECOND)
        spare(store, FIRST)
        spare(store, SECOND)
        assert SECOND.id == store.cuts()[0][SUBJECT].except_session_id
        cut_scope(store, SUBJECT)
        assert b"" == store.cuts()[0][SUBJECT].except_session_id
        assert [FIRST.id, SECOND.id, b""] == [one.except_session_id for one in store.revocations_after(0, 9)[0]]

    def test_a_cut_is_of_what_its_call_names(self, store: TickingStore) -> None:
        """A cut of another scope, sparing another session, or beside another one is refused, and writes nothing."""
        for one in (FIRST, SECOND):
            add(store, one)
        before = everything(store)
        sparing = replace(cut(), except_session_id=FIRST.id)
        wrong: list[Change[None]] = [
            Change(None, cut=(TENANT, sparing)),
            Change(None, cut=(SUBJECT, cut())),
            Change(None, cut=(SUBJECT, replace(sparing, except_session_id=SECOND.id))),
            Change(None, session=replace(SECOND, born=5), cut=(SUBJECT, sparing)),
        ]
        for change in wrong:
            with pytest.raises(ValueError, match="that the call names"):
                store.cut(SUBJECT, FIRST.id, None, lambda _, change=change: change)  # type: ignore[misc]
        unknown = Change(None, session=session(9), cut=(SUBJECT, replace(cut(), except_session_id=UNKNOWN)))
        with pytest.raises(ValueError, match="that the call names"):
            store.cut(SUBJECT, UNKNOWN, None, lambda _: unknown)
        assert before == everything(store)

    def test_a_repeated_cut_sees_the_first_answer(self, store: TickingStore) -> None:
        """A repetition sees the row of the first cut, and the spared session as that left it."""
        add(store, FIRST)
        row = answer(revision=FIRST_REVISION + 1)
        sparing = replace(cut(), except_session_id=FIRST.id)
        born = replace(FIRST, born=FIRST_REVISION + 1)
        change = Change(None, session=born, cut=(SUBJECT, sparing), answer=row)
        store.cut(SUBJECT, FIRST.id, request(), lambda _: change)

        seen = store.cut(SUBJECT, FIRST.id, request(), Change)
        assert (row, born) == (seen.prior, seen.session)
