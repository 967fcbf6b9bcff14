"""The application's claims: what every reader understands alike is taken, anything else is refused with its reason."""

from __future__ import annotations

import json
import time

import pytest

from sessiond.token.claims import (
    MAX_CLAIMS_BYTES,
    MAX_DEPTH,
    RESERVED_CLAIMS,
    access_expires_at,
    check_json_object,
)

SESSION_ID = bytes(range(16))
NOW = 1_800_000_000
FAR = NOW + 30 * 86_400


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        ' {"a" : 1} ',
        '{"a":12345678901234567890123,"b":-0.5e-3,"c":1e308,"d":null,"e":[true,false]}',
        '{"a":{"a":{"a":1}}}',
        '{"a":"}]{[\\"[[[[[[[[["}',
        '{"\\u0061":"\\ud83d\\ude00"}',
        '{"é":"\\u0001"}',
        '{"a":1e-400}',
        '{"a":' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1) + "}",
        '{"a":"' + "x" * (MAX_CLAIMS_BYTES - 8) + '"}',
    ],
)
def test_good_claims(text: str) -> None:
    """An object of plain JSON within the limits is taken."""
    check_json_object(text, reserved=RESERVED_CLAIMS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON: it goes wrong at character 1 of 0"),
        ('{"a":1', "not JSON: it goes wrong at character 7 of 6"),
        ('{"a":1}x', "not JSON: it goes wrong at character 8 of 8"),
        ("{'a':1}", "not JSON: it goes wrong at character 2 of 7"),
        ("[]", "not a JSON object: it must begin with { and end with }"),
        ("1", "not a JSON object: it must begin with { and end with }"),
        ('{"a":1,"a":2}', "the name 'a' stands twice in one object"),
        ('{"b":{"a":1,"\\u0061":2}}', "the name 'a' stands twice in one object"),
        (f'{{"b":[{{"{"x" * 70}":1,"{"x" * 70}":2}}]}}', f"the name {'x' * 64!r} stands twice in one object"),
        ('{"a":NaN}', "not JSON: NaN is no JSON value"),
        ('{"a":-Infinity}', "not JSON: -Infinity is no JSON value"),
        ('{"a":1e400}', "it holds a number that no double can hold"),
        ('{"a":-' + "9" * 400 + "}", "it holds a number that no double can hold"),
        ('{"a":"\\u0000"}', "it holds the character NUL"),
        ('{"a":["\\u0000"]}', "it holds the character NUL"),
        ('{"\\u0000":1}', "it holds the character NUL"),
        ('{"a":"\\ud800"}', "it holds a lone surrogate, which is no Unicode character"),
        ('{"a":"\ud800"}', "it holds a lone surrogate, which is no Unicode character"),
        ('{"a":"\n"}', "not JSON: it goes wrong at character 7 of 9"),
        ('{"sub":1}', "the name 'sub' is reserved"),
        ('{"\\u0073ub":1}', "the name 'sub' is reserved"),
        ('{"Exp":1}', "the name 'Exp' is reserved"),
        ('{"\\u017fub":1}', "the name '\u017fub' is reserved"),
        ('{"a":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", "it is nested more than 8 deep"),
        ('{"a":"' + "x" * (MAX_CLAIMS_BYTES - 7) + '"}', "it has 2049 bytes, 2048 are allowed"),
        ('{"a":"' + "é" * (MAX_CLAIMS_BYTES // 2) + '"}', "it has 2056 bytes, 2048 are allowed"),
    ],
)
def test_bad_claims(text: str, message: str) -> None:
    """Whatever readers would disagree about, or is too large, is refused with its reason."""
    with pytest.raises(ValueError, match=r".") as caught:
        check_json_object(text, reserved=RESERVED_CLAIMS)

    assert message == str(caught.value)


@pytest.mark.parametrize("name", sorted(RESERVED_CLAIMS))
def test_reserved_names(name: str) -> None:
    """
    A name that the token uses itself, or that means something to other readers, is refused at top level only.

    So are its other spellings, for readers that ignore case.
    """
    for spelling in (name, name.upper(), name.title()):
        with pytest.raises(ValueError, match="is reserved"):
            check_json_object(json.dumps({spelling: 1}), reserved=RESERVED_CLAIMS)
    check_json_object(json.dumps({"x": {name: 1}}), reserved=RESERVED_CLAIMS)
    check_json_object(json.dumps({name: 1}))


def test_limits_can_be_chosen() -> None:
    """Data has limits of its own."""
    check_json_object('{"a":[[]]}', max_bytes=10, max_depth=3)
    with pytest.raises(ValueError, match="it has 10 bytes, 9 are allowed"):
        check_json_object('{"a":[[]]}', max_bytes=9)
    with pytest.raises(ValueError, match="nested more than 2 deep"):
        check_json_object('{"a":[[]]}', max_depth=2)


@pytest.mark.parametrize("text", ["[" * 900_000, '"' * 900_000, '"\\' * 450_000, '{"a":"' * 150_000, "\\" * 900_000])
def test_hostile_texts_cost_little(text: str) -> None:
    """A text of a megabyte made to be slow is refused in less than a second of processor time."""
    before = time.process_time()
    with pytest.raises(ValueError, match=r"."):
        check_json_object(text, max_bytes=1_000_000)

    assert time.process_time() - before < 1


def test_the_life_of_an_access_token_is_shortened_by_up_to_5_percent() -> None:
    """Over many generations every jitter from 0 to 5 % of the life occurs, and no other."""
    jitters = {NOW + 100 - access_expires_at(NOW, 100, SESSION_ID, generation, FAR) for generation in range(200)}

    assert {0, 1, 2, 3, 4, 5} == jitters


def test_a_short_life_has_no_jitter() -> None:
    """A life below 20 s is too short for a second of jitter."""
    assert {19} == {access_expires_at(NOW, 19, SESSION_ID, generation, FAR) - NOW for generation in range(50)}


def test_the_same_token_has_the_same_life() -> None:
    """The jitter is a function of session, generation and time of issue, and of nothing else."""
    lives = {access_expires_at(NOW, 86_400, SESSION_ID, 5, FAR) for _ in range(3)}
    others = {
        access_expires_at(NOW, 86_400, bytes(16), 5, FAR),
        access_expires_at(NOW, 86_400, SESSION_ID, 6, FAR),
        access_expires_at(NOW + 1, 86_400, SESSION_ID, 5, FAR) - 1,
    }

    assert 1 == len(lives)
    assert 3 == len(others - lives)


def test_no_access_token_outlives_its_session() -> None:
    """An access token dies with its session at the latest."""
    assert NOW + 10 == access_expires_at(NOW, 300, SESSION_ID, 1, NOW + 10)
