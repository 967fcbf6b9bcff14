"""The feed: an acknowledged change is known before anyone judges, in every process."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sessiond.authority.feed import Feed, Revocations
from sessiond.clock import wall_seconds
from sessiond.errors import Cause, InvalidAccessToken, InvalidRefreshToken, StoreUnavailableError
from sessiond.store.contract import Change, EndedSession, View
from sessiond.store.records import Purpose, Revocation, RevocationKind, ScopeKind
from tests.unit.authority.installation import Installation, Process

NEVER_BORN = 0
NOBODY = bytes(8)


def end(installation: Installation, carrier: bytes, session_ids: list[bytes]) -> None:
    """Log the end of sessions, without the work of making them; *carrier* is in the store and stays as it is."""
    session = installation.record(carrier)
    for session_id in session_ids:
        entry = Revocation(
            0,
            RevocationKind.SESSION,
            installation.now,
            installation.now + 1000,
            session_id=session_id,
            cause=Cause.REVOKED,
        )

        def decide(_view: View, entry: Revocation = entry) -> Change[None]:
            return Change(None, ended=(EndedSession(session, entry),))

        installation.store.update(carrier, None, decide)


def cause_of(process: Process, session_id: bytes) -> Cause | None:
    """Ask the index of a process for one session."""
    return process.feed.revocations.is_revoked(session_id, NOBODY, NOBODY, NEVER_BORN)


def test_catching_up_applies_the_log(installation: Installation, here: Process) -> None:
    """After catching up a process knows what another one has revoked, and says up to which revision."""
    there = installation.process("there")
    session_id = there.login().session_id
    there.revoke(session_id)
    assert cause_of(here, session_id) is None
    assert installation.store.revision() == here.feed.catch_up()
    assert Cause.REVOKED is cause_of(here, session_id)


def test_catching_up_with_nothing_to_apply(installation: Installation, here: Process) -> None:
    """Where there is nothing to apply, catching up gives the revision and reads no log."""
    here.feed.catch_up()
    installation.store.log_starts_after = 1 << 63
    assert installation.store.revision() == here.feed.catch_up()


@pytest.mark.parametrize("n_entries", [999, 1000, 1001, 2500])
def test_long_log_is_applied_whole(installation: Installation, here: Process, n_entries: int) -> None:
    """A log of any length is applied to its end."""
    session_ids = [number.to_bytes(16, "big") for number in range(n_entries)]
    end(installation, here.login().session_id, session_ids)
    assert installation.store.revision() == here.feed.catch_up()
    assert {Cause.REVOKED} == {cause_of(here, session_id) for session_id in session_ids}


def test_swept_entries_are_not_waited_for(installation: Installation, here: Process) -> None:
    """Revisions whose entries were swept are taken as applied."""
    end(installation, here.login().session_id, [b"a" * 16])
    installation.clock.advance(1000)
    installation.store.sweep(installation.now, 0, 100)
    end(installation, here.login().session_id, [b"b" * 16])
    assert installation.store.revision() == here.feed.catch_up()
    assert (None, Cause.REVOKED) == (cause_of(here, b"a" * 16), cause_of(here, b"b" * 16))


def test_first_catch_up_reads_the_cuts(installation: Installation, here: Process) -> None:
    """A process that starts knows every cut, also one that is older than the log."""
    token = here.login().access_token
    installation.cut(ScopeKind.TENANT)
    installation.store.log_starts_after = installation.store.revision()
    with pytest.raises(InvalidAccessToken, match="TENANT_REVOKED"):
        installation.process("there").verify(token)


def test_store_that_cannot_be_read(installation: Installation, here: Process) -> None:
    """Where the store cannot be read nobody may judge, and what is applied stays."""
    here.feed.catch_up()
    applied = here.feed.revocations.applied_revision
    here.revoke_active_key(Purpose.ACCESS)
    installation.store.down = True
    with pytest.raises(StoreUnavailableError):
        here.feed.catch_up()
    assert applied == here.feed.revocations.applied_revision
    installation.store.down = False
    assert installation.store.revision() == here.feed.catch_up()


def test_log_that_ends_before_the_revision(installation: Installation, here: Process) -> None:
    """Where the store tells of a revision that its log does not reach nobody may judge, until it does."""
    here.feed.catch_up()
    applied = here.feed.revocations.applied_revision
    installation.store.ahead = 1
    with pytest.raises(StoreUnavailableError, match=f"tells of revision {applied + 1}, and its log ends at {applied}"):
        here.feed.catch_up()
    assert applied == here.feed.revocations.applied_revision
    installation.store.ahead = 0
    assert applied == here.feed.catch_up()


def test_keys_are_applied_before_the_revision_says_so(installation: Installation, here: Process) -> None:
    """While a changed keyset cannot be read its revision is not applied, so nobody judges by the old one."""
    there = installation.process("there")
    here.feed.catch_up()
    token = here.login().access_token
    there.revoke_active_key(Purpose.ACCESS)
    there.revoke(there.login().session_id)
    installation.store.keys_down = True
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            here.verify(token)
    assert here.feed.revocations.applied_revision < installation.store.revision()
    installation.store.keys_down = False
    with pytest.raises(InvalidAccessToken, match="KEY_REVOKED"):
        here.verify(token)


def test_entries_are_forgotten(installation: Installation, here: Process) -> None:
    """The feed's index forgets what cannot matter any more."""
    end(installation, here.login().session_id, [b"a" * 16])
    here.feed.catch_up()
    here.feed.expire(installation.now + 999)
    assert Cause.REVOKED is cause_of(here, b"a" * 16)
    here.feed.expire(installation.now + 1000)
    assert cause_of(here, b"a" * 16) is None


