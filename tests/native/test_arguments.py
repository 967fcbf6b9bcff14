"""What the extension does with arguments that are no tokens, and with ones that change while it works."""

from __future__ import annotations

import array
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessiond import _fastverify
from sessiond._fastverify import KeyTable, verify_signature
from sessiond.errors import Cause
from tests.native.tokens import (
    ACCESS,
    ACCESS_KEY,
    AUDIENCE,
    ISSUER,
    NOW,
    REFRESH,
    REFRESH_KEY,
    AccessVerifier,
    RefreshVerifier,
    access_token,
    judge,
    refresh_token,
)

GOOD = _fastverify.GOOD
MESSAGE = b"a message"
SIGNATURE = ACCESS_KEY.sign(MESSAGE)
TABLE = KeyTable(ACCESS_KEY.public_key)
ROW = (ACCESS_KEY.key_id, TABLE, False)
TOKEN = access_token()
ASKED: dict[str, Any] = {"audience": AUDIENCE, "now": NOW, "leeway": 0}


def test_verdicts_are_the_numbers_of_the_causes() -> None:
    """Every verdict of the C has the name and the number of a cause; 0 is none."""
    sizes = ("SIZE", "WINDOWS")
    verdicts = {name: value for name, value in vars(_fastverify).items() if name.isupper() and not name.endswith(sizes)}

    assert verdicts.pop("GOOD") == 0
    assert {name: Cause[name].value for name in verdicts} == verdicts
    assert 15 == len(verdicts)


class Lying(int):
    """A number that says of itself that it is within every limit."""

    __slots__ = ()

    def __le__(self, other: int) -> bool:
        """Lie."""
        return True

    def __ge__(self, other: int) -> bool:
        """Lie."""
        return True

    def __mod__(self, other: int) -> int:
        """Lie."""
        return 0


class Text(str):
    """A str by another name."""

    __slots__ = ()


class Data(bytes):
    """A bytes by another name."""


def test_subclasses_are_read_as_their_characters() -> None:
    """A str or bytes by another name is judged like any other, and so is the id of a key."""
    for token in (Text(TOKEN), Data(TOKEN.encode())):
        assert GOOD == judge(ACCESS, token, **ASKED)[0]
    for token in (Text(refresh_token()), Data(refresh_token().encode())):
        assert GOOD == judge(REFRESH, token, now=NOW)[0]
    verifier = AccessVerifier([(Data(ACCESS_KEY.key_id), TABLE, False)], ISSUER)
    assert GOOD == judge(verifier, TOKEN, **ASKED)[0]


