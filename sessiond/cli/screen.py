"""What people see: results, tables, and the screen of a refusal."""

from __future__ import annotations

import inspect
import json
import re
import sys
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sessiond.cli.values import error_value, instant
from sessiond.errors import Advice, InvalidRequestError, SessiondError, SessionEndedError, TokenRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

ADVICE = {
    Advice.LOG_IN_AGAIN: "Delete the tokens of this session and authenticate the user again.",
    Advice.REFRESH: "Trade the refresh token for a new pair and try again with the new access token.",
    Advice.RETRY_WITH_BACKOFF: "Keep the tokens and send the same request again after a growing, random pause.",
    Advice.KEEP_CURRENT_TOKENS: (
        "Never delete or overwrite tokens because of this answer: read the token store again and use what stands there."
    ),
    Advice.CHECK_CLOCK: "Compare the clocks of this machine and of the authority; the tokens are not at fault.",
    Advice.FIX_THE_CALLER: (
        "A fault in the calling program or its configuration; neither a retry nor a new login mends it."
    ),
}
"""What each advice means, in the words of ``error.proto``."""

# The controls, and those that turn the direction of a line around.
_STEERING_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TRAILING_BLANKS = re.compile(r" +$", re.MULTILINE)
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
# What is less than two of a unit is told in the next smaller one, so that rounding never takes more than a quarter.
_ENOUGH = 2


class Screen:
    """Prints for people or, as one JSON object on standard output, for machines."""

    def __init__(self, *, as_json: bool) -> None:
        """Print on the standard streams of this moment."""
        self._as_json = as_json
        # Words of strangers are shown: none of them is markup.
        self._out = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._err = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)

    def show(self, value: Any, *parts: RenderableType) -> None:  # noqa: ANN401 - any JSON value
        """Print a result: *value* for machines, *parts* for people."""
        if self._as_json:
            # A terminal does what some characters say; a pipe does not.
            text = json.dumps(value, ensure_ascii=self._out.is_terminal)
            print(text, file=sys.stdout)  # noqa: T201 - the answer itself
            return
        for part in parts:
            _print(self._out, part)

    def refused(self, error: SessiondError) -> None:
        """Say what is wrong, why, and what to do about it."""
        if self._as_json:
            self.show(error_value(error))
            return
        _print(self._err, Text.assemble(("✗ ", "bold red"), (_headline(error), "bold")))
        _print(self._err, facts(_explanation(error), indent=2))


def _print(console: Console, part: RenderableType) -> None:
    if console.is_terminal:
        console.print(part)
        return
    # What fills a column up to its width is nothing to a file or a pipe.
    with console.capture() as printed:
        console.print(part)
    console.file.write(_TRAILING_BLANKS.sub("", printed.get()))


def done(text: str) -> Text:
    """Say that something was done."""
    return Text.assemble(("✓ ", "bold green"), printable(text))


def facts(pairs: Iterable[tuple[str, str | Text]], *, indent: int = 2) -> Table:
    """Set names beside their values; a value that is empty is left out."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            table.add_row(Text(" " * indent + name), Text(printable(value)) if isinstance(value, str) else value)
    return table


def printable(text: str) -> str:
    """Spell out what would steer a terminal: a token that nobody vouches for can say anything."""
    return _STEERING_CHARACTER.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def moment(seconds: int | None, now: int | None = None) -> str:
    """Spell an instant for people: when, and how far from *now*, else from here by this machine's clock."""
    if seconds is None:
        return ""
    return f"{date_time(seconds)} UTC ({distance(seconds, now)})"


def date_time(seconds: int) -> str:
    """Spell an instant in UTC: 19 characters."""
    return instant(seconds).replace("T", " ").removesuffix("Z")


def distance(seconds: int, now: int | None = None) -> str:
    """Say how far an instant is from *now*, else from here by this machine's clock."""
    away = seconds - (round(time.time()) if now is None else now)
    return f"in {span(away)}" if away > 0 else f"{span(-away)} ago"


def span(seconds: int) -> str:
    """Spell a span of time, rounded, in the greatest unit of which it holds two."""
    for size, unit in _UNITS:
        if seconds >= _ENOUGH * size:
            return f"{round(seconds / size)} {unit}"
    return f"{seconds} s"


def _headline(error: SessiondError) -> str:
    """Say what failed: the first sentence about the error's class."""
    return (inspect.getdoc(type(error)) or error.reason.name).splitlines()[0]


def _explanation(error: SessiondError) -> Iterable[tuple[str, str | Text]]:
    if isinstance(error, (TokenRefusedError, SessionEndedError)):
        yield "cause", Text.assemble((error.cause.name, "red"), f": {printable(error.message)}")
    elif isinstance(error, InvalidRequestError):
        for field, text in error.violations:
            yield "field", Text.assemble((printable(field), "red"), f": {printable(text)}")
    else:
        yield "cause", error.message
    yield "advice", Text.assemble((error.advice.name, "yellow"), f": {ADVICE[error.advice]}")
    if isinstance(error, TokenRefusedError) and error.session_id is not None:
        yield "session", error.session_id
    if error.retry_after_ms is not None:
        yield "wait", f"{error.retry_after_ms} ms before the next attempt"
    yield "reason", error.reason.name
