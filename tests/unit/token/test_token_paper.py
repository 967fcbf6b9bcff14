"""docs/token-format.md is true: its examples are the vectors, its numbers are those of the code."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from sessiond.ids import session_id_text
from sessiond.token import claims as limits
from sessiond.token import format as layout
from sessiond.token.keyset import cose_key_set, key_id
from tests.vectors.make_token_vectors import HERE
from tests.vectors.token_samples import ACCESS_CLAIMS, ACCESS_KEY, ACCESS_SECONDS, REFRESH_KEY

PAPER = (Path(__file__).parents[3] / "docs" / "token-format.md").read_text()
REFRESH_TOKEN = json.loads((HERE / "refresh_v1.json").read_text())["vectors"][0]["token"]
ACCESS_TOKEN = json.loads((HERE / "access_v1.json").read_text())["vectors"][0]["token"]


def blocks(heading: str) -> list[str]:
    """Read the blocks of code below a heading, up to the next one."""
    section = re.split(r"\n##+ ", PAPER.partition(f"\n{heading}\n")[2])[0]
    return re.findall(r"^```text\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def joined(block: str) -> str:
    """Take the white space out of a block."""
    return "".join(block.split())


def listed(block: str) -> dict[str, str]:
    """Read a block of names and values."""
    return {line[:13].strip(): line[13:] for line in block.splitlines()}


def test_the_worked_refresh_token() -> None:
    """Fields, bytes, signed bytes and text of the worked refresh token are those of the vector."""
    fields, dump, signed, text = blocks("### A refresh token, worked")
    data = base64.urlsafe_b64decode(REFRESH_TOKEN[4:])
    said = listed(fields)
    rows = re.findall(r"^ *(\d+)  (.*(?:\n {10}.*)*)", dump, re.MULTILINE)

    assert REFRESH_TOKEN == joined(text)
    assert data.hex() == "".join(joined(row) for _, row in rows)
    for offset, row in rows:
        assert data[int(offset) :].hex().startswith(joined(row))
    assert layout.refresh_signature_input(data[8:16], data[19:54]).hex() == joined(signed)
    content = layout.read_refresh(REFRESH_TOKEN)
    assert {
        "public key": REFRESH_KEY.public_key.hex(),
        "key id": content.key_id.hex(),
        "session id": session_id_text(content.session_id),
        "generation": str(content.generation),
        "iat": str(content.issued_at),
        "exp": str(content.expires_at),
    } == said


def test_the_worked_access_token() -> None:
    """Values, header, payload and text of the worked access token are those of the vector."""
    values, header, payload, text = blocks("### An access token, worked")
    parts = ACCESS_TOKEN.split(".")
    written = [layout.decode_base64url(part) for part in parts[:2]]
    members = json.loads(written[1])
    jti, rev = (layout.decode_base64url(members[name]) for name in ("jti", "rev"))
    digest = hashlib.sha256(jti).hexdigest()
    said = listed(values)

    assert ACCESS_TOKEN == joined(text)
    assert written == [header.strip().encode(), payload.replace("\n", "").encode()]
    assert {
        "public key": ACCESS_KEY.public_key.hex(),
        "key id": ACCESS_KEY.key_id.hex(),
        "SHA-256": digest,
        "jitter": f"0x{digest[:16]} mod 16 = {int(digest[:16], 16) % 16}",
    }.items() <= said.items()
    assert (jti.hex(), rev.hex()) == (joined(said["jti"]), joined(said["rev"]))
    assert members["iat"] + ACCESS_SECONDS - int(digest[:16], 16) % 16 == members["exp"]


def test_the_template_of_a_refresh_token() -> None:
    """The table of the refresh token leaves no byte out, and its constant bytes are those of a token."""
    data = base64.urlsafe_b64decode(REFRESH_TOKEN[4:])
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (.*?) \|", PAPER, re.MULTILINE)
    ends = [int(offset) + int(length) for offset, length, _ in rows]

    assert [int(offset) for offset, _, _ in rows] == [0, *ends[:-1]]
    assert layout.REFRESH_SIZE == ends[-1]
    for offset, length, what in rows:
        if what.startswith("`"):
            assert data[int(offset) :][: int(length)] == bytes.fromhex(what.strip("`"))


def test_the_order_of_the_members() -> None:
    """The table of the payload has the members in the order in which they are written."""
    named = re.findall(r'^\| `[{,]"(\w+)":', PAPER, re.MULTILINE)
    payload = layout.decode_base64url(ACCESS_TOKEN.split(".")[1])

    assert named == list(json.loads(payload))[: len(named)]
    assert 10 == len(named)
    assert 116 == payload.index(b',"iss"')


def test_key_ids_and_published_keys() -> None:
    """The bytes that the page gives for key ids and for published keys are the ones in use."""
    thumbprint = re.search(r"SHA-256\( ([0-9a-f ]+) \| public key", PAPER)
    entry = re.search(r"`([0-9a-f ]+)<key id, 8>([0-9a-f ]+)<public key, 32>`", PAPER)
    assert thumbprint is not None
    assert entry is not None
    key = ACCESS_KEY.public_key

    assert key_id(key) == hashlib.sha256(bytes.fromhex(thumbprint[1]) + key).digest()[:8]
    assert cose_key_set([key])[1:] == bytes.fromhex(entry[1]) + key_id(key) + bytes.fromhex(entry[2]) + key


def test_reserved_names() -> None:
    """The page lists the names that no application may use."""
    assert [" ".join(sorted(limits.RESERVED_CLAIMS))] == [
        block.strip() for block in blocks("## Access token") if "token_use" in block
    ]


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("refresh token", f"{layout.REFRESH_LENGTH} characters, always"),
        ("access token", f"{layout.ACCESS_MAX_LENGTH:,} characters"),
        (
            "the application's claims",
            f"{limits.MAX_CLAIMS_BYTES:,} bytes of JSON, nested at most {limits.MAX_DEPTH} deep",
        ),
        ("key id", f"{layout.KEY_ID_SIZE} bytes"),
    ],
)
def test_limits(what: str, limit: str) -> None:
    """The limits of the page are those of the code."""
    assert f"| {what} | {limit} |" in PAPER


def test_the_ranges_of_instants() -> None:
    """The page names the first and the last instant of each kind."""
    assert f"{layout.REFRESH_INSTANTS.start:,}" in PAPER
    assert f"from {layout.ACCESS_INSTANTS.start} to {layout.ACCESS_INSTANTS.stop - 1}" in PAPER
    assert ACCESS_CLAIMS.expires_at in layout.ACCESS_INSTANTS
