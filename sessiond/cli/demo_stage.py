"""Where the demo is seen: each step with what a client sends and what it gets, and whether that is right."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.text import Text

from sessiond.errors import InvalidAccessToken, InvalidRefreshToken, SessiondError, TokenRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessiond.errors import Cause

Result = TypeVar("Result")

WAIT_SECONDS = 20.0
"""How long the demo waits for something that must come."""

_POLL_SECONDS = 0.05
_MAX_WIDTH = 100
_VERB_WIDTH = 14
_INDENT = 3
_TAIL = 6
# Each token gets the next of these, so that one sees at a glance where it comes again.
_TOKEN_STYLES = ("dark_cyan", "medium_purple", "dark_orange3", "dodger_blue1", "deep_pink3", "yellow4")
_REFUSALS = {cause.name for kind in (InvalidRefreshToken, InvalidAccessToken) for cause in kind.causes()}
_MARKS = {
    "request": ("→", "blue"),
    "reply": ("←", "green"),
    "refusal": ("←", "red"),
    "lost": ("✗", "red"),
    "note": ("·", "dim"),
}


class StepFailedError(Exception):
    """A step did not answer as it should."""


@dataclass
class Step:
    """One step: its title, and what was sent and what came, each line as (kind, verb, text)."""

    number: int
    title: str
    lines: list[tuple[str, str, Text]] = field(default_factory=list)
    passed: bool = False

    def value(self) -> dict[str, Any]:
        """Give the step as JSON values."""
        lines = [{"kind": kind, "verb": verb, "text": text.plain} for kind, verb, text in self.lines]
        return {"step": self.number, "title": self.title, "passed": self.passed, "lines": lines}


class Stage:
    """Plays steps one after the other, and shows each line of them when it happens."""

    def __init__(self, console: Console | None, go_on: Callable[[], None] = lambda: None) -> None:
        """
        Print on *console*, or nothing (None): then only :attr:`steps` tell.

        *go_on* is called before each line and while something is waited for; what it raises ends the demo.
        """
        self.steps: list[Step] = []
        self._console = console
        self._go_on = go_on
        self._styles: dict[str, str] = {}
        self._explained: set[tuple[type[TokenRefusedError], Cause]] = set()

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Play one step; a wrong answer in it, or none, ends the demo with :class:`StepFailedError`."""
        step = Step(len(self.steps) + 1, title)
        self.steps.append(step)
        self._print(Text.assemble((f"{step.number}", "bold cyan"), "  ", (title, "bold")))
        try:
            yield
        except SessiondError as error:
            message = f"step {step.number}, {title!r}: refused unexpectedly: {error}"
            raise StepFailedError(message) from error
        except StepFailedError as error:
            message = f"step {step.number}, {title!r}: {error}"
            raise StepFailedError(message) from None
        finally:
            self._print(Text())
        step.passed = True

    def request(self, verb: str, *parts: str | Text) -> None:
        """Show what a client sends."""
        self._line("request", verb, *parts)

    def reply(self, verb: str, *parts: str | Text) -> None:
        """Show what it gets."""
        self._line("reply", verb, *parts)

    def lost(self, *parts: str | Text) -> None:
        """Show that it gets nothing."""
        self._line("lost", "no answer", *parts)

    def note(self, *parts: str | Text) -> None:
        """Show what it means."""
        self._line("note", "", *parts)

    def refused(self, kind: type[TokenRefusedError], cause: Cause, call: Callable[[], object]) -> None:
        """Make a call that must be refused with *cause*, and show it; the message only the first time."""
        error = refusal(call)
        if isinstance(error, TokenRefusedError):
            why = "" if (kind, error.cause) in self._explained else f": {error.message}"
            self._explained.add((kind, error.cause))
            self._line("refusal", error.cause.name, Text(error.advice.name, style="yellow"), why)
        check(f"a refusal with {cause.name}", error or "none", isinstance(error, kind) and error.cause is cause)

    def until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait for a condition that must come, with a word about it where somebody watches."""
        deadline = time.monotonic() + WAIT_SECONDS
        with self._console.status(what) if self._console is not None else contextlib.nullcontext():
            while not is_so():
                check(f"within {WAIT_SECONDS:g} s: {what}", "nothing", time.monotonic() < deadline)
                self._go_on()
                time.sleep(_POLL_SECONDS)

    def name(self, token: str) -> Text:
        """Name a token by its first and its last characters: enough to tell two apart, too little to use."""
        style = self._styles.setdefault(token, _TOKEN_STYLES[len(self._styles) % len(_TOKEN_STYLES)])
        return Text(f"{token[:4]}…{token[-_TAIL:]}", style=style)

    def _line(self, kind: str, verb: str, *parts: str | Text) -> None:
        self._go_on()
        text = Text.assemble(*parts)
        self.steps[-1].lines.append((kind, verb, text))
        if self._console is None:
            return
        mark, color = _MARKS[kind]
        start = Text.assemble(" " * _INDENT, (mark, color), " ", (verb.ljust(_VERB_WIDTH), f"bold {color}"), " ")
        width = min(self._console.width, _MAX_WIDTH) - len(start)
        if kind == "note":
            text.stylize("dim")
        for line in text.wrap(self._console, max(width, _VERB_WIDTH)):
            line.rstrip()
            self._print(Text.assemble(start, line))
            start = Text(" " * len(start))

    def _print(self, text: Text) -> None:
        if self._console is not None:
            self._console.print(text, soft_wrap=True)


def check(expected: str, actual: object, is_so: bool) -> None:  # noqa: FBT001 - the fact itself
    """
    Insist on a fact.

    Raises:
        StepFailedError: It does not hold.

    """
    if not is_so:
        message = f"expected {expected}, got {actual}"
        raise StepFailedError(message)


def refusal(call: Callable[[], object]) -> SessiondError | None:
    """Make a call, and give what it is refused with, None where it is not."""
    try:
        call()
    except SessiondError as error:
        return error
    return None
