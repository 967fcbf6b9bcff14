"""The vectors: what every verifier of these tokens has to say, through the public API."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

import pytest

from sessiond.errors import Cause, InvalidAccessToken, InvalidRefreshToken
from sessiond.ids import parse_session_id, session_id_text
from sessiond.token.claims import access_expires_at
from sessiond.token.inspect import inspect
from sessiond.token.keyset import VerificationKey, cose_key_set, jwks, key_id
from sessiond.token.sign import access_token_length
from sessiond.token.verify import AccessVerifier, RefreshVerifier, VerifiedAccessToken, VerifiedRefreshToken
from tests.property.plain_verifier import Key, judge_access, judge_refresh
from tests.vectors.make_token_vectors import FILES, HERE, render
from tests.vectors.token_samples import ACCESS_CLAIMS

Json = dict[str, Any]

REFRESH: Json = json.loads((HERE / "refresh_v1.json").read_text())
ACCESS: Json = json.loads((HERE / "access_v1.json").read_text())


def keys(file: Json) -> list[VerificationKey]:
    """Read the keyset of a file."""
    return [
        VerificationKey(bytes.fromhex(key["public_key"]), key["format"], key["state"] == "REVOKED")
        for key in file["keyset"]
    ]


def fields(token: VerifiedRefreshToken | VerifiedAccessToken) -> Json:
    """Spell the fields of a token as the files do."""
    said: Json = {
        "key_id": token.key_id.hex(),
        "session_id": session_id_text(token.session_id),
        "generation": token.generation,
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
    }
    if isinstance(token, VerifiedAccessToken):
        said |= {
            "tenant_hash": token.tenant_hash.hex(),
            "subject_hash": token.subject_hash.hex(),
            "born": str(token.born),
            "issuer": token.issuer,
            "audience": token.audience,
            "subject": token.subject,
            "client_id": token.client_id,
            "tenant": token.tenant,
            "claims_json": token.claims_json,
        }
    return said


@pytest.mark.parametrize("name", sorted(FILES))
def test_vectors_can_be_made_again(name: str) -> None:
    """The generator gives the bytes of the file."""
    assert (HERE / name).read_text() == render(FILES[name]())


@pytest.mark.parametrize("vector", REFRESH["vectors"], ids=lambda vector: vector["name"])
def test_refresh_vectors(vector: Json) -> None:
    """A refresh token of the vectors has the fields or the cause that stand beside it."""
    verifier = RefreshVerifier(keys(REFRESH))

    try:
        said: Json = {"fields": fields(verifier.verify(vector["token"], now=vector["now"]))}
    except InvalidRefreshToken as error:
        said = {"cause": error.cause.name}

    assert vector["expected"] == said


@pytest.mark.parametrize("vector", ACCESS["vectors"], ids=lambda vector: vector["name"])
def test_access_vectors(vector: Json) -> None:
    """An access token of the vectors has the fields or the cause that stand beside it."""
    verifier = AccessVerifier(keys(ACCESS), vector["issuer"])

    try:
        token = verifier.verify(
            vector["token"], audience=vector["audience"], now=vector["now"], leeway=vector["leeway"]
        )
        said: Json = {"fields": fields(token)}
    except InvalidAccessToken as error:
        said = {"cause": error.cause.name}

    assert vector["expected"] == said


def plain_keys(file: Json) -> dict[bytes, Key]:
    """Read the keyset of a file for the plain verifier, which knows format 1 alone."""
    return {
        bytes.fromhex(key["key_id"]): Key(bytes.fromhex(key["public_key"]), key["state"] == "REVOKED")
        for key in file["keyset"]
        if key["format"] == 1
    }


@pytest.mark.parametrize("vector", REFRESH["vectors"] + ACCESS["vectors"], ids=lambda vector: vector["name"])
def test_a_plain_verifier_says_the_same(vector: Json) -> None:
    """The plain verifier, which uses nothing of ours, passes the vectors too."""
    now, asked = vector["now"], {name: vector[name] for name in ("issuer", "audience", "leeway") if name in vector}
    if asked:
        cause = judge_access(vector["token"], plain_keys(ACCESS), now=now, **asked)
    else:
        cause = judge_refresh(vector["token"], plain_keys(REFRESH), now=now)

    assert vector["expected"].get("cause", "GOOD") == cause


@pytest.mark.parametrize("vector", REFRESH["vectors"] + ACCESS["vectors"], ids=lambda vector: vector["name"])
def test_a_message_never_holds_a_token(vector: Json) -> None:
    """Whatever a refusal says, no twelve characters of the token stand in it."""
    refusals = []
    for verify in (
        lambda: RefreshVerifier(keys(REFRESH)).verify(vector["token"], now=vector["now"]),
        lambda: AccessVerifier(keys(ACCESS), "i").verify(vector["token"], audience="a", now=vector["now"], leeway=0),
    ):
        try:
            verify()
        except (InvalidRefreshToken, InvalidAccessToken) as error:
            refusals.append(str(error))
    pieces = {vector["token"][at : at + 12] for at in range(len(vector["token"]) - 11)}

    assert [] == [piece for piece in pieces for refusal in refusals if piece in refusal]


@pytest.mark.parametrize("vector", REFRESH["vectors"] + ACCESS["vectors"], ids=lambda vector: vector["name"])
def test_inspection_agrees_with_the_verifiers(vector: Json) -> None:
    """An inspection finds a fault in exactly those texts that are MALFORMED for the verifier of their kind."""
    malformed = vector["expected"].get("cause") == Cause.MALFORMED.name
    of_other_kind = vector["expected"].get("cause") == Cause.WRONG_TOKEN_KIND.name

    assert of_other_kind or malformed == (inspect(vector["token"]).fault is not None)


@pytest.mark.parametrize("file", [REFRESH, ACCESS], ids=["refresh", "access"])
def test_causes_are_covered(file: Json) -> None:
    """Each file has tokens that are accepted, and every cause that a token alone can have."""
    alone = {
        Cause.MALFORMED,
        Cause.WRONG_TOKEN_KIND,
        Cause.UNKNOWN_KEY,
        Cause.KEY_REVOKED,
        Cause.TAMPERED,
        Cause.NOT_YET_VALID,
        Cause.EXPIRED,
        Cause.WRONG_AUDIENCE,
    }
    possible = (InvalidRefreshToken if file is REFRESH else InvalidAccessToken).causes()
    found = {vector["expected"].get("cause") for vector in file["vectors"]}

    assert {None, *(cause.name for cause in alone & possible)} == found


@pytest.mark.parametrize("file", [REFRESH, ACCESS], ids=["refresh", "access"])
def test_names_are_unique(file: Json) -> None:
    """A vector is found by its name."""
    names = [vector["name"] for vector in file["vectors"]]

    assert sorted(set(names)) == sorted(names)


def test_the_reference_token_has_640_characters() -> None:
    """The reference access token of the benchmarks has exactly 640 characters."""
    reference = ACCESS["vectors"][0]

    assert ("the reference token: 640 characters", 640) == (reference["name"], len(reference["token"]))
    assert 640 == access_token_length(ACCESS_CLAIMS)


def test_key_ids_are_those_of_the_public_keys() -> None:
    """The key ids of the files follow from the public keys."""
    for key in REFRESH["keyset"] + ACCESS["keyset"]:
        assert key["key_id"] == key_id(bytes.fromhex(key["public_key"])).hex()


def test_published_keys() -> None:
    """Keys are published as the file says, in both forms."""
    good = [key for key in ACCESS["keyset"] if key["state"] != "REVOKED" and key["format"] == 1]
    public_keys = [bytes.fromhex(key["public_key"]) for key in good]

    assert ACCESS["published"]["jwks"] == json.loads(jwks(public_keys))
    assert ACCESS["published"]["cose_key_set"] == cose_key_set(public_keys).hex()


@pytest.mark.parametrize("life", ACCESS["lifetimes"])
def test_lifetimes(life: Json) -> None:
    """An access token dies when the file says, which is when the formula of the paper says."""
    jti = parse_session_id(life["session_id"]) + struct.pack(">II", life["generation"], life["issued_at"])
    jitter = int(hashlib.sha256(jti).hexdigest()[:16], 16) % (life["access_seconds"] * 5 // 100 + 1)

    assert life["expires_at"] == min(life["issued_at"] + life["access_seconds"] - jitter, life["session_ends_at"])
    assert life["expires_at"] == access_expires_at(
        life["issued_at"],
        life["access_seconds"],
        parse_session_id(life["session_id"]),
        life["generation"],
        life["session_ends_at"],
    )
