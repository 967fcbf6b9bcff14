"""Required claims: which hold, which fail and why, and what is no requirement."""

from __future__ import annotations

import itertools

import pytest

from sessiond.errors import ClaimsNotMetError, InvalidRequestError
from sessiond.token.claims import check_json_object
from sessiond.token.requirements import MAX_AGE_SECONDS, MAX_REQUIRED_CLAIMS, RequiredClaim, Requirements

NOW = 1_800_000_000
LEEWAY = 2


def failed(claims_json: str, *required: RequiredClaim) -> tuple[int, ...]:
    """Judge claims that the signer would take."""
    check_json_object(claims_json)
    return Requirements(required).failed(claims_json, now=NOW, leeway=LEEWAY)


# Each is one value in several spellings; no two are the same value.
VALUES = [
    ("5", "5.0", "50e-1", "0.5E1"),
    ("-5",),
    ("0", "-0", "0.0", "0e7", "1e-99999999999999999999999"),
    ("1", "1.0"),
    ("true",),
    ("false",),
    ("null",),
    ('""',),
    ('"5"',),
    ('"\\u00e9"', '"\u00e9"'),
    ('"e\\u0301"',),
    ('"A"', '"\\u0041"'),
    ('"a"',),
    ("9007199254740992", "9007199254740992.0"),
    ("9007199254740993", "9007199254740993.0"),
    ("0.1", "1e-1"),
    ("0.1000000000000000055511151231257827",),
    ("1e308", "1" + "0" * 200 + "e108"),
    ("[]",),
    ("[1]", "[1.0]", " [ 1 ] "),
    ("[true]",),
    ("[1,2]",),
    ("[2,1]",),
    ("{}",),
    ('{"a":1,"b":[true]}', '{"b":[true],"a":1.0}', '{"\\u0061":1,"b":[true]}'),
    ('{"a":1,"b":[1]}',),
    ('{"a":1}',),
    ('{"a":null}',),
    ('{"A":1}',),
]


@pytest.mark.parametrize("of_claim", range(len(VALUES)))
def test_equal_values(of_claim: int) -> None:
    """A claim equals every spelling of its value, and no other value."""
    for of_required, spelled in itertools.product(range(len(VALUES)), VALUES[of_claim]):
        for wanted in VALUES[of_required]:
            expected = () if of_claim == of_required else (0,)
            assert expected == failed(f'{{"x":{spelled}}}', RequiredClaim("x", equals_json=wanted)), (spelled, wanted)


@pytest.mark.parametrize("place", range(3))
def test_contained_values(place: int) -> None:
    """An array holds a value wherever it stands in it, in any spelling, and itself is not what it holds."""
    elements = ['"b"', "null", "[7]"]
    elements[place] = '{"a":1,"b":2}'
    array = f"[{','.join(elements)}]"
    assert () == failed(f'{{"x":{array}}}', RequiredClaim("x", contains_json='{"b":2.0,"a":1}'))
    for absent in ('{"a":1}', "1", array):
        assert (0,) == failed(f'{{"x":{array}}}', RequiredClaim("x", contains_json=absent))


@pytest.mark.parametrize("value", ['"admin"', '{"admin":1}', "null", "1"])
def test_only_arrays_contain(value: str) -> None:
    """A text holds no part of itself, and an object no name."""
    assert (0,) == failed(f'{{"x":{value}}}', RequiredClaim("x", contains_json='"admin"'))


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        (f"{NOW}", True),
        (f"{NOW - 300}", True),
        (f"{NOW - 300}.0", True),
        (f"{NOW - 301}", False),
        (f"{NOW - 300}.0000000001", True),
        (f"{NOW - 301}.9999999999", False),
        (f"{NOW + LEEWAY}", True),
        (f"{NOW + LEEWAY}.1", False),
        (f"{NOW * 1000}", False),
        (f"{NOW / 1e9}e9", True),
        ("0", False),
        ("-1", False),
        ("true", False),
        ("null", False),
        (f'"{NOW}"', False),
        (f"[{NOW}]", False),
    ],
)
def test_age(value: str, *, holds: bool) -> None:
    """An instant holds up to its age and not a moment longer; one ahead by more than the leeway never does."""
    assert (() if holds else (0,)) == failed(f'{{"x":{value}}}', RequiredClaim("x", max_age_seconds=300))


def test_least_and_greatest_age() -> None:
    """An age of 0 asks for this second, and 400 days are the longest."""
    assert () == failed(f'{{"x":{NOW}}}', RequiredClaim("x", max_age_seconds=0))
    assert (0,) == failed(f'{{"x":{NOW - 1}}}', RequiredClaim("x", max_age_seconds=0))
    assert () == failed(f'{{"x":{NOW - MAX_AGE_SECONDS}}}', RequiredClaim("x", max_age_seconds=MAX_AGE_SECONDS))


def test_claim_that_is_missing_fails() -> None:
    """A token without the claim fails every condition, null included; only the exact name at top level counts."""
    for required in (
        RequiredClaim("x", equals_json="null"),
        RequiredClaim("x", contains_json="null"),
        RequiredClaim("x", max_age_seconds=300),
    ):
        assert (0,) == failed('{"X":null,"y":{"x":null}}', required)


EVERY_KIND = (
    RequiredClaim("plan", equals_json='"pro"'),
    RequiredClaim("roles", contains_json='"admin"'),
    RequiredClaim("auth_time", max_age_seconds=300),
)


