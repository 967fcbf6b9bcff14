"""The log: what a line looks like, and what never stands in one."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from sessiond.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

REFRESH_TOKEN = "sdr_" + "Ab-_" * 40
ACCESS_TOKEN = f"eyJ{'hbGci' * 5}.eyJ{'leHAi' * 20}.{'c2ln' * 20}"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def line(stream: io.StringIO) -> dict[str, Any]:
    """Read the one line of the log."""
    (only,) = stream.getvalue().splitlines()
    read: dict[str, Any] = json.loads(only)
    return read


def test_line_is_json_with_time_and_severity() -> None:
    """For machines a line is one JSON object that says what, how severe, and when in UTC."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    structlog.get_logger().info("serving", grpc="127.0.0.1:1")
    read = line(stream)
    assert read.pop("timestamp").endswith("Z")
    assert {"event": "serving", "level": "info", "grpc": "127.0.0.1:1"} == read


def test_line_for_people_names_its_fields() -> None:
    """For people a line has its fields as name=value, without colours where nobody sees them."""
    stream = io.StringIO()
    logs.configure("console", "info", stream)
    structlog.get_logger().info("serving", grpc="127.0.0.1:1")
    assert "serving" in stream.getvalue()
    assert "grpc=127.0.0.1:1" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_less_severe_lines_are_left_out() -> None:
    """Below the level nothing is written; of libraries nothing below a warning."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    structlog.get_logger().debug("refused")
    logging.getLogger("uvicorn").info("Started server process")
    logging.getLogger("uvicorn").warning("Invalid HTTP request received.")
    assert ("Invalid HTTP request received.", "warning") == (line(stream)["event"], line(stream)["level"])


@pytest.mark.parametrize("token", [REFRESH_TOKEN, ACCESS_TOKEN, ACCESS_TOKEN.rpartition(".")[0]])
@pytest.mark.parametrize("style", ["json", "console"])
def test_tokens_are_replaced_by_their_fingerprints(style: Any, token: str) -> None:
    """A token in any text of a line, of an exception too, is replaced by its fingerprint."""
    stream = io.StringIO()
    logs.configure(style, "info", stream)
    try:
        raise ValueError("cannot read " + token)  # noqa: TRY301 - the text of an exception from elsewhere
    except ValueError:
        structlog.get_logger().exception("fault", text=f"Bearer {token}")
        logging.getLogger("grpc").exception("it was %s", token)
    assert stream.getvalue().count(f"token:{logs.fingerprint(token)}") == 4
    assert token[8:24] not in stream.getvalue()


def test_exception_shows_no_local_variables() -> None:
    """A traceback tells where, and not what the variables held."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    secret = "5e" * 32
    try:
        _ = len(secret) / 0
    except ZeroDivisionError:
        structlog.get_logger().exception("fault")
    assert "ZeroDivisionError: division by zero" in line(stream)["exception"]
    assert secret not in stream.getvalue()


class FullDisk(io.StringIO):
    """A log file whose disk is full."""

    def write(self, _text: str) -> int:
        """Refuse."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_log_that_cannot_be_written_fails_no_call() -> None:
    """A full disk or a closed pipe behind the log loses lines, and raises nothing."""
    closed = io.StringIO()
    closed.close()
    for stream in (FullDisk(), closed):
        logs.configure("json", "info", stream)
        structlog.get_logger().info("lost")
        logging.getLogger("grpc").warning("lost too")


def test_fingerprint_is_short_and_the_same_each_time() -> None:
    """A fingerprint has 8 characters that tell nothing of the token, whatever characters that has."""
    prints = {logs.fingerprint(REFRESH_TOKEN), logs.fingerprint(REFRESH_TOKEN), logs.fingerprint("\ud800")}
    assert len(prints) == 2
    assert {8} == {len(one) for one in prints}
