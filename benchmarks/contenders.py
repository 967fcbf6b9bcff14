"""
Who verifies tokens in the benchmark, and what each of them is asked to do.

Each contender gets tokens in the form that it takes, prepared before the clock runs, and counts those that it accepts.
Keys are loaded once. ``work`` says how far each goes: a bare check of a signature gets the signed bytes cut out of the
token already, a verdict reads the token and judges its claims, and who gives claims also makes values of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.tokens import Tokens

CLAIMS = "token to claims"
VERDICT = "token to verdict"
SIGNATURE = "signature only"
INSTRUCTIONS = "instructions only"

BASELINE = "PyNaCl"

Counter = Callable[[Sequence[Any]], int]


@dataclass(frozen=True)
class Contender:
    """
    One way to verify tokens.

    Attributes:
        name: The library.
        work: How far it goes.
        form: The form of its tokens.
        prepare: Gives a token as ``count_accepted`` wants it.
        count_accepted: Gives the number of good ones.
        batch: How many tokens go into a call.
        state: What there is before the call, where that is not the same for all.
        n_tokens: How many tokens make a round, where that is not all.
        in_threads: Whether it is measured on two threads, too.

    """

    name: str
    work: str
    form: str
    prepare: Callable[[str], Any]
    count_accepted: Counter
    batch: int = 1
    state: str = ""
    n_tokens: int | None = None
    in_threads: bool = False

    @property
    def label(self) -> str:
        """What tells it from the others of its name."""
        return ", ".join(filter(None, (self.form, self.work, self.state, f"{self.batch} a call")))


@dataclass(frozen=True)
class Race:
    """A kind of token with its contenders, and the tokens in each of their forms."""

    name: str
    title: str
    contenders: list[Contender]
    tokens: dict[str, Tokens]


def one_by_one(verify: Callable[[Any], object], refusals: tuple[type[Exception], ...]) -> Counter:
    """Count the tokens that *verify* does not refuse by an exception."""

    def count_accepted(tokens: Sequence[Any]) -> int:
        accepted = 0
        for token in tokens:
            try:
                verify(token)
            except refusals:
                continue
            accepted += 1
        return accepted

    return count_accepted
