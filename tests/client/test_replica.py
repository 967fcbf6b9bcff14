"""What a local verifier knows: exactly what the messages told it, and never more than a complete snapshot."""

from __future__ import annotations

import pytest

from sessiond.client import UnexpectedAnswerError
from sessiond.client.messages import key_of
from sessiond.client.replica import Replica
from sessiond.errors import Advice, Cause
from sessiond.token.verify import AccessVerifier
from sessiond.v1 import key_service_pb2
from tests.client.stream_messages import (
    BOOT_MS,
    BORN,
    KEEP_UNTIL,
    LEEWAY,
    NOW_MS,
    Entry,
    cause,
    causes,
    cut,
    ended,
    first,
    hear,
    key_message,
    keyset,
    known,
    replica_of,
    token,
    told,
)
from tests.vectors.token_samples import ACCESS_KEY, SUBJECT_HASH, TENANT_HASH
from tests.vectors.token_samples import key_of as signing_key

NEXT_KEY = signing_key("the next access key")
MAX_MS = 30_000


def fault(replica: Replica, *, boot_ms: int = BOOT_MS, wall_ms: int = NOW_MS) -> tuple[Cause, Advice] | None:
    """Say why what a replica knows must not be used at a moment, 30 s being allowed; None where it may."""
    refusal = known(replica).fault(boot_ms=boot_ms, wall_ms=wall_ms, max_staleness_ms=MAX_MS)
    return None if refusal is None else (refusal.cause, refusal.advice)


def test_nothing_is_known_before_the_first_snapshot_is_complete() -> None:
    """Pieces of the first snapshot give nothing to judge with until one has caught up; then all of them count."""
    replica = replica_of(first(7, ended(5, 1), caught_up=False), told(9, ended(8, 2), caught_up=False))
    before = replica.knowledge
    hear(replica, told(12, ended(11, 3)))

    assert before is None
    assert [None, Cause.REVOKED, Cause.REVOKED, Cause.REVOKED] == causes(replica, range(4))
    assert 12 == known(replica).revision == replica.cursor


def test_what_happens_is_known_with_its_message() -> None:
    """An end is known from the message on that told of it, with its cause, and so is every kind of cut."""
    replica = replica_of(first(BORN))
    hear(replica, told(BORN + 1, ended(BORN + 1, 1, Cause.REUSED)))
    after_end = causes(replica, range(2))
    found = [
        causes(replica_of(first(BORN), told(BORN + 1, entry)), [0])
        for entry in (
            cut(BORN + 1, "SUBJECT", SUBJECT_HASH),
            cut(BORN + 1, "TENANT", TENANT_HASH),
            cut(BORN + 1, "ALL"),
            cut(BORN, "ALL"),
        )
    ]

    assert [None, Cause.REUSED] == after_end
    assert [[Cause.SUBJECT_REVOKED], [Cause.TENANT_REVOKED], [Cause.ALL_REVOKED], [None]] == found


def test_cause_of_a_later_release_ends_a_session_all_the_same() -> None:
    """A session that ended for a cause that this release does not know is REVOKED."""
    assert [Cause.REVOKED] == causes(replica_of(first(5, ended(4, 0, cause=99))), [0])


def test_spared_session_stays_good() -> None:
    """Where all of a subject but one session is revoked, the tokens of that one stay good, and those of others die."""
    replica = replica_of(first(BORN), told(BORN + 1, cut(BORN + 1, "SUBJECT", SUBJECT_HASH, spared=2)))

    assert [Cause.SUBJECT_REVOKED, Cause.SUBJECT_REVOKED, None] == causes(replica, range(3))


def test_message_that_has_not_caught_up_counts_and_freshens_nothing() -> None:
    """Entries count at once, but only a message that has caught up says that nothing else is missing."""
    replica = replica_of(first(5))
    hear(replica, told(7, ended(6, 1), caught_up=False), boot_ms=BOOT_MS + 9000)

    assert [Cause.REVOKED] == causes(replica, [1])
    assert 9000 == known(replica).contact.staleness_ms(boot_ms=BOOT_MS + 9000, wall_ms=NOW_MS)
    assert 7 == known(replica).revision


