"""Tokens judged for some tenants: what of the others is told, one by one and in batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sessiond.errors import Cause, InvalidAccessToken
from sessiond.ids import session_id_text
from sessiond.token.keyset import VerificationKey
from sessiond.token.sign import sign_access_token
from sessiond.token.tenants import verdicts_for, verify_for
from sessiond.token.verdicts import GOOD
from sessiond.token.verify import AccessVerifier, RevocationIndex
from tests.vectors.token_samples import ACCESS_CLAIMS, ACCESS_KEY, AUDIENCE, ISSUER, NOW

ASKED: dict[str, Any] = {"audience": AUDIENCE, "now": NOW, "leeway": 30}
ENDED = b"the session ends"

INDEX = RevocationIndex()
INDEX.end_session(ENDED, Cause.REVOKED, NOW + 1_000)
VERIFIER = AccessVerifier([VerificationKey(ACCESS_KEY.public_key)], ISSUER, revocations=INDEX)

OURS = replace(ACCESS_CLAIMS, tenant="acme")
THEIRS = replace(ACCESS_CLAIMS, tenant="umbrella")
TOKENS = [
    sign_access_token(ACCESS_KEY, claims)
    for whose in (OURS, THEIRS)
    for claims in (whose, replace(whose, session_id=ENDED), replace(whose, expires_at=NOW))
]
LIVING, REVOKED, EXPIRED = GOOD, Cause.REVOKED, Cause.EXPIRED


@pytest.mark.parametrize(
    ("tenants", "expected"),
    [
        (None, [LIVING, REVOKED, EXPIRED, LIVING, REVOKED, EXPIRED]),
        ({"acme", "umbrella"}, [LIVING, REVOKED, EXPIRED, LIVING, REVOKED, EXPIRED]),
        ({"acme"}, [LIVING, REVOKED, EXPIRED, Cause.WRONG_TENANT, Cause.WRONG_TENANT, EXPIRED]),
        (set(), [Cause.WRONG_TENANT, Cause.WRONG_TENANT, EXPIRED] * 2),
    ],
)
def test_end_of_a_session_is_told_to_its_tenant_alone(tenants: set[str] | None, expected: list[int]) -> None:
    """Of another tenant's session nobody learns whether it lives; what the token says of itself comes before."""
    alone: list[int] = []
    for token in TOKENS:
        try:
            verify_for(tenants, VERIFIER, token, **ASKED)
            alone.append(GOOD)
        except InvalidAccessToken as refusal:
            alone.append(refusal.cause)
    assert expected == alone
    batch = VERIFIER.verify_batch(TOKENS, **ASKED)
    assert expected == list(verdicts_for(tenants, VERIFIER, batch, TOKENS))


def test_session_of_another_tenant_is_named() -> None:
    """The refusal says which session it is of, living or ended, for the log of whoever reads it."""
    for token, session_id in zip(TOKENS[3:5], (THEIRS.session_id, ENDED), strict=True):
        with pytest.raises(InvalidAccessToken, match="belongs to another tenant") as caught:
            verify_for({"acme"}, VERIFIER, token, **ASKED)
        assert session_id_text(session_id) == caught.value.session_id