@pytest.mark.parametrize("token", [TOKEN, refresh_token()], ids=["access", "refresh"])
def test_text_is_read_as_characters_and_never_as_memory(token: str) -> None:
    """A str of wide characters, whose memory spells a good token, is none."""
    kind = "utf-16-le" if sys.byteorder == "little" else "utf-16-be"
    padded = token.encode() + b"A" * (len(token) % 2)
    text = padded.decode(kind) + "\uffff" * (len(token) - len(padded) // 2)

    assert len(token) == len(text)
    assert Cause.MALFORMED == judge(ACCESS, text, **ASKED)[0]
    assert Cause.MALFORMED == judge(REFRESH, text, now=NOW)[0]


ANY: list[Any] = [None, 1, 1.5, [], {}, object(), (TOKEN,)]


@pytest.mark.parametrize("token", ANY, ids=lambda one: type(one).__name__)
def test_other_tokens_are_a_type_error(token: Any) -> None:
    """What is neither str nor bytes-like raises, alone and anywhere in a batch, whose place is named."""
    name = type(token).__name__
    calls: dict[str, list[Callable[[], object]]] = {
        "a token": [lambda: REFRESH.verify(token, now=NOW), lambda: ACCESS.verify(token, **ASKED)],
        r"tokens\[0\]": [
            lambda: REFRESH.verify_batch([token], now=NOW),
            lambda: ACCESS.verify_batch([token], **ASKED),
        ],
        r"tokens\[100\]": [
            lambda: REFRESH.verify_batch([bytearray(b"x"), *[""] * 99, token], now=NOW),
            lambda: ACCESS.verify_batch([TOKEN] * 100 + [token], **ASKED),
        ],
    }
    for place, of_place in calls.items():
        for call in of_place:
            with pytest.raises(TypeError, match=f"{place} must be str or bytes-like, not {name}"):
                call()


@pytest.mark.parametrize("instant", [None, 1.5, "1", b"1"])
def test_other_instants_are_a_type_error(instant: Any) -> None:
    """Times are int: a float would be cut off in silence."""
    with pytest.raises(TypeError, match="now must be an int"):
        REFRESH.verify(refresh_token(), now=instant)
    with pytest.raises(TypeError, match="now must be an int"):
        ACCESS.verify(TOKEN, audience=AUDIENCE, now=instant, leeway=0)
    with pytest.raises(TypeError, match="leeway must be an int"):
        ACCESS.verify_batch([TOKEN], audience=AUDIENCE, now=NOW, leeway=instant)


@pytest.mark.parametrize("instant", [-1, 2**53, 2**63, -(2**63) - 1, 2**200])
def test_instants_out_of_range_are_a_value_error(instant: int) -> None:
    """Times lie in [0, 2**53), leeways in [0, 2**32)."""
    with pytest.raises(ValueError, match="now must be whole seconds from 0 to 9007199254740991"):
        REFRESH.verify(refresh_token(), now=instant)
    with pytest.raises(ValueError, match="now must be"):
        ACCESS.verify(TOKEN, audience=AUDIENCE, now=instant, leeway=0)
    with pytest.raises(ValueError, match="leeway must be whole seconds from 0 to 4294967295"):
        ACCESS.verify_batch([TOKEN], audience=AUDIENCE, now=NOW, leeway=instant)


def test_issuer_is_bytes() -> None:
    """A str would have to be encoded and escaped by somebody: it is refused."""
    others: list[Any] = ["orders", None, bytearray(ISSUER)]
    for other in others:
        with pytest.raises(TypeError, match="issuer"):
            AccessVerifier([], other)


@pytest.mark.parametrize(
    "kind", [RefreshVerifier, lambda rows: AccessVerifier(rows, ISSUER)], ids=["refresh", "access"]
)
def test_rows_of_keys_are_checked(kind: Callable[[Any], object]) -> None:
    """A key id has 8 bytes and stands once; a table is a KeyTable."""
    with pytest.raises(ValueError, match="a key id is 8 bytes"):
        kind([(b"1234567", TABLE, False)])
    with pytest.raises(ValueError, match="a key id is 8 bytes"):
        kind([("12345678", TABLE, False)])
    with pytest.raises(ValueError, match=f"the key id {ACCESS_KEY.key_id.hex()} stands for two keys"):
        kind([ROW, ROW])
    for table in (None, ACCESS_KEY.public_key, object()):
        with pytest.raises(TypeError, match="KeyTable"):
            kind([(ACCESS_KEY.key_id, table, False)])
    with pytest.raises(ValueError, match="unpack"):
        kind([ROW[:2]])
    with pytest.raises(TypeError, match="iterable"):
        kind(None)


def test_pairs_come_from_any_iterable() -> None:
    """No pairs, no answers; a tuple does as well as a list."""
    assert b"" == TABLE.verify_batch([])
    assert b"\1" == TABLE.verify_batch(((MESSAGE, SIGNATURE),))


def test_what_is_no_iterable_of_tokens_or_pairs_is_a_type_error() -> None:
    """None is no iterable, a str is one token, and bytes are numbers."""
    none: Any = None
    with pytest.raises(TypeError, match="iterable"):
        ACCESS.verify_batch(none, **ASKED)
    with pytest.raises(TypeError, match="tokens must be several tokens, not a str"):
        REFRESH.verify_batch(TOKEN, now=NOW)
    with pytest.raises(TypeError, match=r"tokens\[0\] must be str or bytes-like, not int"):
        REFRESH.verify_batch(b"bytes", now=NOW)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="iterable"):
        TABLE.verify_batch(none)


@pytest.mark.parametrize("item", [None, 5, (MESSAGE,), (MESSAGE, SIGNATURE, b""), (MESSAGE, None), ("a", SIGNATURE)])
def test_items_that_are_no_pairs_of_bytes_raise(item: Any) -> None:
    """An item that is no pair of bytes-like objects raises, wherever in the batch it stands."""
    with pytest.raises((TypeError, ValueError)):
        TABLE.verify_batch([(MESSAGE, SIGNATURE)] * 70 + [item])


BYTES_LIKE: list[Callable[[bytes], Any]] = [
    bytes,
    bytearray,
    memoryview,
    lambda data: memoryview(bytearray(data)),
    lambda data: memoryview(bytes(byte for pair in zip(data, data, strict=True) for byte in pair))[::2],
    lambda data: array.array("B", data),
]


