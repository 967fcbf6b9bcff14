"""The ways to ask for an answer: every entry point of the extension, and PyNaCl, which they must all agree with."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import NamedTuple

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from sessiond._fastverify import KeyTable, verify_signature

VECTORS = Path(__file__).parents[1] / "vectors"


class Case(NamedTuple):
    """A signature to be judged, and where it comes from."""

    origin: str
    public_key: bytes
    message: bytes
    signature: bytes


def published() -> list[tuple[Case, bool]]:
    """Read the published cases with their answers."""
    cases = json.loads((VECTORS / "ed25519_answers.json").read_text())["cases"]
    return [
        (
            Case(
                f"{one['suite']} {one['id']}",
                bytes.fromhex(one["pk"]),
                bytes.fromhex(one["msg"]),
                bytes.fromhex(one["sig"]),
            ),
            one["accept"],
        )
        for one in cases
    ]


@functools.lru_cache(maxsize=512)
def table(public_key: bytes) -> KeyTable | None:
    """Make the table of a key; None when it is refused."""
    try:
        return KeyTable(public_key)
    except ValueError:
        return None


def by_pynacl(case: Case) -> bool:
    """Ask PyNaCl."""
    try:
        VerifyKey(case.public_key).verify(case.message, case.signature)
    except (BadSignatureError, ValueError):  # ValueError: a wrong length
        return False
    return True


def by_once(case: Case) -> bool:
    """Ask the entry point for keys without a table."""
    return verify_signature(case.public_key, case.message, case.signature)


def by_table(case: Case) -> bool:
    """Ask the table of the key."""
    found = table(case.public_key)
    return found is not None and found.verify(case.message, case.signature)


def by_batches(cases: list[Case]) -> list[bool]:
    """Ask for all cases of a key in one batch; the answers come in the order of the cases."""
    places: dict[bytes, list[int]] = {}
    for place, case in enumerate(cases):
        places.setdefault(case.public_key, []).append(place)
    answers = [False] * len(cases)
    for public_key, of_key in places.items():
        found = table(public_key)
        if found is not None:
            batch = found.verify_batch([(cases[place].message, cases[place].signature) for place in of_key])
            for place, good in zip(of_key, batch, strict=True):
                answers[place] = bool(good)
    return answers
