"""
The log: one line per thing that happened, as JSON for machines or in columns for people.

Rule 1: a token never stands in the log. What names one is the session's id and :func:`fingerprint`.
Rule 2: an exception is logged with its traceback and without the values of local variables.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import sys
from typing import TYPE_CHECKING, Literal, TextIO, cast

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

FINGERPRINT_LENGTH = 8

_TOKEN = re.compile(r"sdr_[A-Za-z0-9_-]{16,}|eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*")


def fingerprint(token: str) -> str:
    """
    Name a token by 8 characters that tell nothing about it.

    The same token always has the same fingerprint, so that its traces can be found.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:FINGERPRINT_LENGTH]


def without_tokens(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """
    Replace whatever looks like a token by its fingerprint.

    A last net for the text of exceptions from elsewhere; our own lines hold no token in the first place.
    """
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _TOKEN.sub(lambda match: f"token:{fingerprint(match[0])}", value)
    return event


class _Output:
    """
    A stream that loses a line rather than raise.

    A full disk or a closed pipe behind the log must not fail the calls that are logged.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to *stream*."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write *text*, or lose it."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written, or lose it."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def configure(style: Literal["json", "console"], level: str, stream: TextIO | None = None) -> None:
    """
    Send every line, those of libraries too, to *stream* (stderr) in *style* from *level* upwards.

    Call it once, at the start of the process.
    """
    target = sys.stderr if stream is None else stream
    output = cast("TextIO", _Output(target))
    severity = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        without_tokens,
    ]
    renderer: Processor
    if style == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(severity),
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(severity, logging.WARNING))