@pytest.mark.parametrize("kind", BYTES_LIKE, ids=["bytes", "bytearray", "memoryview", "view", "strided view", "array"])
def test_bytes_like_objects_are_read_as_their_bytes(kind: Callable[[bytes], Any]) -> None:
    """Keys, messages and signatures may be any bytes-like objects, also ones that do not lie in one piece."""
    key, message, signature = kind(ACCESS_KEY.public_key), kind(MESSAGE), kind(SIGNATURE)

    assert verify_signature(key, message, signature)
    assert KeyTable(key).verify(message, signature)
    assert ACCESS_KEY.public_key == KeyTable(key).public_key
    assert b"\1\0" == TABLE.verify_batch([(message, signature), (kind(b"another"), signature)])


@pytest.mark.parametrize("data", [None, 5, "text", [1, 2], object()], ids=lambda one: type(one).__name__)
def test_what_is_not_bytes_like_is_a_type_error(data: Any) -> None:
    """The message says which argument it is."""
    calls: dict[str, Callable[[], object]] = {
        "public_key": lambda: verify_signature(data, MESSAGE, SIGNATURE),
        "message": lambda: TABLE.verify(data, SIGNATURE),
        "signature": lambda: verify_signature(ACCESS_KEY.public_key, MESSAGE, data),
    }
    for name, call in calls.items():
        with pytest.raises(TypeError, match=f"{name} must be bytes-like, not {type(data).__name__}"):
            call()
    with pytest.raises(TypeError, match="public_key must be bytes-like"):
        KeyTable(data)


def test_wrong_lengths_are_bad_signatures_and_no_keys() -> None:
    """A key or signature of a wrong length verifies nothing; a table is not made from it."""
    for length in (0, 1, 31, 33, 64):
        assert not verify_signature((ACCESS_KEY.public_key * 2)[:length], MESSAGE, SIGNATURE)
        with pytest.raises(ValueError, match=f"has 32 bytes, not {length}"):
            KeyTable((ACCESS_KEY.public_key * 2)[:length])
    for length in (0, 1, 63, 65, 128):
        assert not TABLE.verify(MESSAGE, (SIGNATURE * 2)[:length])
        assert not verify_signature(ACCESS_KEY.public_key, MESSAGE, (SIGNATURE * 2)[:length])


def test_bad_keys_say_what_is_wrong() -> None:
    """A point of small order and bytes that are no point are told apart."""
    with pytest.raises(ValueError, match="small order"):
        KeyTable(bytes([1]) + bytes(31))
    with pytest.raises(ValueError, match="not the canonical encoding"):
        KeyTable(b"\xff" * 32)


def test_a_table_says_what_it_takes() -> None:
    """The memory of a table is the same for every key: some hundred kilobytes."""
    assert TABLE.memory_bytes == KeyTable(REFRESH_KEY.public_key).memory_bytes
    assert 100_000 < TABLE.memory_bytes < 100_000_000


