"""What verifiers are told of the revocation log."""

from __future__ import annotations

import pytest

from sessiond.authority.revocation_log import PAGE, RevocationLog, can_resume
from sessiond.errors import Cause, StoreUnavailableError
from sessiond.store.contract import Change, EndedSession, View
from sessiond.store.records import KeyState, Purpose, Revocation, RevocationKind, Session
from sessiond.store.rows import FIRST_REVISION
from tests.unit.authority.installation import Installation, Process


def log_of(process: Process) -> RevocationLog:
    """Read the log as one process does."""
    return RevocationLog(process.store, process.keys)


def end_many(installation: Installation, carrier: Session, count: int) -> None:
    """Log the end of sessions that were never made; *carrier* is one that is in the store and stays as it is."""
    until = installation.now + 1000
    for number in range(count):
        ended = Revocation(0, RevocationKind.SESSION, until, until, number.to_bytes(16, "big"), Cause.REVOKED)

        def decide(_view: View, entry: Revocation = ended) -> Change[None]:
            return Change(None, ended=(EndedSession(carrier, entry),))

        installation.store.update(carrier.id, None, decide)


def test_entries_of_keys_are_told_as_the_keyset(installation: Installation, here: Process) -> None:
    """Sessions and cuts come as entries; of a change of the keys the whole keyset comes, as another process made it."""
    there, told = installation.process("there"), log_of(here)
    start = told.revision()
    ended = there.login().session_id
    there.revoke(ended)
    assert told.read(start, told.revision()).keyring is None
    key = there.rotate_key(Purpose.ACCESS)
    page = told.read(start, told.revision())
    assert [ended] == [entry.session_id for entry in page.entries]
    assert page.keyring is not None
    assert key.key_id in {record.key_id for record in page.keyring.records}
    assert told.revision() == page.upto


def test_no_piece_goes_beyond_the_end_that_was_seen(installation: Installation, here: Process) -> None:
    """What is written after the end was read waits for the next page: no cursor runs ahead of what was seen."""
    told = log_of(here)
    first, second = here.login().session_id, here.login().session_id
    here.revoke(first)
    seen = told.revision()
    here.revoke(second)
    page = told.read(0, seen)
    assert ([first], seen) == ([entry.session_id for entry in page.entries], page.upto)
    assert [second] == [entry.session_id for entry in told.read(seen, told.revision()).entries]
    assert installation.store.revision() == told.revision()


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_page_ends_at_its_last_entry_or_at_the_end(installation: Installation, here: Process, beyond: int) -> None:
    """A whole page reaches its last entry and goes on from there; the last one reaches the end."""
    carrier = installation.record(here.login().session_id)
    start = installation.store.revision()
    end_many(installation, carrier, PAGE + beyond)
    told = log_of(here)
    first = told.read(start, told.revision())
    rest = told.read(first.upto, told.revision())
    assert (min(PAGE + beyond, PAGE), max(beyond, 0)) == (len(first.entries), len(rest.entries))
    assert (start + min(PAGE + beyond, PAGE), told.revision()) == (first.upto, rest.upto)


def test_swept_entries_are_missing_and_cost_nothing(installation: Installation, here: Process) -> None:
    """Where entries were swept the page reaches the end all the same, and the first one has the keys without them."""
    there, told = installation.process("there"), log_of(here)
    here.revoke(here.login().session_id)
    there.rotate_key(Purpose.ACCESS)
    installation.store.log_starts_after = told.revision()
    assert ([], told.revision()) == (list(told.read(0, told.revision()).entries), told.read(0, told.revision()).upto)
    first = told.first(0, told.revision())
    assert first.keyring is not None
    assert {KeyState.ACTIVE, KeyState.PENDING} == {
        key.state for key in first.keyring.records if key.purpose is Purpose.ACCESS
    }


def test_store_that_cannot_be_read(installation: Installation, here: Process) -> None:
    """Where the keys cannot be read, no page that needs them is told."""
    told = log_of(here)
    revision = told.revision()
    installation.store.keys_down = True
    with pytest.raises(StoreUnavailableError):
        told.first(0, revision)
    with pytest.raises(StoreUnavailableError):
        told.read(0, revision)


def test_log_that_ends_before_the_revision(installation: Installation, here: Process) -> None:
    """A log that ends before the revision that the store tells of is not vouched for, neither first nor later."""
    told = log_of(here)
    here.revoke(here.login().session_id)
    end = told.revision()
    installation.store.ahead = 1
    for read in (told.first, told.read):
        with pytest.raises(
            StoreUnavailableError, match=rf"tells of revision {end + 1}, and its log ends at {end}: .* stop"
        ):
            read(0, told.revision())
    assert end == told.read(0, end).upto


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        (0, False),
        (5, False),
        (FIRST_REVISION, True),
        (FIRST_REVISION + 5, True),
        (FIRST_REVISION + 6, False),
        (2 * FIRST_REVISION, False),
        (2 * FIRST_REVISION + 1, False),
    ],
)
def test_cursor_can_resume_within_its_incarnation_alone(cursor: int, *, expected: bool) -> None:
    """A cursor is good up to the end, in the incarnation of the store; 0 never is."""
    assert expected is can_resume(cursor, FIRST_REVISION + 5)
