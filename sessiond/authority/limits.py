"""
The limits of the fields of requests, as the proto files document them.

Rule 1: a request is checked as a whole, so its caller hears of every fault at once.
Rule 2: what is evidence and never judged (the user agent) is made to fit; everything else is refused.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from sessiond.errors import InvalidRequestError
from sessiond.ids import parse_session_id
from sessiond.token.claims import RESERVED_CLAIMS, check_json_object
from sessiond.token.requirements import Requirements
from sessiond.token.verdicts import MAX_BATCH_TOKENS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiond.authority.login import Device
    from sessiond.token.requirements import RequiredClaim

TENANT_BYTES = 63
SUBJECT_BYTES = 255
CLIENT_ID_BYTES = 255
AUDIENCE_BYTES = 255
NOTE_BYTES = 255
LABEL_BYTES = 64
USER_AGENT_BYTES = 64
REQUEST_ID_LENGTH = 64
ETAG_LENGTH = 64
RETRY_KEY_BYTES = range(16, 65)
MIN_SESSION_SECONDS = 60
MIN_ACCESS_SECONDS = 10
DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000

_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PRINTABLE_ASCII = re.compile(r"[ -~]*")
_KEY_ID = re.compile(r"[0-9a-f]{16}")


class Checker:
    """
    Collects what is wrong with one request.

    Each method checks one field, named by its path in the request. Call
    :meth:`finish` before anything is done with the values.
    """

    def __init__(self) -> None:
        """Start with a request that has no faults."""
        self._violations: list[tuple[str, str]] = []

    def refuse(self, field: str, text: str) -> None:
        """Note that *field* is wrong; *text* says what would be right."""
        self._violations.append((field, text))

    def finish(self) -> None:
        """
        Accept the request.

        Raises:
            InvalidRequestError: A field was refused; the error names each.

        """
        if self._violations:
            raise InvalidRequestError(*self._violations)

    def text(self, field: str, value: str, max_bytes: int, *, required: bool = False) -> None:
        """Allow up to *max_bytes* of UTF-8 without control characters; nothing at all unless *required*."""
        size = _utf8_size(value)
        if size is None:
            self.refuse(field, "must be Unicode text, without lone surrogates")
        elif size > max_bytes:
            self.refuse(field, f"has {size} bytes, {max_bytes} are allowed")
        elif required and not value:
            self.refuse(field, f"is required: 1 to {max_bytes} bytes")
        elif _CONTROL_CHARACTER.search(value):
            self.refuse(field, "must not hold control characters")

    def tenant(self, field: str, value: str, *, required: bool = False) -> None:
        """Allow a tenant."""
        self.text(field, value, TENANT_BYTES, required=required)

    def request_id(self, value: str) -> None:
        """Allow the name of an attempt, or none."""
        if len(value) > REQUEST_ID_LENGTH or not _PRINTABLE_ASCII.fullmatch(value):
            self.refuse("request_id", f"must be 1 to {REQUEST_ID_LENGTH} printable ASCII characters")

    def retry_key(self, value: bytes) -> None:
        """Allow the key of a holder's retries, or none."""
        if value and len(value) not in RETRY_KEY_BYTES:
            allowed = f"{RETRY_KEY_BYTES.start} to {RETRY_KEY_BYTES.stop - 1}"
            self.refuse("retry_key", f"has {len(value)} bytes, must have {allowed}")

    def claims(self, field: str, value: str) -> None:
        """Allow the application's claims, or none."""
        self._json(field, value, RESERVED_CLAIMS)

    def data(self, field: str, value: str) -> None:
        """Allow server-side data, or none."""
        self._json(field, value, frozenset())

    def required_claims(self, required: Sequence[RequiredClaim]) -> Requirements:
        """Allow claims that a caller requires, and give what they come to."""
        try:
            return Requirements(required)
        except InvalidRequestError as error:
            self._violations += error.violations
            return Requirements()

    def lifetime(self, field: str, seconds: int | None, least: int, greatest: int) -> None:
        """Allow *least* to *greatest* seconds, or the configured lifetime (None)."""
        if seconds is not None and not least <= seconds <= greatest:
            self.refuse(field, f"is {seconds} s, must be {least} to {greatest} s")

    def device(self, device: Device) -> tuple[bytes, str]:
        """Allow a device, and give address (4 or 16 bytes, b"" for none) and user agent as records keep them."""
        self.text("device.label", device.label, LABEL_BYTES)
        return self._ip("device.ip", device.ip), fitting_user_agent(device.user_agent)

    def batch(self, field: str, size: int) -> None:
        """Allow a number of tokens that are judged at once."""
        if not 1 <= size <= MAX_BATCH_TOKENS:
            self.refuse(field, f"has {size} tokens, must have 1 to {MAX_BATCH_TOKENS}")

    def page_size(self, value: int) -> int:
        """Allow a page size, and give the one that is meant."""
        if not 0 <= value <= MAX_PAGE_SIZE:
            self.refuse("page_size", f"is {value}, must be 1 to {MAX_PAGE_SIZE}, or 0 for {DEFAULT_PAGE_SIZE}")
        return value or DEFAULT_PAGE_SIZE

    def session_id(self, field: str, value: str) -> bytes:
        """Allow the id of a session, and give its 16 bytes."""
        try:
            return parse_session_id(value)
        except ValueError as error:
            self.refuse(field, str(error))
            return b""

    def session_ids(self, field: str, values: Sequence[str], most: int) -> list[bytes]:
        """Allow a list of 1 to *most* ids, none of them twice, and give the 16 bytes of each."""
        if not 1 <= len(values) <= most:
            self.refuse(field, f"has {len(values)} ids, must have 1 to {most}")
            return []
        first_places: dict[bytes, int] = {}
        for place, value in enumerate(values):
            wanted = self.session_id(f"{field}[{place}]", value)
            first = first_places.setdefault(wanted, place)
            if wanted and first != place:
                self.refuse(f"{field}[{place}]", f"is that of {field}[{first}] once more")
        return list(first_places)

    def key_id(self, value: str) -> bytes:
        """Allow the id of a key, and give its 8 bytes."""
        if not _KEY_ID.fullmatch(value):
            self.refuse("key_id", "must be 16 lower-case hexadecimal digits")
            return b""
        return bytes.fromhex(value)

    def notes(self, reason: str, actor: str) -> None:
        """Allow why and on whose behalf something is done."""
        self.text("reason", reason, NOTE_BYTES)
        self.text("actor", actor, NOTE_BYTES)

    def _json(self, field: str, value: str, reserved: frozenset[str]) -> None:
        if value:
            try:
                check_json_object(value, reserved=reserved)
            except ValueError as error:
                self.refuse(field, str(error))

    def _ip(self, field: str, value: str) -> bytes:
        if not value:
            return b""
        try:
            return ipaddress.ip_address(value).packed
        except ValueError:
            self.refuse(field, "must be an IPv4 or IPv6 address in text form")
            return b""


def fitting_user_agent(text: str) -> str:
    """Cut a user agent to whole characters of at most 64 bytes; what no log line should hold becomes a space."""
    printable = _CONTROL_CHARACTER.sub(" ", text)
    return printable.encode(errors="replace")[:USER_AGENT_BYTES].decode(errors="ignore")


def _utf8_size(value: str) -> int | None:
    try:
        return len(value.encode())
    except UnicodeEncodeError:
        return None
