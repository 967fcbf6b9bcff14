"""The promises about rows: what is written is read."""

from __future__ import annotations

import threading
from concurrent import futures

import pytest
from msgspec.structs import replace

from sessiond.errors import Cause
from sessiond.store.contract import Change, Cuts, EndedSession, KeysChange, Swept, View
from sessiond.store.records import RevocationKind, Session
from tests.conformance.probes import GRACE, TickingStore
from tests.conformance.samples import (
    FIRST_REVISION,
    NOW,
    OTHER_HASH,
    SUBJECT_HASH,
    TENANT,
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
    request,
    revocation,
    session,
    tell,
)


class RowsSuite:
    """What is written is read: sessions, lists, keys, the secret of the installation."""

    # What is written is read.

    @pytest.mark.parametrize(
        "new",
        [
            session(),
            full_session(),
            session(subject="6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
            session(subject="6BA7B810-9DAD-11D1-80B4-00C04FD430C8"),
            session(subject="6ba7b8109dad11d180b400c04fd430c8"),
            session(subject="", claims_json="x" * 2_048, data_json="é" * 8_192),
            session(confirmed=0, confirmed_by=session().pending_by),
        ],
        ids=["plain", "full", "uuid", "uuid in capitals", "uuid without hyphens", "large", "same trace"],
    )
    def test_a_session_is_read_as_it_was_written(self, store: TickingStore, new: Session) -> None:
        """A session is read with every field as it was written."""
        assert new == add(store, new)
        assert new == store.get(new.id).session
        listed = [new] if new.end is None else []
        assert (listed, FIRST_REVISION) == store.list_by_subject(new.subject_hash, b"", 10)

    def test_other_records_are_read_as_they_were_written(self, store: TickingStore) -> None:
        """Keys, events, cuts and rows of requests are read with every field as they were written."""
        kept = replace(key(), retired_at=1, revoked_at=2, expires_at=3, reason="ünsafe", actor="admin")
        told = event(
            session_id=session().id,
            tenant="acme",
            subject="alice",
            cause=Cause.REUSED,
            generation=3,
            ip=b"\x7f\0\0\1",
            user_agent="agent",
            caller="gateway",
            actor="admin",
            request_hash=b"request " * 2,
            details={"why": "ünknown"},
        )
        row = answer(session_id=b"s" * 16, key_id=b"k" * 8, other_key_id=b"o" * 8, revision=2**64 - 1)
        put_keys(store, kept)
        tell(store, told)
        keep(store, request(), row)
        cut_scope(store, TENANT, reason="ünsafe")

        assert [kept] == list(store.keys().keys)
        assert replace(told, sequence=1) == store.events_after(0, 1)[0][0]
        assert row == look(store, request())
        assert replace(cut(reason="ünsafe"), revision=store.revision()) == store.cuts()[0][TENANT]

    def test_an_empty_store(self, store: TickingStore) -> None:
        """An empty store has incarnation 1, no rows, and a serving clock at 0."""
        assert View(None, Cuts(), None, FIRST_REVISION, 0, 0) == store.get(session().id)
        assert FIRST_REVISION == store.revision()
        assert ([], FIRST_REVISION) == store.list_by_subject(SUBJECT_HASH, b"", 10)
        assert ([], FIRST_REVISION) == store.revocations_after(0, 10)
        assert ({}, FIRST_REVISION) == store.cuts()
        assert (0, None, FIRST_REVISION) == (len(store.keys().keys), store.keys().prior, store.keys().revision)
        assert [] == store.events_after(0, 10)[0]
        assert 0 == store.serving_ms()
        assert Swept() == store.sweep(NOW, NOW, 10)

    # Lists.

    def test_a_subjects_sessions_are_listed_in_the_order_of_ids(self, store: TickingStore) -> None:
        """A list has the sessions of one hash, in the order of ids, whatever the order they came in."""
        for number in (3, 1, 2):
            add(store, session(number))
        add(store, session(4, subject_hash=OTHER_HASH))
        cut_scope(store, TENANT)

        sessions, revision = store.list_by_subject(SUBJECT_HASH, b"", 10)
        assert [session(1).id, session(2).id, session(3).id] == [one.id for one in sessions]
        assert FIRST_REVISION + 1 == revision
        assert [session(4).id] == [one.id for one in store.list_by_subject(OTHER_HASH, b"", 10)[0]]

    def test_a_list_is_read_in_pages(self, store: TickingStore) -> None:
        """A list goes on above an id, up to a limit; the id need not exist."""
        for number in (1, 2, 4, 5):
            add(store, session(number))

        def page(after: bytes, limit: int) -> list[int]:
            return [int.from_bytes(one.id, "big") for one in store.list_by_subject(SUBJECT_HASH, after, limit)[0]]

        assert [1, 2] == page(b"", 2)
        assert [4, 5] == page(session(2).id, 2)
        assert [4] == page(session(3).id, 1)
        assert [] == page(session(5).id, 2)
        assert [] == page(b"", 0)

    def test_a_session_that_ends_leaves_its_list(self, store: TickingStore) -> None:
        """A session with an end of its own is in no list, however it got it, and is found by its id."""
        for number in (1, 2, 3):
            add(store, session(number))
        add(store, full_session(4))
        end(store, session(2).id)
        changed = replace(ended(session(3)).session, label="changed")
        store.rotate(changed.id, lambda _: Change(None, ended=(EndedSession(changed, revocation(changed.id)),)))
        # A change of an ended session brings it back into no list.
        again = replace(changed, superseded=1)
        store.rotate(changed.id, lambda _: Change(None, session=again))

        assert [session(1)] == store.list_by_subject(SUBJECT_HASH, b"", 10)[0]
        assert [ended(session(2)).session, again, full_session(4)] == [
            store.get(session(number).id).session for number in (2, 3, 4)
        ]
        assert Swept(sessions=4) == store.sweep(NOW + 1_000 + GRACE, 0, 10)
        assert [] == store.list_by_subject(SUBJECT_HASH, b"", 10)[0]

    def test_a_list_follows_a_change_of_the_hash(self, store: TickingStore) -> None:
        """A session whose subject's hash changes leaves one list for the other."""
        moved = replace(add(store, session()), subject_hash=OTHER_HASH)
        store.update(moved.id, None, lambda _: Change(None, session=moved))

        assert [] == store.list_by_subject(SUBJECT_HASH, b"", 10)[0]
        assert [moved] == store.list_by_subject(OTHER_HASH, b"", 10)[0]

    # Keys.

    def test_keys_are_put_and_removed(self, store: TickingStore) -> None:
        """A change of keys writes by key id, deletes by key id, and raises the revision once, logged as KEYS."""
        put_keys(store, key(1), key(2))
        put_keys(store, replace(key(2), reason="changed"), key(3), remove=(key(1).key_id, key(9).key_id))

        view = store.keys()
        assert {2: "changed", 3: ""} == {int.from_bytes(one.key_id, "big"): one.reason for one in view.keys}
        assert FIRST_REVISION + 2 == view.revision == store.get(session().id).keys_revision
        entries, _ = store.revocations_after(0, 10)
        assert [
            (FIRST_REVISION + 1, RevocationKind.KEYS),
            (FIRST_REVISION + 2, RevocationKind.KEYS),
        ] == [(entry.revision, entry.kind) for entry in entries]

    def test_a_change_of_keys_sees_the_keys_and_the_first_answer(self, store: TickingStore) -> None:
        """The decision about keys sees every key, the prior row and the revision."""
        put_keys(store, key(1))
        row = answer(key_id=key(2).key_id)
        change = KeysChange("made", put=(key(2),), revocation=revocation(), events=(event("KEY"),), answer=row)

        assert "made" == store.change_keys(request(), lambda _: change)
        view = store.change_keys(request(), KeysChange)
        assert ([key(1), key(2)], row, FIRST_REVISION + 2) == (list(view.keys), view.prior, view.revision)
        assert view.keys_revision == store.keys().keys_revision
        assert ["KEY"] == [one.kind for one in store.events_after(0, 10)[0]]

    def test_the_revision_of_the_keyset_is_that_of_its_last_change(self, store: TickingStore) -> None:
        """What does not change the keys raises the store's revision at most; 0 stands before the first change."""
        assert 0 == store.keys().keys_revision
        put_keys(store, key(1))
        cut_scope(store, TENANT)
        view = store.keys()
        assert (FIRST_REVISION + 2, FIRST_REVISION + 1) == (view.revision, view.keys_revision)
        assert view.keys_revision == store.get(session().id).keys_revision

    def test_a_change_that_leaves_the_keys_raises_no_revision(self, store: TickingStore) -> None:
        """Events and an answer alone raise no revision, and log nothing."""
        change = KeysChange(None, revocation=revocation(), events=(event(),), answer=answer())

        store.change_keys(request(), lambda _: change)
        assert ([], FIRST_REVISION) == store.revocations_after(0, 10)
        assert answer() == look(store, request())
        assert 0 == store.get(session().id).keys_revision

    def test_a_change_of_keys_needs_a_log_entry(self, store: TickingStore) -> None:
        """A change of keys that no verifier would hear of is refused, and writes nothing."""
        with pytest.raises(ValueError, match="revocation log"):
            store.change_keys(None, lambda _: KeysChange(None, put=(key(),), events=(event(),)))
        assert [] == list(store.keys().keys)
        assert [] == store.events_after(0, 10)[0]

    # The installation.

    def test_the_first_secret_of_the_installation_stays(self, store: TickingStore) -> None:
        """The first call keeps what it makes; later ones get that, whatever they would make."""
        assert b"first" == store.installation(lambda: b"first")
        assert b"first" == store.installation(lambda: b"second")

    def test_threads_get_one_secret(self, store: TickingStore) -> None:
        """Of threads that make the first secret at once, all get the same."""
        barrier = threading.Barrier(8)

        def make(number: int) -> bytes:
            barrier.wait()
            return bytes([number])

        with futures.ThreadPoolExecutor(8) as threads:
            secrets = set(threads.map(lambda number: store.installation(lambda: make(number)), range(8)))
        assert 1 == len(secrets)
        assert secrets == {store.installation(lambda: b"late")}