def test_reset_is_built_beside_what_serves() -> None:
    """While another snapshot comes in, the old one serves; when it is complete, only the other one counts."""
    replica = replica_of(first(9, ended(5, 1)))
    hear(replica, first(3, ended(2, 2), caught_up=False), boot_ms=BOOT_MS + 9000)
    meanwhile = causes(replica, range(4)), known(replica).revision
    staleness_ms = known(replica).contact.staleness_ms(boot_ms=BOOT_MS + 9000, wall_ms=NOW_MS)
    hear(replica, told(4, ended(4, 3)))

    assert ([None, Cause.REVOKED, None, None], 9) == meanwhile
    assert 9000 == staleness_ms
    assert [None, None, Cause.REVOKED, Cause.REVOKED] == causes(replica, range(4))
    assert 4 == known(replica).revision == replica.cursor


def test_snapshot_goes_on_over_a_lost_stream() -> None:
    """A snapshot whose stream was lost in the middle is completed by the next stream, from its cursor on."""
    replica = replica_of(first(3, ended(2, 1), caught_up=False))
    cursor = replica.cursor
    hear(replica, told(5, ended(4, 2), keys=keyset()))

    assert 3 == cursor
    assert [None, Cause.REVOKED, Cause.REVOKED] == causes(replica, range(3))


def test_snapshot_that_begins_again_forgets_its_first_half() -> None:
    """A reset in the middle of a snapshot starts from nothing: what came before it is not counted."""
    replica = replica_of(first(3, ended(2, 1), caught_up=False), first(2, ended(1, 2)))

    assert [None, None, Cause.REVOKED] == causes(replica, range(3))


def test_other_keys_make_another_verifier_of_the_same_revocations() -> None:
    """A keyset that differs makes a verifier that has the same index and the tables of the keys that stay."""
    made: list[AccessVerifier] = []
    replica = Replica(0, made.append)
    hear(replica, first(5, ended(4, 1)))
    unknown = cause(replica, token(0, NEXT_KEY))
    hear(replica, told(6, keys=keyset(key_message(ACCESS_KEY), key_message(NEXT_KEY, "PENDING"))))
    table = [verifier.tables[ACCESS_KEY.public_key] for verifier in made]

    assert Cause.UNKNOWN_KEY is unknown
    assert [None, None, Cause.REVOKED, Cause.REVOKED] == [
        cause(replica, token(number, key)) for number in (0, 1) for key in (ACCESS_KEY, NEXT_KEY)
    ]
    assert made[-1] is known(replica).verifier
    assert 2 == len(made)
    assert table[0] is table[1]


def test_same_keys_keep_the_verifier() -> None:
    """Every stream begins with the keyset: where it is the same for a verifier, that one goes on, with its cache."""
    replica = replica_of(first(5))
    before = known(replica)
    hear(replica, told(5, keys=keyset(key_message(ACCESS_KEY, "RETIRING"))))

    assert before.verifier is known(replica).verifier
    assert ["ACTIVE", "RETIRING"] == [key.state.name for key in before.keys + known(replica).keys]


def test_revoked_key_is_refused() -> None:
    """From the message on that tells of it, tokens of a revoked key are refused with KEY_REVOKED."""
    replica = replica_of(first(5), told(6, keys=keyset(key_message(ACCESS_KEY, "REVOKED"))))

    assert Cause.KEY_REVOKED is cause(replica, token())


def test_keys_that_are_learned_add_and_never_restore() -> None:
    """Keys from another source are added; none is taken away by them, and what was revoked stays revoked."""
    replica = replica_of(first(5), told(6, keys=keyset(key_message(ACCESS_KEY, "REVOKED"))))
    replica.learn([key_of(key_message(ACCESS_KEY)), key_of(key_message(NEXT_KEY))], 6)
    added = cause(replica, token()), cause(replica, token(0, NEXT_KEY))
    replica.learn([key_of(key_message(NEXT_KEY, "REVOKED"))], 6)

    assert (Cause.KEY_REVOKED, None) == added
    assert (Cause.KEY_REVOKED, Cause.KEY_REVOKED) == (cause(replica, token()), cause(replica, token(0, NEXT_KEY)))
    assert 6 == known(replica).revision


