"""
Read the comments of the contract: what stands above each enum value, field and RPC of ``proto/``.

The protos are formatted by buf, so that one declaration stands on one line and its comment right above it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PROTO = Path(__file__).parent.parent / "proto" / "sessiond" / "v1"

_OPENING = re.compile(r"(enum|message|service|oneof) (\w+) \{")
_VALUE = re.compile(r"(\w+) = (\d+);")
_FIELD = re.compile(r"(?:optional |repeated )?[\w.]+(?:<[\w., ]+>)? (\w+) = (\d+)(?: \[.*\])?;")
_RPC = re.compile(r"rpc (\w+)\(")


@dataclass(frozen=True)
class Declaration:
    """
    One declaration with its comment.

    ``kind`` is enum, message, service, oneof, value, field or rpc; ``owner`` is
    the enum, message, oneof or service around it; ``number`` is None where it has none.
    ``comment`` keeps its lines, without the slashes.
    """

    kind: str
    owner: str
    name: str
    number: int | None
    comment: tuple[str, ...]


def read_proto(path: Path) -> list[Declaration]:
    """List the declarations of one file in order."""
    found: list[Declaration] = []
    owners: list[tuple[str, str]] = []
    comment: list[str] = []
    for raw in path.read_text().splitlines():
        line = raw.strip()
        if line.startswith("//"):
            comment.append(line.removeprefix("//").removeprefix(" "))
            continue
        declaration = _declaration(line, owners[-1] if owners else ("", ""), tuple(comment))
        comment = []
        if declaration is not None:
            found.append(declaration)
        opening = _OPENING.match(line)
        if opening:
            owners.append((opening[1], opening[2]))
        elif line.endswith("{"):
            owners.append(("block", ""))
        if line.endswith("}"):
            owners.pop()
    return found


def read_contract() -> list[Declaration]:
    """List the declarations of every file of the contract."""
    return [declaration for path in sorted(PROTO.glob("*.proto")) for declaration in read_proto(path)]


def _declaration(line: str, owner: tuple[str, str], comment: tuple[str, ...]) -> Declaration | None:
    kind, name = owner
    if opening := _OPENING.match(line):
        return Declaration(opening[1], name, opening[2], None, comment)
    if kind == "service" and (rpc := _RPC.match(line)):
        return Declaration("rpc", name, rpc[1], None, comment)
    if kind == "enum" and (value := _VALUE.match(line)):
        return Declaration("value", name, value[1], int(value[2]), comment)
    if kind in {"message", "oneof"} and (field := _FIELD.match(line)):
        return Declaration("field", name, field[1], int(field[2]), comment)
    return None
