"""Requests that may come twice: their names, their hashes, their first answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessiond.authority.caller import Caller
from sessiond.authority.policy import Policy
from sessiond.authority.requests import (
    HASH_SIZE,
    answer_of,
    first_answer,
    key_of,
    repeatable,
    request_hash,
    request_key,
    retry_hash,
)
from sessiond.errors import RequestIdReusedError
from sessiond.store.contract import Request
from sessiond.store.records import RequestRecord

SHOP, GATE = (Caller(name, frozenset(), None) for name in ("shop", "gate"))
REQUEST = Request(b"k" * HASH_SIZE, b"h" * HASH_SIZE, 100)

fields = st.lists(st.text(max_size=4) | st.binary(max_size=4) | st.integers() | st.none(), max_size=4)


def test_name_belongs_to_caller_method_and_id() -> None:
    """Another caller, another method and another id each name another attempt, and no two splits are one."""
    names = {
        request_key(*parts)
        for parts in [
            ("shop", "Refresh", "1"),
            ("gate", "Refresh", "1"),
            ("shop", "CreateSession", "1"),
            ("shop", "Refresh", "2"),
            ("shopRefresh", "1", "1"),
            ("shop", "Refresh1", "1"),
        ]
    }
    assert 6 == len(names)
    assert {HASH_SIZE} == {len(name) for name in names}
    assert request_key("shop", "Refresh", "1") in names


def test_call_without_an_id_has_no_name() -> None:
    """Without a request id there is no name and nothing to repeat, without a retry key no hash."""
    assert (b"", b"", None) == (
        request_key("shop", "Refresh", ""),
        retry_hash(b""),
        repeatable(SHOP, "RevokeKey", "", ("a",), policy=Policy(), now=1),
    )


@given(fields, fields)
def test_hash_is_of_values_types_and_splits(one: list[str], other: list[str]) -> None:
    """Two requests have one hash exactly where they are the same, field by field and type by type."""
    same = [(type(value), value) for value in one] == [(type(value), value) for value in other]
    assert same is (request_hash(*one) == request_hash(*other))


@pytest.mark.parametrize(
    ("one", "other"), [(("a", "bc"), ("ab", "c")), (("1",), (1,)), (("a",), (b"a",)), (("",), (None,)), ((), ("",))]
)
def test_hash_tells_neighbours_apart(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """What only looks the same when it is written out has another hash."""
    assert request_hash(*one) != request_hash(*other)


def test_hashes_of_different_uses_differ() -> None:
    """A retry key, a name and a request never share a hash, whatever is hashed."""
    text = "k" * 16
    assert 3 == len({retry_hash(text.encode()), request_hash(text.encode()), request_key("", "", text)})


def test_repeatable_request() -> None:
    """A mutation with a request id is named by its caller and method, and hashed over its fields."""
    policy = Policy(request_retention_seconds=86_400)
    request = repeatable(SHOP, "RevokeKey", "1", ("a", 2), policy=policy, now=7)
    assert Request(request_key("shop", "RevokeKey", "1"), request_hash("a", 2), 86_407) == request
    assert request != repeatable(GATE, "RevokeKey", "1", ("a", 2), policy=policy, now=7)


def test_request_is_named_in_events() -> None:
    """An event has the name of the request that it came of, and none of one without an id."""
    assert (REQUEST.key, b"") == (key_of(REQUEST), key_of(None))


def test_first_answer() -> None:
    """An earlier answer to the same request is given again; there is none without a request or an earlier call."""
    prior = RequestRecord(REQUEST.request_hash, 100, revision=3)
    assert (prior, None, None, None) == (
        first_answer(REQUEST, prior),
        first_answer(REQUEST, None),
        first_answer(None, prior),
        first_answer(None, None),
    )


def test_same_id_for_another_request() -> None:
    """An earlier answer to another request is refused."""
    with pytest.raises(RequestIdReusedError, match="used before with another request"):
        first_answer(REQUEST, RequestRecord(b"o" * HASH_SIZE, 100))


def test_answer_is_noted_for_its_request() -> None:
    """What is answered is kept under the hash and for the time of the request; nothing without a request."""
    noted = answer_of(REQUEST, revision=3, session_id=b"s", key_id=b"k", other_key_id=b"o")
    assert RequestRecord(REQUEST.request_hash, 100, b"s", b"k", b"o", 3) == noted
    assert answer_of(None, revision=3) is None