def test_key_that_is_learned_as_revoked_stays_so_while_the_stream_is_behind() -> None:
    """Older keysets on the stream, after a reset too, make no key good again; one of that revision counts alone."""
    replica = replica_of(first(5))
    replica.learn([key_of(key_message(ACCESS_KEY, "REVOKED")), key_of(key_message(NEXT_KEY))], 9)
    found = []
    for message in (told(8, keys=keyset()), first(8), told(9, keys=keyset())):
        hear(replica, message)
        found.append((cause(replica, token()), cause(replica, token(0, NEXT_KEY))))

    # A reset drops keys that were learned: an authority that was restored may not have them.
    assert [
        (Cause.KEY_REVOKED, None),
        (Cause.KEY_REVOKED, Cause.UNKNOWN_KEY),
        (None, Cause.UNKNOWN_KEY),
    ] == found


@pytest.mark.parametrize("state", [0, 4, 99])
def test_key_in_a_state_of_a_later_release_counts_as_revoked(state: int) -> None:
    """Only a key whose state is known to be good is: no other, by the stream or learned, makes a token good."""
    strange = key_message(ACCESS_KEY)
    strange.state = state  # type: ignore[assignment] # enums of proto3 are open
    streamed, learned = replica_of(first(5), told(6, keys=keyset(strange))), replica_of(first(5))
    learned.learn([key_of(strange)], 6)

    assert [Cause.KEY_REVOKED] * 2 == [cause(streamed, token()), cause(learned, token())]


def test_keys_that_are_learned_while_a_snapshot_comes_in_serve_the_old_one() -> None:
    """Learning keys in the middle of a reset leaves the judgement with the complete index."""
    replica = replica_of(first(9, ended(5, 1)), first(3, caught_up=False))
    replica.learn([key_of(key_message(NEXT_KEY))], 9)

    assert Cause.REVOKED is cause(replica, token(1, NEXT_KEY))


def test_nothing_is_learned_before_the_first_snapshot() -> None:
    """Keys alone give nothing to judge with."""
    replica = replica_of()
    replica.learn([key_of(key_message(NEXT_KEY))], 9)

    assert replica.knowledge is None


@pytest.mark.parametrize(
    "strange",
    [
        told(6, Entry(revision=6, keep_until=KEEP_UNTIL)),
        told(6, cut(6, "UNSPECIFIED")),
        told(6, cut(6, "TENANT", b"short")),
        told(6, keys=keyset(key_service_pb2.Key(key_id="00", format=1, public_key=bytes(32)))),
    ],
    ids=["a kind of entry", "a scope", "a hash", "a key"],
)
def test_what_is_not_understood_freshens_nothing(strange: object) -> None:
    """A message that cannot be understood raises, moves no cursor and makes nothing fresh: the verifier gets stale."""
    replica = replica_of(first(5))
    with pytest.raises(UnexpectedAnswerError, match="does not understand"):
        hear(replica, strange, boot_ms=BOOT_MS + MAX_MS)  # type: ignore[arg-type]

    assert 5 == replica.cursor
    assert (Cause.VERIFIER_STALE, Advice.RETRY_WITH_BACKOFF) == fault(replica, boot_ms=BOOT_MS + MAX_MS)


def test_damaged_key_is_not_learned() -> None:
    """A key from another source that is none raises, and changes nothing."""
    replica = replica_of(first(5))
    before = replica.knowledge
    with pytest.raises(UnexpectedAnswerError, match="keys"):
        replica.learn([key_of(key_service_pb2.Key(key_id="00", format=1, public_key=bytes(32)))], 6)

    assert before is replica.knowledge


