"""Batches and required claims through the client: what each token came to, asked for one by one."""

from __future__ import annotations

import grpc
import pytest

from sessiond.client import Client, RequiredClaim, UnexpectedAnswerError, VerifiedItem
from sessiond.client.batch import batch_of
from sessiond.errors import Advice, Cause, ClaimsNotMetError, InvalidAccessToken, InvalidRequestError
from sessiond.v1 import verification_service_pb2 as pb
from tests.client.strangers import refusing, serving
from tests.rpc.world import World

REQUIRED = (
    RequiredClaim("plan", equals_json='"pro"'),
    RequiredClaim("roles", contains_json='"admin"'),
    RequiredClaim("auth_time", max_age_seconds=300),
)


def test_item_has_what_verify_gives(client: Client) -> None:
    """A good token of a batch says what it says alone; its texts are there where they were asked for."""
    tokens = client.create_session("acme", "alice", client_id="web", claims={"plan": "pro"})
    alone = client.verify(tokens.access_token)
    batch = client.verify_batch([tokens.access_token], with_texts=True)
    item = batch[0]
    names = ("session_id", "tenant", "subject", "client_id", "generation", "issued_at", "expires_at", "claims_json")
    assert [getattr(alone, name) for name in names] == [getattr(item, name) for name in names]
    assert ({"plan": "pro"}, alone.revision) == (item.claims, batch.revision)
    bare = client.verify_batch([tokens.access_token])[0]
    assert (
        VerifiedItem(
            session_id=alone.session_id,
            generation=alone.generation,
            issued_at=alone.issued_at,
            expires_at=alone.expires_at,
        )
        == bare
    )
    with pytest.raises(ValueError, match="with_texts=True"):
        _ = bare.claims


def test_batch_raises_where_it_is_asked(client: Client) -> None:
    """A batch raises nothing before a token is asked for, and then what Verify would raise."""
    good, other = client.create_session("acme", "alice"), client.create_session("acme", "bob")
    revision = client.revoke_session(other.session_id).revision
    batch = client.verify_batch(
        [good.access_token, other.access_token, "x", good.refresh_token], min_revision=revision, tenant="acme"
    )
    assert (4, [0, Cause.REVOKED, Cause.MALFORMED, Cause.WRONG_TOKEN_KIND]) == (len(batch), list(batch.verdicts))
    assert [True, False, False, False] == [batch.is_good(place) for place in range(4)]
    assert "<VerifiedBatch of 4 tokens, 1 of them good>" == repr(batch)
    assert good.session_id == batch[-4].session_id
    for place, cause, advice in (
        (1, Cause.REVOKED, Advice.LOG_IN_AGAIN),
        (-2, Cause.MALFORMED, Advice.FIX_THE_CALLER),
        (3, Cause.WRONG_TOKEN_KIND, Advice.FIX_THE_CALLER),
    ):
        with pytest.raises(InvalidAccessToken, match=f"at place {place % 4} of the batch") as caught:
            _ = batch[place]
        assert (cause, advice) == (caught.value.cause, caught.value.advice)
    items = iter(batch)
    assert good.session_id == next(items).session_id
    with pytest.raises(InvalidAccessToken):
        next(items)
    for place in (4, -5):
        with pytest.raises(IndexError):
            _ = batch[place]


def test_iterating_over_a_good_batch(client: Client) -> None:
    """A batch of good tokens gives them in their order, and ends."""
    made = [client.create_session("acme", f"user {number}") for number in range(10)]
    batch = client.verify_batch([one.access_token for one in made], with_texts=True)
    assert [(one.session_id, f"user {number}") for number, one in enumerate(made)] == [
        (item.session_id, item.subject) for item in batch
    ]


def test_text_that_cannot_be_sent_is_malformed(client: Client) -> None:
    """Half a surrogate pair, other letters, or megabytes are MALFORMED alone, and spoil no other token of a batch."""
    good = client.create_session("acme", "alice").access_token
    strange = ["eyJ\ud800", "ü" * 100, "A" * 5_000_000, good + "A" * 4096]
    causes = []
    for text in strange:
        with pytest.raises(InvalidAccessToken) as caught:
            client.verify(text)
        causes.append(caught.value.cause)

    assert [Cause.MALFORMED] * 4 == causes
    assert [0, 1, 1, 1, 1, 0] == list(client.verify_batch([good, *strange, good]).verdicts)


