"""BatchVerify and required claims over the wire: the same verdicts as Verify, in columns."""

from __future__ import annotations

import random
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from sessiond.errors import Cause
from sessiond.ids import parse_session_id
from sessiond.v1 import key_service_pb2
from sessiond.v1 import verification_service_pb2 as pb
from tests.rpc.answers import Answer, answer, invalid
from tests.rpc.world import World, world

ADMIN = {"name": "roles", "contains_json": '"admin"'}
PRO = {"name": "plan", "equals_json": '"pro"'}


def batch(here: World, tokens: list[str], **fields: Any) -> pb.BatchVerifyResponse:
    """Judge tokens at once."""
    reply: pb.BatchVerifyResponse = here.verification.BatchVerify(pb.BatchVerifyRequest(access_tokens=tokens, **fields))
    return reply


def alone(here: World, token: str, **fields: Any) -> tuple[int, pb.VerifyResponse | None]:
    """Judge one token by itself, and spell what comes of it as a batch does."""
    try:
        return 0, here.verify(token, **fields)
    except grpc.RpcError as error:
        trailing: dict[str, str] = dict(error.trailing_metadata())  # type: ignore[arg-type]
        if trailing["sessiond-reason"] == "CLAIMS_NOT_MET":
            return 255, None
        return Cause[trailing["sessiond-cause"]], None


def samples(here: World) -> list[str]:
    """Give tokens of many causes."""
    first = here.login()
    keys = here.keys.GetKeyset(key_service_pb2.GetKeysetRequest(purpose="KEY_PURPOSE_ACCESS")).keys
    here.keys.RevokeKey(key_service_pb2.RevokeKeyRequest(key_id=keys[0].key_id))
    expired = here.login(access_token_lifetime={"seconds": 10})
    here.clock.advance(10)
    ended = [here.login(), here.login(tenant="other")]
    for one in ended:
        here.revoke(one.session_id)
    good = [here.login(claims_json='{"roles":["admin"]}'), here.login(tenant="other", client_id="web"), here.login()]
    of_another_audience = here.login(audience="billing")
    with world() as other:
        stranger = other.login()
    issued = [first, expired, *ended, *good, of_another_audience, stranger]
    forged = good[0].access_token[:-30] + "A" * 30
    return [one.access_token for one in issued] + [forged, good[0].refresh_token, "", "x" * 4097]


@pytest.mark.parametrize(
    "fields",
    [{}, {"tenant": "acme"}, {"tenant": "other", "audience": "billing"}, {"required_claims": [ADMIN]}],
    ids=["nothing", "tenant", "audience", "claims"],
)
def test_batch_over_the_wire_says_what_verify_says(here: World, fields: dict[str, Any]) -> None:
    """In any order and number each token has the verdict, the fields and the texts that Verify gives it alone."""
    judged = {token: alone(here, token, **fields) for token in samples(here)}
    tokens = random.choices(list(judged), k=200)  # noqa: S311
    reply = batch(here, tokens, with_texts=True, **fields)
    expected = [judged[token] for token in tokens]
    nothing = pb.VerifyResponse()
    said = [one or nothing for _, one in expected]
    assert [verdict for verdict, _ in expected] == list(reply.verdicts)
    for column, name in (("tenants", "tenant"), ("subjects", "subject"), ("client_ids", "client_id")):
        assert [getattr(one, name) for one in said] == list(getattr(reply, column))
    assert [one.claims_json for one in said] == list(reply.claims_json)
    assert [one.generation for one in said] == list(reply.generations)
    assert [one.issued_at.seconds for one in said] == list(reply.issued_at)
    assert [one.expires_at.seconds for one in said] == list(reply.expires_at)
    ids = [parse_session_id(one.session_id) if one.session_id else bytes(16) for one in said]
    assert b"".join(ids) == reply.session_ids
    assert here.store.revision() == reply.revision
    assert [place for place, verdict in enumerate(reply.verdicts) if verdict == 255] == [
        one.token_place for one in reply.failed_claims
    ]


def test_texts_are_left_out(here: World) -> None:
    """Without with_texts the columns of texts are empty."""
    reply = batch(here, [here.login().access_token])
    columns = (reply.tenants, reply.subjects, reply.client_ids, reply.claims_json)
    assert [0, 0, 0, 0] == [len(column) for column in columns]


def test_revocation_that_was_acknowledged(here: World) -> None:
    """A batch that begins after a revocation was acknowledged refuses its session, at the revision it came with."""
    one, other = here.login(), here.login()
    tokens = [one.access_token, other.access_token]
    assert bytes(2) == batch(here, tokens).verdicts
    revision = here.revoke(one.session_id).revision
    reply = batch(here, tokens, min_revision=revision)
    assert ([Cause.REVOKED, 0], revision) == (list(reply.verdicts), reply.revision)
    ahead = pb.BatchVerifyRequest(access_tokens=tokens, min_revision=revision + 1)
    expected = Answer("UNAVAILABLE", "STORE_UNAVAILABLE", "", "KEEP_CURRENT_TOKENS")
    assert expected == answer(here.verification.BatchVerify, ahead)