def test_tables_are_freed() -> None:
    """Tables come and go without leaving their memory behind."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(20):
        KeyTable(ACCESS_KEY.public_key)
    before = resident()
    for _ in range(200):
        RefreshVerifier([(ACCESS_KEY.key_id, KeyTable(ACCESS_KEY.public_key), False)])
    gc.collect()

    assert resident() - before < 40 * TABLE.memory_bytes


def test_objects_cannot_be_changed() -> None:
    """Tables and verifiers have no attributes to set: any thread may share them."""
    everything: list[Any] = [TABLE, ACCESS, REFRESH]
    for made in everything:
        with pytest.raises(AttributeError):
            made.public_key = b""


def in_another_thread(work: Callable[[], None]) -> tuple[threading.Thread, threading.Event]:
    """Repeat *work* in a thread until the event is set."""
    stop = threading.Event()

    def repeat() -> None:
        while not stop.is_set():
            work()

    thread = threading.Thread(target=repeat)
    thread.start()
    return thread, stop


def test_bytes_that_another_thread_changes_are_read_once() -> None:
    """A bytearray may change, and even move, while it is verified: the answer is for what it held at the call."""
    message = bytearray(MESSAGE)

    def change() -> None:
        message[:] = b"x" * 100_000
        message[:] = MESSAGE

    thread, stop = in_another_thread(change)
    try:
        for _ in range(100):
            answers = TABLE.verify_batch([(message, SIGNATURE)] * 50)
            assert len(set(answers)) == 1
            assert TABLE.verify(message, SIGNATURE) in (True, False)
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "work",
    [
        lambda: TABLE.verify_batch([(MESSAGE, SIGNATURE)] * 50_000),
        lambda: ACCESS.verify_batch([TOKEN] * 50_000, **ASKED),
        lambda: REFRESH.verify_batch([refresh_token()] * 50_000, now=NOW),
        lambda: TABLE.verify(bytes(60_000_000), SIGNATURE),
        lambda: verify_signature(ACCESS_KEY.public_key, bytes(60_000_000), SIGNATURE),
    ],
    ids=["signatures", "access tokens", "refresh tokens", "long message", "long message, no table"],
)
def test_other_threads_run_while_a_batch_is_verified(work: Callable[[], object]) -> None:
    """Long work leaves the GIL to others: a thread that can only get it from there runs before the work is done."""
    steps: list[str] = []
    ready = threading.Lock()
    ready.acquire()

    def wait() -> None:
        with ready:
            steps.append("other thread")

    other = threading.Thread(target=wait)
    interval = sys.getswitchinterval()
    other.start()
    sys.setswitchinterval(1000)  # nobody is made to give the GIL away
    try:
        ready.release()
        work()
        steps.append("done")
    finally:
        sys.setswitchinterval(interval)
        other.join()

    assert ["other thread", "done"] == steps


def imported(implementation: str | None) -> subprocess.CompletedProcess[str]:
    """Import the extension in another process, with SESSIOND_FORCE_IMPL as given."""
    environment = {name: value for name, value in os.environ.items() if name != "SESSIOND_FORCE_IMPL"}
    if implementation is not None:
        environment["SESSIOND_FORCE_IMPL"] = implementation
    program = "from sessiond import _fastverify as f; print(f.implementation(), *f.implementations())"
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


def test_the_best_implementation_is_chosen() -> None:
    """Left alone, the first of the implementations that run here is in use; the portable one runs everywhere."""
    chosen, *runnable = imported(None).stdout.split()

    assert runnable[0] == chosen
    assert "portable" == runnable[-1]


@pytest.mark.parametrize("name", _fastverify.implementations())
def test_an_implementation_can_be_forced(name: str) -> None:
    """SESSIOND_FORCE_IMPL names the one to use."""
    assert name == imported(name).stdout.split()[0]


@pytest.mark.parametrize("name", ["", "PORTABLE", "abacus", "\udcff"])
def test_an_unknown_implementation_ends_the_import(name: str) -> None:
    """A name that cannot be followed is no wish to be ignored: the error says what is possible."""
    done = imported(name)

    assert done.returncode != 0
    assert "does not run on this machine; possible: " in done.stderr
    assert "portable" in done.stderr


def test_verdicts_do_not_depend_on_who_asks() -> None:
    """Threads that share verifiers and tables get the answers that they would get alone."""
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(30):
            verdicts = ACCESS.verify_batch([TOKEN, "", TOKEN[:-86] + "A" * 86] * 10, **ASKED).verdicts
            if bytes([GOOD, Cause.MALFORMED, Cause.TAMPERED] * 10) != verdicts or not TABLE.verify(MESSAGE, SIGNATURE):
                wrong.append(verdicts)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == wrong


def test_limits_are_held_against_the_number_that_c_gets() -> None:
    """What the operators of a subclass say of it moves no limit."""
    for n_windows in (0, 15, 33, 100):
        with pytest.raises(ValueError, match="a table has 16 to 32 windows"):
            _fastverify.table_size(Lying(n_windows))
    with pytest.raises(ValueError, match="cache_entries must be a multiple of 4"):
        _fastverify.AccessVerifier([ROW], ISSUER, cache_entries=Lying(1))


def test_a_key_id_has_the_length_that_it_has() -> None:
    """What a subclass of bytes tells of its length is not asked."""

    class Long(bytes):
        """No bytes that say they are eight."""

        __slots__ = ()

        def __len__(self) -> int:
            """Lie."""
            return 8

    with pytest.raises(ValueError, match="a key id is 8 bytes"):
        _fastverify.RefreshVerifier([(Long(), TABLE, False)])


def test_an_audience_is_spelled_in_bytes() -> None:
    """What a subclass gives for the audience is checked before it is read, at every call."""

    class Careless(_fastverify.AccessVerifier):
        """Gives no spelling."""

        def _spelled(self, audience: str) -> bytes:  # noqa: ARG002 - as the verifier calls it
            """Give nothing."""
            return None  # type: ignore[return-value]

    careless = Careless([ROW], ISSUER)
    for _ in range(2):
        with pytest.raises(TypeError, match="_spelled must give bytes, not NoneType"):
            careless.verify(TOKEN, **ASKED)
