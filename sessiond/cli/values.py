"""What machines read: the results of calls as JSON values."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import json
from typing import Any

from sessiond.errors import InvalidRequestError, SessiondError, SessionEndedError, TokenRefusedError

_INSTANTS = frozenset({"refresh_after", "access_token_expires_at", "refresh_token_expires_at"})
_OWN = frozenset({"received_ms"})


def instant(seconds: float) -> str:
    """Spell an instant by RFC 3339, in UTC; milliseconds only where there are some."""
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def json_value(result: object) -> Any:  # noqa: ANN401 - any JSON value
    """Give a result of the client as JSON values: instants by RFC 3339, enums by name, bytes as base64url."""
    if dataclasses.is_dataclass(result):
        pairs = (_member(one.name, getattr(result, one.name)) for one in dataclasses.fields(result))
        return dict(pair for pair in pairs if pair is not None)
    if isinstance(result, enum.Enum):
        return result.name
    if isinstance(result, bytes):
        return base64.urlsafe_b64encode(result).rstrip(b"=").decode("ascii")
    if isinstance(result, (list, tuple)):
        return [json_value(one) for one in result]
    return result


def _member(name: str, value: object) -> tuple[str, Any] | None:
    if name in _OWN:
        return None
    if name == "server_ms" and isinstance(value, int):
        return "server_time", instant(value / 1000)
    if (name.endswith("_at") or name in _INSTANTS) and isinstance(value, int):
        return name, instant(value)
    if name.endswith("_json") and isinstance(value, str):
        return name.removesuffix("_json"), _read(value) if value else {}
    return name, json_value(value)


def _read(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON, and give the text itself where it is none: what a token says that nobody signed can be anything."""
    try:
        value = json.loads(text)
        # What goes in does not always go out: a number can be too large, brackets too deep, a surrogate alone.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return text
    return value


def error_value(error: SessiondError) -> dict[str, Any]:
    """Give a refusal as JSON values; what the authority did not say is left out."""
    said: dict[str, Any] = {"reason": error.reason.name}
    if isinstance(error, (TokenRefusedError, SessionEndedError)):
        said["cause"] = error.cause.name
    said |= {"advice": error.advice.name, "message": error.message}
    if isinstance(error, TokenRefusedError) and error.session_id is not None:
        said["session_id"] = error.session_id
    if isinstance(error, InvalidRequestError):
        said["fields"] = [{"field": field, "description": text} for field, text in error.violations]
    if error.retry_after_ms is not None:
        said["retry_after_ms"] = error.retry_after_ms
    if error.server_ms is not None:
        said["server_time"] = instant(error.server_ms / 1000)
    return {"error": said}