def test_longest_batch(here: World) -> None:
    """1,024 tokens of 4,096 characters, with 16 required claims at their limits, are within the limit of a request."""
    token = here.login(claims_json='{"a":"' + "x" * 2040 + '"}', subject="s" * 255).access_token
    required = [{"name": "n" * 255, "equals_json": f'"{"v" * 253}"'}] * 16
    tokens = [token, *["x" * 4096] * 1023]
    reply = batch(here, tokens, with_texts=True, required_claims=required, tenant="acme")
    assert [255, *[Cause.MALFORMED] * 1023] == list(reply.verdicts)
    assert list(range(16)) == list(reply.failed_claims[0].required_claim_places)
    whole = batch(here, [token] * 1024, with_texts=True)
    assert (bytes(1024), ["s" * 255] * 1024) == (whole.verdicts, list(whole.subjects))


def test_failed_claims_over_the_wire(here: World) -> None:
    """Each required claim that fails is a violation of its own, under its name, and PERMISSION_DENIED as a whole."""
    token = here.login(claims_json='{"plan":"free","roles":[]}').access_token
    with pytest.raises(grpc.RpcError) as caught:
        here.verify(token, required_claims=[PRO, ADMIN, {"name": "auth_time", "max_age": {"seconds": 60}}])
    assert grpc.StatusCode.PERMISSION_DENIED is caught.value.code()
    failure = error_details_pb2.PreconditionFailure()
    assert rpc_status.from_call(caught.value).details[2].Unpack(failure)  # type: ignore[arg-type]
    assert [
        ("CLAIM", "plan", 'differs: it must equal "pro"'),
        ("CLAIM", "roles", 'does not hold it: it must hold "admin"'),
        ("CLAIM", "auth_time", "is missing: it must be at most 60 s old"),
    ] == [(one.type, one.subject, one.description) for one in failure.violations]


def test_every_failed_claim_fits_into_the_answer(here: World) -> None:
    """16 claims with the longest names and values, all of them failing, are all named."""
    token = here.login().access_token
    required = [{"name": f"{number:02}" + "é" * 126, "equals_json": f'"{"é" * 126}"'} for number in range(16)]
    with pytest.raises(grpc.RpcError) as caught:
        here.verify(token, required_claims=required)
    failure = error_details_pb2.PreconditionFailure()
    assert rpc_status.from_call(caught.value).details[2].Unpack(failure)  # type: ignore[arg-type]
    assert [f"{number:02}" + "é" * 59 for number in range(16)] == [one.subject for one in failure.violations]


BAD: list[tuple[str, str, Any, str]] = [
    (
        "access token of four megabytes",
        "Verify",
        pb.VerifyRequest(access_token="e" * 4_194_304),
        "access_token",
    ),
    (
        "claim required without a condition",
        "Verify",
        pb.VerifyRequest(access_token="x", required_claims=[{"name": "a"}]),
        "required_claims[0]",
    ),
    (
        "claim required of a fraction of a second",
        "Verify",
        pb.VerifyRequest(
            access_token="x", required_claims=[{"name": "a", "max_age": {}}, {"name": "a", "max_age": {"nanos": 1}}]
        ),
        "required_claims[1].max_age",
    ),
    ("batch of none", "BatchVerify", pb.BatchVerifyRequest(), "access_tokens"),
    (
        "batch of 1,025",
        "BatchVerify",
        pb.BatchVerifyRequest(access_tokens=["x"] * 1025),
        "access_tokens",
    ),
    (
        "batch of more bytes than 1,024 tokens can have",
        "BatchVerify",
        pb.BatchVerifyRequest(access_tokens=["x" * 4200] * 1024),
        "access_tokens",
    ),
    (
        "batch with a long audience",
        "BatchVerify",
        pb.BatchVerifyRequest(access_tokens=["x"], audience="a" * 256),
        "audience",
    ),
    (
        "batch with a tenant of NUL",
        "BatchVerify",
        pb.BatchVerifyRequest(access_tokens=["x"], tenant="\0"),
        "tenant",
    ),
    (
        "batch with 17 required claims",
        "BatchVerify",
        pb.BatchVerifyRequest(access_tokens=["x"], required_claims=[{"name": "a", "equals_json": "1"}] * 17),
        "required_claims",
    ),
    (
        "batch with a required claim that is no JSON",
        "BatchVerify",
        pb.BatchVerifyRequest(access_tokens=["x"], required_claims=[{"name": "a", "contains_json": "a"}]),
        "required_claims[0].contains_json",
    ),
]


@pytest.mark.parametrize(("method", "request_", "field"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_bad_batch(shared: World, method: str, request_: Any, field: str) -> None:
    """A request that breaks a limit is INVALID_ARGUMENT under the path of its field."""
    assert invalid(field) == answer(getattr(shared.verification, method), request_)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (b"\x0a\x00" * 1023 + b"\x0a\x01\xff", "access_tokens[1023]"),
        (b"\x2a\x00" * 3 + b"\x2a\x03\x12\x01\xff", "required_claims[3].equals_json"),
    ],
)
def test_batch_with_a_string_that_is_not_utf8(shared: World, payload: bytes, field: str) -> None:
    """A string that is not UTF-8 is named by its place, wherever it stands in a batch."""
    assert invalid(field) == answer(shared.raw("VerificationService/BatchVerify"), payload)
