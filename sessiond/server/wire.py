"""From the bytes of a request to a message, and what to say when they are not one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from sessiond.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor

M = TypeVar("M", bound=Message)

WHOLE_REQUEST = "request"

_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10

_MAX_FIELDS = 1_100
"""
Fields that are looked at to find one to blame: as many as a batch of tokens has. Each costs a microsecond or two, and
64 KiB can hold 32,768.
"""


def parse(kind: type[M], payload: bytes, max_bytes: int) -> M:
    """
    Read one message of *kind*.

    Nothing that is too long is parsed: a megabyte can become a hundred in memory.

    Raises:
        InvalidRequestError: *payload* is longer than *max_bytes*, or no such message.
            The field that is to blame is named where one is found.

    """
    descriptor = cast("Descriptor", kind.DESCRIPTOR)
    if len(payload) > max_bytes:
        text = f"the whole request has {len(payload):,} bytes; at most {max_bytes:,} are allowed"
        raise InvalidRequestError((_largest_field(descriptor, payload), text))
    try:
        return kind.FromString(payload)
    except DecodeError:
        field = _field_not_utf8(descriptor, payload, iter(range(_MAX_FIELDS)))
        if field is None:
            text = f"the bytes are not a {kind.DESCRIPTOR.full_name} in protobuf encoding"
            raise InvalidRequestError((WHOLE_REQUEST, text)) from None
        raise InvalidRequestError((field, "not valid UTF-8, which every string must be")) from None


def _largest_field(descriptor: Descriptor, payload: bytes) -> str:
    """Find the field that fills a long message."""
    sizes = {WHOLE_REQUEST: 0}
    for number, value in _fields(payload, iter(range(_MAX_FIELDS))):
        field = descriptor.fields_by_number.get(number)
        if field is not None:
            sizes[field.name] = sizes.get(field.name, 0) + len(value)
    return max(sizes, key=lambda name: sizes[name])


def _field_not_utf8(descriptor: Descriptor, payload: bytes, steps: Iterator[int]) -> str | None:
    """Find the path of the first string field that is not UTF-8; None where there is none within so many *steps*."""
    places: dict[int, int] = {}
    for number, value in _fields(payload, steps):
        field = descriptor.fields_by_number.get(number)
        if field is None:
            continue
        place = places[number] = places.get(number, -1) + 1
        path = f"{field.name}[{place}]" if field.is_repeated else field.name
        if field.type == FieldDescriptor.TYPE_MESSAGE and field.message_type is not None:
            inner = _field_not_utf8(field.message_type, value, steps)
            if inner is not None:
                return f"{path}.{inner}"
        elif field.type == FieldDescriptor.TYPE_STRING and not _is_utf8(value):
            return path
    return None


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _fields(payload: bytes, steps: Iterator[int]) -> Iterator[tuple[int, bytes]]:
    """
    Give number and value of each length-delimited field of a message.

    Every field takes one of the *steps*. The last is the one before they are used up, or before the encoding breaks.
    """
    position = 0
    while position < len(payload) and next(steps, None) is not None:
        tag = _varint(payload, position)
        if tag is None:
            return
        number, wire_type, position = tag[0] >> 3, tag[0] & 7, tag[1]
        if wire_type == _LENGTH_DELIMITED:
            length = _varint(payload, position)
            if length is None or length[1] + length[0] > len(payload):
                return
            position = length[1] + length[0]
            yield number, payload[length[1] : position]
        elif wire_type == _VARINT:
            value = _varint(payload, position)
            if value is None:
                return
            position = value[1]
        elif wire_type in {_FIXED64, _FIXED32}:
            position += 8 if wire_type == _FIXED64 else 4
        else:
            return


def _varint(payload: bytes, position: int) -> tuple[int, int] | None:
    """Read a base-128 number at *position*; give it and the position after it, None where there is none."""
    value = 0
    for shift, byte in enumerate(payload[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, position + shift + 1
    return None