@pytest.mark.parametrize("held", list(itertools.product((True, False), repeat=3)))
def test_every_requirement_is_judged(held: tuple[bool, ...]) -> None:
    """All requirements are judged and every failure is reported, whichever of them hold."""
    plan, roles, auth_time = held
    claims = (
        f'{{"plan":"{"pro" if plan else "free"}","roles":["{"admin" if roles else "guest"}"],'
        f'"auth_time":{NOW if auth_time else NOW - 301}}}'
    )
    expected = tuple(place for place, holds in enumerate(held) if not holds)
    assert expected == failed(claims, *EVERY_KIND)
    if not expected:
        Requirements(EVERY_KIND).check(claims, now=NOW, leeway=LEEWAY)


@pytest.mark.parametrize(
    ("claims", "sentences"),
    [
        (
            "{}",
            [
                'is missing: it must equal "pro"',
                'is missing: it must hold "admin"',
                "is missing: it must be at most 300 s old",
            ],
        ),
        (
            '{"plan":1,"roles":1,"auth_time":"now"}',
            [
                'differs: it must equal "pro"',
                'is no array: it must hold "admin"',
                "is no number of seconds: it must be at most 300 s old",
            ],
        ),
        (
            f'{{"plan":null,"roles":[],"auth_time":{NOW + 3}}}',
            [
                'differs: it must equal "pro"',
                'does not hold it: it must hold "admin"',
                "lies in the future: it must be at most 300 s old",
            ],
        ),
        ('{"plan":"pro","roles":["admin"],"auth_time":1}', ["is too old: it must be at most 300 s old"]),
    ],
)
def test_failures_are_named(claims: str, sentences: list[str]) -> None:
    """Each failure has the name of its claim, what is wrong with it and what it must be."""
    with pytest.raises(ClaimsNotMetError) as caught:
        Requirements(EVERY_KIND).check(claims, now=NOW, leeway=LEEWAY)
    names = ["plan", "roles", "auth_time"][-len(sentences) :]
    assert list(zip(names, sentences, strict=True)) == list(caught.value.failures)


def test_one_claim_can_be_required_twice() -> None:
    """Several requirements of one claim are judged one by one."""
    both = [RequiredClaim("roles", contains_json=f'"{role}"') for role in ("admin", "owner")]
    assert (1,) == failed('{"roles":["admin"]}', *both)


def test_nothing_required() -> None:
    """Where nothing is required every token holds."""
    assert () == failed("{}")
    Requirements().check("{}", now=NOW, leeway=LEEWAY)


@pytest.mark.parametrize(
    ("required", "path"),
    [
        (RequiredClaim("", equals_json="1"), ".name"),
        (RequiredClaim("é" * 128, equals_json="1"), ".name"),
        (RequiredClaim("\ud800", equals_json="1"), ".name"),
        (RequiredClaim("Sub", equals_json="1"), ".name"),
        (RequiredClaim("x"), ""),
        (RequiredClaim("x", equals_json="1", contains_json="1"), ""),
        (RequiredClaim("x", contains_json="1", max_age_seconds=0), ""),
        (RequiredClaim("x", equals_json=""), ".equals_json"),
        (RequiredClaim("x", equals_json="pro"), ".equals_json"),
        (RequiredClaim("x", equals_json='1},{"y":2'), ".equals_json"),
        (RequiredClaim("x", equals_json="NaN"), ".equals_json"),
        (RequiredClaim("x", equals_json='{"a":1,"a":1}'), ".equals_json"),
        (RequiredClaim("x", equals_json="[" * 9 + "]" * 9), ".equals_json"),
        (RequiredClaim("x", equals_json=f'"{"é" * 127}"'), ".equals_json"),
        (RequiredClaim("x", contains_json=""), ".contains_json"),
        (RequiredClaim("x", contains_json="1 2"), ".contains_json"),
        (RequiredClaim("x", max_age_seconds=-1), ".max_age"),
        (RequiredClaim("x", max_age_seconds=MAX_AGE_SECONDS + 1), ".max_age"),
    ],
)
def test_what_is_no_requirement(required: RequiredClaim, path: str) -> None:
    """What breaks a limit is refused under its path."""
    with pytest.raises(InvalidRequestError) as caught:
        Requirements([RequiredClaim("good", equals_json="1"), required])
    assert [f"required_claims[1]{path}"] == [field for field, _ in caught.value.violations]


def test_every_fault_is_named_at_once() -> None:
    """Whoever sends several wrong requirements hears of all of them."""
    with pytest.raises(InvalidRequestError) as caught:
        Requirements([RequiredClaim("", equals_json="x"), RequiredClaim("y")])
    assert ["required_claims[0].name", "required_claims[0].equals_json", "required_claims[1]"] == [
        field for field, _ in caught.value.violations
    ]


def test_number_of_requirements() -> None:
    """There are at most 16 of them, of 255 bytes each."""
    longest = RequiredClaim("n" * 255, equals_json=f'"{"v" * 253}"')
    assert MAX_REQUIRED_CLAIMS == len(Requirements([longest] * MAX_REQUIRED_CLAIMS))
    with pytest.raises(InvalidRequestError) as caught:
        Requirements([longest] * (MAX_REQUIRED_CLAIMS + 1))
    assert ["required_claims"] == [field for field, _ in caught.value.violations]