def test_staleness_has_an_exact_bound_on_either_clock() -> None:
    """It is good one millisecond before max_staleness and not at it, by the boot-time clock or by the wall clock."""
    replica = replica_of(first(5))
    stale = (Cause.VERIFIER_STALE, Advice.RETRY_WITH_BACKOFF)

    assert (None, stale) == (
        fault(replica, boot_ms=BOOT_MS + MAX_MS - 1),
        fault(replica, boot_ms=BOOT_MS + MAX_MS),
    )
    assert (None, stale) == (fault(replica, wall_ms=NOW_MS + MAX_MS - 1), fault(replica, wall_ms=NOW_MS + MAX_MS))
    hear(replica, told(5, server_ms=NOW_MS + 1), boot_ms=BOOT_MS + 1, wall_ms=NOW_MS + 1)
    assert fault(replica, boot_ms=BOOT_MS + MAX_MS, wall_ms=NOW_MS + MAX_MS) is None


def test_wall_clock_that_steps_back_makes_nothing_fresh() -> None:
    """The time since the last message counts, whatever the wall clock says."""
    stale = fault(replica_of(first(5)), boot_ms=BOOT_MS + MAX_MS, wall_ms=NOW_MS + MAX_MS - LEEWAY * 1000)

    assert (Cause.VERIFIER_STALE, Advice.RETRY_WITH_BACKOFF) == stale


@pytest.mark.parametrize("side", [-1, 1])
def test_wall_clock_that_steps_between_messages_is_named(side: int) -> None:
    """A step by more than the leeway is CHECK_CLOCK at once, without another message; a step by the leeway is none."""
    replica = replica_of(first(5))
    step_ms = side * LEEWAY * 1000
    found = [
        known(replica).fault(boot_ms=BOOT_MS + 1000, wall_ms=NOW_MS + 1000 + by_ms, max_staleness_ms=2 * MAX_MS)
        for by_ms in (step_ms, step_ms + side)
    ]

    assert found[0] is None
    assert found[1] is not None
    assert Advice.CHECK_CLOCK is found[1].advice


