"""The enums of ``errors.py`` are those of the contract, and so is the advice that each cause comes with."""

from __future__ import annotations

import enum
import re

import pytest

from sessiond.errors import Advice, Cause, InvalidAccessToken, InvalidRefreshToken, Reason, TokenRefusedError
from sessiond.v1 import error_pb2, error_reason_pb2
from tools import errors_page
from tools.proto_comments import read_contract


@pytest.mark.parametrize(
    ("ours", "contract", "prefix"),
    [
        (Cause, error_pb2.Cause.items(), "CAUSE_"),
        (Advice, error_pb2.Advice.items(), "ADVICE_"),
        (Reason, error_reason_pb2.ErrorReason.items(), ""),
    ],
)
def test_names_and_numbers_are_those_of_the_contract(
    ours: type[enum.IntEnum], contract: list[tuple[str, int]], prefix: str
) -> None:
    """Every name but UNSPECIFIED stands on both sides with the same number."""
    expected = {name.removeprefix(prefix): number for name, number in contract if number}

    assert expected == {member.name: member.value for member in ours}


@pytest.mark.parametrize(
    ("kind", "line"), [(InvalidRefreshToken, "Refresh token"), (InvalidAccessToken, "Access token")]
)
def test_advice_is_the_one_that_the_contract_documents(kind: type[TokenRefusedError], line: str) -> None:
    """The comment of each cause names the advice of each kind of token, and no line where it cannot occur."""
    expected = {
        one.name.removeprefix("CAUSE_"): found[1]
        for one in read_contract()
        if one.owner == "Cause" and (found := re.search(rf"^{line}: (\w+)\.$", "\n".join(one.comment), re.MULTILINE))
    }

    assert expected == {cause.name: kind.advice_for(cause).name for cause in kind.causes()}


def test_advice_to_log_in_is_never_given_for_a_clock() -> None:
    """A token from the future is no reason to delete it."""
    assert Advice.CHECK_CLOCK == InvalidAccessToken.advice_for(Cause.NOT_YET_VALID)


def test_every_reason_has_an_exception_class() -> None:
    """What the contract can send, the client can raise."""
    assert set(Reason) == set(errors_page.exceptions())


def test_errors_page_is_fresh() -> None:
    """docs/errors.md is what `make proto` writes."""
    assert errors_page.page() == errors_page.PAGE.read_text()