def test_required_claims(client: Client, here: World) -> None:
    """Every condition goes over the wire; where all hold the token is accepted, alone and in a batch."""
    now = here.clock.wall_ms() // 1000
    claims = {"plan": "pro", "roles": ["user", "admin"], "auth_time": now - 300}
    token = client.create_session("acme", "alice", claims=claims).access_token
    assert claims == client.verify(token, required_claims=REQUIRED).claims
    assert client.verify_batch([token], required_claims=REQUIRED).is_good(0)


def test_each_failed_claim_is_named(client: Client) -> None:
    """Verify says what is wrong with each claim, a batch what was required of it; both keep the tokens."""
    token = client.create_session("acme", "alice", claims={"plan": "pro", "roles": []}).access_token
    with pytest.raises(ClaimsNotMetError) as alone:
        client.verify(token, required_claims=REQUIRED)
    assert (
        ("roles", 'does not hold it: it must hold "admin"'),
        ("auth_time", "is missing: it must be at most 300 s old"),
    ) == alone.value.failures
    batch = client.verify_batch([token, "x"], required_claims=REQUIRED)
    with pytest.raises(ClaimsNotMetError) as caught:
        _ = batch[0]
    assert (("roles", 'must hold "admin"'), ("auth_time", "must be at most 300 s old")) == caught.value.failures
    assert {Advice.KEEP_CURRENT_TOKENS} == {alone.value.advice, caught.value.advice}


def test_bad_requirement(client: Client) -> None:
    """What is no requirement is refused under its path."""
    with pytest.raises(InvalidRequestError) as caught:
        client.verify_batch(["x"], required_claims=[RequiredClaim("plan", equals_json="pro")])
    assert ["required_claims[0].equals_json"] == [field for field, _ in caught.value.violations]


def test_failure_whose_details_were_lost() -> None:
    """Where something on the way took the details off, the reason still stands and the message says the rest."""
    stranger = refusing(
        grpc.StatusCode.PERMISSION_DENIED,
        "CLAIMS_NOT_MET: the claim 'plan' differs",
        metadata=(("sessiond-reason", "CLAIMS_NOT_MET"), ("sessiond-advice", "KEEP_CURRENT_TOKENS")),
    )
    with serving(stranger) as address, Client(address) as client, pytest.raises(ClaimsNotMetError) as caught:
        client.verify("x", required_claims=REQUIRED)
    assert "the claim 'plan' differs" in str(caught.value)


COLUMNS = {
    "verdicts": bytes(2),
    "session_ids": bytes(32),
    "generations": [0, 0],
    "issued_at": [0, 0],
    "expires_at": [0, 0],
    "tenants": ["", ""],
    "subjects": ["", ""],
    "client_ids": ["", ""],
    "claims_json": ["{}", "{}"],
}


@pytest.mark.parametrize("column", COLUMNS)
def test_answer_whose_columns_do_not_fit(column: str) -> None:
    """An answer that has not one entry for each token in each column is not read."""
    whole = pb.BatchVerifyResponse(**COLUMNS)  # type: ignore[arg-type]
    assert 2 == len(batch_of(whole, 2, (), with_texts=True))
    cut = pb.BatchVerifyResponse(**{**COLUMNS, column: COLUMNS[column][:-1]})  # type: ignore[arg-type]
    for reply, n_tokens, with_texts in ((cut, 2, True), (whole, 3, True), (whole, 2, False)):
        with pytest.raises(UnexpectedAnswerError, match="columns of the answer"):
            batch_of(reply, n_tokens, (), with_texts=with_texts)


def test_verdict_of_a_later_release() -> None:
    """A verdict that this release does not know is no good one and raises as such."""
    columns = {**COLUMNS, "verdicts": b"\x00\xfe"}
    batch = batch_of(pb.BatchVerifyResponse(**columns), 2, (), with_texts=True)  # type: ignore[arg-type]
    assert [True, False] == [batch.is_good(place) for place in range(2)]
    with pytest.raises(UnexpectedAnswerError, match="verdict 254 on the token at place 1"):
        _ = batch[1]