def test_tokens_are_never_judged_by_a_time_before_the_authority_s() -> None:
    """The time to judge by is the wall clock's, but where that is behind it is the authority's and the time since."""
    knowledge = known(replica_of(first(5)))
    judged_by = [knowledge.now(boot_ms=BOOT_MS + 9000, wall_ms=NOW_MS + by_ms) for by_ms in (11_000, 9000, -20_000)]

    assert [11, 9, 9] == [seconds - NOW_MS // 1000 for seconds in judged_by]


def test_authority_without_leeway_allows_for_the_way_of_a_message() -> None:
    """With a leeway of 0 the clocks may differ by 2 s, since a message takes time; by no more."""
    without = keyset()
    without.leeway.seconds = 0
    replica = replica_of(told(5, reset=True, keys=without))
    found = [fault(replica, wall_ms=NOW_MS + by_ms) for by_ms in (-2001, -2000, 2000, 2001)]

    check_clock = (Cause.VERIFIER_STALE, Advice.CHECK_CLOCK)
    assert [check_clock, None, None, check_clock] == found


def test_message_that_lay_in_a_buffer_is_as_old_as_it_says() -> None:
    """A message that is received late makes knowledge as fresh as the authority's time in it, and no fresher."""
    replica = replica_of(first(5))
    received = {"boot_ms": BOOT_MS + 25_000, "wall_ms": NOW_MS + 25_000}
    hear(replica, told(5, server_ms=NOW_MS + 5000), **received)

    assert 20_000 == known(replica).contact.staleness_ms(**received)
    assert fault(replica, boot_ms=BOOT_MS + 34_999, wall_ms=NOW_MS + 34_999) is None
    assert fault(replica, boot_ms=BOOT_MS + 35_000, wall_ms=NOW_MS + 35_000) is not None


def test_clock_that_differs_by_more_than_the_leeway_is_named() -> None:
    """A wall clock that is off by the leeway is good, one that is further off on either side is CHECK_CLOCK."""
    bound_ms = LEEWAY * 1000
    replica = replica_of(first(5))
    found = []
    for wall_ms in (NOW_MS - bound_ms - 1, NOW_MS - bound_ms, NOW_MS + bound_ms, NOW_MS + bound_ms + 1):
        hear(replica, told(5), wall_ms=wall_ms)
        refusal = known(replica).fault(boot_ms=BOOT_MS, wall_ms=wall_ms, max_staleness_ms=MAX_MS + 1)
        found.append(None if refusal is None else (refusal.cause, refusal.advice, refusal.message[:35]))

    assert [
        (Cause.VERIFIER_STALE, Advice.CHECK_CLOCK, "this verifier's clock is 30.0 s beh"),
        None,
        None,
        (Cause.VERIFIER_STALE, Advice.CHECK_CLOCK, "this verifier's clock is 30.0 s ahe"),
    ] == found


def test_index_forgets_what_is_dead_by_every_clock() -> None:
    """
    Each minute at most, what no clock lets live any more leaves the index: the authority's, this one, the time since.

    One that is behind keeps all.
    """
    late_ms = KEEP_UNTIL * 1000
    replica = replica_of(first(5, ended(4, 1), ended(5, 2, keep_until=KEEP_UNTIL + 30)))
    sizes = [len(known(replica).index)]
    for server_ms, wall_ms, since_ms in [
        (NOW_MS, late_ms, late_ms),
        (late_ms, NOW_MS, late_ms),
        (late_ms, late_ms, NOW_MS + LEEWAY * 1000),
        (late_ms, late_ms, late_ms),
        (late_ms + 59_000, late_ms + 60_000, late_ms + 60_000),
        (late_ms + 60_000, late_ms + 60_000, late_ms + 60_000),
    ]:
        hear(replica, told(5, server_ms=server_ms), wall_ms=wall_ms, boot_ms=BOOT_MS + since_ms - NOW_MS)
        sizes.append(len(known(replica).index))

    assert [2, 2, 2, 2, 1, 1, 0] == sizes


def test_clock_that_steps_forward_and_back_forgets_nothing() -> None:
    """Where authority and verifier share a clock, an hour forward and back forgets no revocation, over a reset too."""
    snapshot = first(5, ended(4, 1), ended(5, 2))
    hour_ms = 3_600_000
    replica = replica_of(snapshot)
    for heard, seconds in ((told(5), 1), (snapshot, 60)):
        heard.server_time.FromMilliseconds(NOW_MS + hour_ms)
        hear(replica, heard, wall_ms=NOW_MS + hour_ms, boot_ms=BOOT_MS + 1000 * seconds)
        hear(replica, told(5, server_ms=NOW_MS), boot_ms=BOOT_MS + 1000 * seconds)

        assert [None, Cause.REVOKED, Cause.REVOKED] == causes(replica, range(3))


def test_nothing_is_forgotten_at_first() -> None:
    """A clock that was wrong from the first word on forgets nothing before the leeway has passed."""
    late_ms = KEEP_UNTIL * 1000
    replica = Replica(0, lambda _verifier: None)
    sizes = []
    for message, since_ms in ((first(5, ended(4, 1)), 0), (told(5), LEEWAY * 1000 - 1), (told(5), LEEWAY * 1000)):
        message.server_time.FromMilliseconds(late_ms + since_ms)
        hear(replica, message, wall_ms=late_ms + since_ms, boot_ms=BOOT_MS + since_ms)
        sizes.append(len(known(replica).index))

    assert [1, 1, 0] == sizes


def test_snapshot_that_breaks_off_at_once_is_begun_again() -> None:
    """After a first message that is not understood nothing goes on from the cursor before: it would lack the rest."""
    replica = replica_of(first(7, ended(5, 1)))
    with pytest.raises(UnexpectedAnswerError):
        hear(replica, first(9, Entry(revision=8, keep_until=KEEP_UNTIL)))
    assert (0, 7) == (replica.cursor, known(replica).revision)
    assert [Cause.REVOKED] == causes(replica, [1])
