"""
Claims that a caller requires beside what makes a token good.

Rule 1: a requirement is judged on the claims alone, at an instant that is handed in; the authority and a verifier in
    the client's own process judge alike.
Rule 2: every requirement is judged, so that whoever reads the refusal hears of each that fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sessiond.errors import ClaimsNotMetError, InvalidRequestError
from sessiond.token.claims import RESERVED_CLAIMS, read_claims, read_json

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_REQUIRED_CLAIMS = 16
MAX_NAME_BYTES = 255
MAX_VALUE_BYTES = 255
MAX_AGE_SECONDS = 400 * 86_400

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class RequiredClaim:
    """
    One claim at top level that must hold; exactly one of its conditions is given.

    A token without the claim fails each of them. Numbers are compared by
    value and exactly (5 is 5.0, true is not 1), objects whatever the order of
    their members, texts character by character.

    Attributes:
        name: The claim, 1 to 255 bytes.
        equals_json: It equals this JSON value, at most 255 bytes.
        contains_json: It is an array that holds this JSON value, at most 255 bytes.
        max_age_seconds: It is an instant in seconds since the epoch and lies at most so far back: 0 to 400 days. One
            ahead by more than the leeway fails too: a clock is wrong, or it counts milliseconds and would never age.

    """

    name: str
    equals_json: str | None = None
    contains_json: str | None = None
    max_age_seconds: int | None = None

    def __str__(self) -> str:
        """Say what must be true of the claim, to follow its name."""
        if self.equals_json is not None:
            return f"must equal {self.equals_json}"
        if self.contains_json is not None:
            return f"must hold {self.contains_json}"
        return f"must be at most {self.max_age_seconds} s old"


class Requirements:
    """What some required claims come to, checked and read once for any number of tokens. Never changes."""

    __slots__ = ("_required", "_wanted")

    def __init__(self, required: Sequence[RequiredClaim] = ()) -> None:
        """
        Take *required*, at most 16.

        Raises:
            InvalidRequestError: A limit is broken; each fault is named by its path, as in
                ``required_claims[2].equals_json``.

        """
        self._required = tuple(required)
        violations: list[tuple[str, str]] = []
        if len(self._required) > MAX_REQUIRED_CLAIMS:
            raise InvalidRequestError(("required_claims", f"must have at most {MAX_REQUIRED_CLAIMS} claims"))
        self._wanted = [
            _wanted_value(one, f"required_claims[{place}]", violations) for place, one in enumerate(self._required)
        ]
        if violations:
            raise InvalidRequestError(*violations)

    def __len__(self) -> int:
        """Count them."""
        return len(self._required)

    def failed(self, claims_json: str, *, now: int, leeway: int) -> tuple[int, ...]:
        """
        Give the places of those that do not hold.

        Args:
            claims_json: The claims of a good token.
            now: Seconds since the epoch.
            leeway: Seconds that an instant may lie ahead, since clocks differ.

        """
        return tuple([place for place, _ in self._faults(claims_json, now, leeway)])

    def check(self, claims_json: str, *, now: int, leeway: int) -> None:
        """
        Accept the claims of a good token; see :meth:`failed`.

        Raises:
            ClaimsNotMetError: Some do not hold; the error names each.

        """
        faults = self._faults(claims_json, now, leeway)
        if faults:
            raise ClaimsNotMetError(
                *((self._required[place].name, f"{fault}: it {self._required[place]}") for place, fault in faults)
            )

    def _faults(self, claims_json: str, now: int, leeway: int) -> list[tuple[int, str]]:
        if not self._required:
            return []
        claims = read_claims(claims_json)
        return [
            (place, fault)
            for place, one in enumerate(self._required)
            if (fault := _fault(one, self._wanted[place], claims.get(one.name, _ABSENT), now, leeway))
        ]


def _fault(required: RequiredClaim, wanted: object, value: object, now: int, leeway: int) -> str:
    """Say what is wrong with the *value* of a claim, to follow its name; nothing where it holds."""
    if value is _ABSENT:
        return "is missing"
    if required.equals_json is not None:
        return "" if _is_same(value, wanted) else "differs"
    if required.contains_json is not None:
        if not isinstance(value, list):
            return "is no array"
        return "" if any(_is_same(one, wanted) for one in value) else "does not hold it"
    return _age_fault(value, now - (required.max_age_seconds or 0), now, leeway)


def _age_fault(value: object, oldest: int, now: int, leeway: int) -> str:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return "is no number of seconds"
    if value > now + leeway:
        return "lies in the future"
    return "is too old" if value < oldest else ""


def _is_same(one: object, other: object) -> bool:
    """Compare two JSON values, as :func:`read_json` gives them."""
    if isinstance(one, str):
        return one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    # Python takes True for 1.
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def _wanted_value(required: RequiredClaim, path: str, violations: list[tuple[str, str]]) -> object:
    """Read what a claim must equal or hold, None where it is neither; note what breaks a limit."""
    _check_name(required.name, f"{path}.name", violations)
    given = [required.equals_json, required.contains_json, required.max_age_seconds]
    if given.count(None) != len(given) - 1:
        violations.append((path, "must have one of equals_json, contains_json and max_age"))
        return None
    if required.max_age_seconds is not None:
        if not 0 <= required.max_age_seconds <= MAX_AGE_SECONDS:
            violations.append((f"{path}.max_age", f"is {required.max_age_seconds} s, must be 0 to {MAX_AGE_SECONDS} s"))
        return None
    field = "contains_json" if required.equals_json is None else "equals_json"
    try:
        return read_json(required.equals_json or required.contains_json or "", max_bytes=MAX_VALUE_BYTES)
    except ValueError as error:
        violations.append((f"{path}.{field}", str(error)))
        return None


def _check_name(name: str, path: str, violations: list[tuple[str, str]]) -> None:
    try:
        n_bytes = len(name.encode())
    except UnicodeEncodeError:
        violations.append((path, "must be Unicode text, without lone surrogates"))
        return
    if not 1 <= n_bytes <= MAX_NAME_BYTES:
        violations.append((path, f"has {n_bytes} bytes, must have 1 to {MAX_NAME_BYTES}"))
    elif name.casefold() in RESERVED_CLAIMS:
        violations.append((path, f"{name!r} is no claim of the application: every token says it by itself"))