class Gate(Revocations):
    """An index whose writer waits where the test says, to hold a catch-up in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go = threading.Event(), threading.Event()

    def apply(self, entries: object, revision: int) -> None:
        self.reached.set()
        assert self.go.wait(20)
        super().apply(entries, revision)  # type: ignore[arg-type]


def test_nobody_overtakes_a_catch_up_that_runs(installation: Installation, here: Process) -> None:
    """A call that finds another one catching up waits for it, and never answers with less than it must know."""
    index = Gate()
    feed = Feed(installation.store, here.keys, index)
    session_id = here.login().session_id
    here.revoke(session_id)
    wanted = installation.store.revision()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(feed.catch_up)
        assert index.reached.wait(20)
        others = [pool.submit(feed.catch_up) for _ in range(2)]
        assert not first.done()
        assert [False, False] == [other.done() for other in others]
        index.go.set()
        assert [wanted] * 3 == [future.result(20) for future in (first, *others)]
    assert Cause.REVOKED is index.is_revoked(session_id, NOBODY, NOBODY, NEVER_BORN)


def test_change_during_a_catch_up_is_not_lost(installation: Installation, here: Process) -> None:
    """What is acknowledged while a catch-up runs is applied by the next call, at the latest."""
    index = Gate()
    feed = Feed(installation.store, here.keys, index)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(feed.catch_up)
        assert index.reached.wait(20)
        session_id = here.login().session_id
        here.revoke(session_id)
        index.go.set()
        running.result(20)
    assert installation.store.revision() == feed.catch_up()
    assert Cause.REVOKED is index.is_revoked(session_id, NOBODY, NOBODY, NEVER_BORN)


def test_acknowledged_revocation_is_never_followed_by_an_accepted_verification(installation: Installation) -> None:
    """Whatever several processes revoke at once, once it is acknowledged every process refuses the token."""
    processes = [installation.process(f"process {number}") for number in range(3)]
    start = threading.Barrier(len(processes))

    def work(number: int) -> int:
        mine, next_one = processes[number], processes[(number + 1) % len(processes)]
        start.wait(20)
        accepted = 0
        for _ in range(20):
            issued = mine.login()
            accepted += next_one.verify(issued.access_token).session_id == issued.session_id
            mine.revoke(issued.session_id)
            for process in processes:
                with pytest.raises(InvalidAccessToken):
                    process.verify(issued.access_token)
        return accepted

    with ThreadPoolExecutor(len(processes)) as pool:
        assert [20] * len(processes) == list(pool.map(work, range(len(processes))))


def test_attempt_runs_once_with_keys_that_are_fresh(here: Process) -> None:
    """With a fresh keyset an attempt is made once."""
    rings = []

    def attempt(ring: object) -> str:
        rings.append(ring)
        return "done"

    assert "done" == here.feed.with_fresh_keys(attempt)
    assert [here.keys.snapshot()] == rings


def test_attempt_runs_again_with_fresher_keys(installation: Installation, here: Process) -> None:
    """An attempt that finds the keyset too old is made again with the one that the store has by then."""
    there = installation.process("there")
    revisions = []

    def attempt(ring: object) -> str | None:
        revisions.append(ring.revision)  # type: ignore[attr-defined]
        if len(revisions) < 3:
            there.rotate_key(Purpose.ACCESS, immediately=True)
            return None
        return "done"

    first = here.keys.snapshot().revision
    assert "done" == here.feed.with_fresh_keys(attempt)
    assert [first, first + 1, first + 2] == revisions


def test_attempt_that_is_refused_for_another_cause(here: Process) -> None:
    """A refusal that no newer keyset could change is given at once."""
    calls = []

    def attempt(ring: object) -> None:
        calls.append(ring)
        raise InvalidRefreshToken(Cause.TAMPERED, "it was changed")

    with pytest.raises(InvalidRefreshToken, match="TAMPERED"):
        here.feed.with_fresh_keys(attempt)
    assert 1 == len(calls)


def test_reading_the_keyset_is_no_reason_to_try_again(here: Process) -> None:
    """A token of an unknown key is read once, though the keyset is read, or another session revoked, meanwhile."""
    calls = []

    def attempt(ring: object) -> None:
        calls.append(ring)
        here.revoke(here.login().session_id)
        here.keys.keyset()
        raise InvalidRefreshToken(Cause.UNKNOWN_KEY, "nobody knows it")

    with pytest.raises(InvalidRefreshToken, match="UNKNOWN_KEY"):
        here.feed.with_fresh_keys(attempt)
    assert 1 == len(calls)


def test_unknown_keys_cost_no_more_than_a_look(here: Process) -> None:
    """A token of an unknown key is read once where nothing has changed: garbage does not amplify."""
    here.feed.catch_up()
    stranger = Installation().process("stranger")
    token = stranger.login().refresh_token
    reads = []

    def attempt(ring: object) -> None:
        reads.append(ring)
        ring.refresh_verifier.verify(token, now=wall_seconds(here.clock))  # type: ignore[attr-defined]

    for _ in range(3):
        with pytest.raises(InvalidRefreshToken, match="UNKNOWN_KEY"):
            here.feed.with_fresh_keys(attempt)
    assert 3 == len(reads)
    assert {id(here.keys.snapshot())} == {id(ring) for ring in reads}
