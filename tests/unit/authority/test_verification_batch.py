"""BatchVerify: each token has the verdict that Verify gives it alone; the columns say nothing of what is refused."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest

from sessiond.authority.batch import JudgedBatch
from sessiond.authority.caller import LOCAL, Caller
from sessiond.authority.sessions import Login
from sessiond.errors import (
    Cause,
    ClaimsNotMetError,
    InvalidAccessToken,
    InvalidRefreshToken,
    InvalidRequestError,
    PermissionDeniedError,
    StoreUnavailableError,
)
from sessiond.store.records import Purpose, ScopeKind
from sessiond.token.requirements import RequiredClaim
from sessiond.token.sign import AccessClaims, SigningKey, sign_access_token
from sessiond.token.verdicts import CLAIMS_NOT_MET
from sessiond.token.verify import VerifiedAccessToken
from tests.unit.authority.installation import AUDIENCE, ISSUER, Installation, Process

SHOP = Caller("shop", frozenset({"verifier"}), frozenset({"acme"}))
OTHERS = Caller("others", frozenset({"verifier"}), frozenset({"other"}))
ADMIN = '{"roles":["admin"],"plan":"pro"}'
GUEST = '{"roles":[],"plan":"pro"}'
REQUIRED = (RequiredClaim("plan", equals_json='"pro"'), RequiredClaim("roles", contains_json='"admin"'))


def asked(here: Process, **fields: Any) -> dict[str, Any]:
    """Fill in what is not said: it is not asked for."""
    return {"audience": "", "tenant": "", "min_revision": 0, "now": here.clock.wall_ms() // 1000, **fields}


def batch(here: Process, tokens: list[str], caller: Caller = LOCAL, **fields: Any) -> JudgedBatch:
    """Judge tokens at once."""
    return here.verification.verify_batch(caller, tokens, **asked(here, **fields))


def alone(here: Process, token: str, caller: Caller = LOCAL, **fields: Any) -> tuple[int, VerifiedAccessToken | None]:
    """Judge one token by itself, and spell what comes of it as a batch does."""
    try:
        return 0, here.verification.verify(caller, token, **asked(here, **fields))[0]
    except InvalidAccessToken as error:
        return error.cause, None
    except ClaimsNotMetError:
        return CLAIMS_NOT_MET, None


@dataclass
class Zoo:
    """One token for each thing that can be wrong with one, by name, and the process that judges them."""

    here: Process
    tokens: dict[str, str]


@pytest.fixture
def zoo(installation: Installation, here: Process) -> Zoo:
    """Make tokens of every cause, and good ones of two tenants."""
    tokens: dict[str, str] = {}

    def login(name: str, tenant: str = "acme", subject: str = "alice", **fields: Any) -> bytes:
        issued = here.login(login=Login(tenant, subject, claims_json=ADMIN, **fields))
        tokens[name] = issued.access_token
        return issued.session_id

    login("key revoked")
    here.revoke_active_key(Purpose.ACCESS)
    tokens["reused"] = _of_a_reused_session(installation)
    for tenant in ("acme", "other"):
        here.revoke(login(f"{tenant} revoked", tenant))
        login(f"{tenant} subject cut", tenant, "bob")
        installation.cut(ScopeKind.SUBJECT, tenant=tenant, subject="bob")
        login(f"{tenant} tenant cut", tenant)
        installation.cut(ScopeKind.TENANT, tenant=tenant)
    login("expired", access_seconds=10)
    installation.clock.advance(20)
    for tenant in ("acme", "other"):
        login(f"{tenant} good", tenant)
        tokens[f"{tenant} guest"] = here.login(login=Login(tenant, "bob", claims_json=GUEST)).access_token
        tokens[f"{tenant} bare"] = here.login(login=Login(tenant, "bob")).access_token
    login("audience", audience="billing")
    issued = here.login()
    tokens["kind"] = issued.refresh_token
    good = issued.access_token
    tokens["tampered"] = good[:-20] + ("A" if good[-20] != "A" else "B") + good[-19:]
    tokens["unknown key"] = _of_an_unknown_key(here)
    installation.clock.advance(60)
    login("not yet valid")
    installation.clock.advance(-60)
    tokens |= {"empty": "", "words": "not a token", "too long": "x" * 5000, "wide": "\u20ac" * 300}
    return Zoo(here, tokens)


def _of_a_reused_session(installation: Installation) -> str:
    """Give the access token of a session that ended because a spent refresh token was presented again."""
    first = installation.here.login()
    installation.here.refresh(first.refresh_token)
    installation.serve_for(11)
    with pytest.raises(InvalidRefreshToken):
        installation.here.refresh(first.refresh_token)
    return first.access_token


def _of_an_unknown_key(here: Process) -> str:
    """Sign what nothing is wrong with under a key that is not in the keyset; for tests only."""
    now = here.clock.wall_ms() // 1000
    return sign_access_token(
        SigningKey(b"\x07" * 32),
        AccessClaims(
            issuer=ISSUER,
            subject="alice",
            audience=AUDIENCE,
            client_id="",
            issued_at=now,
            expires_at=now + 60,
            session_id=bytes(16),
            generation=1,
            tenant="acme",
            tenant_hash=bytes(8),
            subject_hash=bytes(8),
            born=1,
            claims_json="{}",
        ),
    )


ASKED: list[tuple[Caller, dict[str, Any]]] = [
    (LOCAL, {}),
    (LOCAL, {"tenant": "acme"}),
    (LOCAL, {"tenant": "nobody"}),
    (LOCAL, {"audience": "billing"}),
    (LOCAL, {"required_claims": REQUIRED}),
    (SHOP, {}),
    (SHOP, {"tenant": "acme", "required_claims": REQUIRED}),
    (OTHERS, {"required_claims": REQUIRED[:1]}),
]


def test_the_zoo_has_every_cause(zoo: Zoo) -> None:
    """The tokens that are compared here have the causes that Verify finds."""
    causes = {alone(zoo.here, token)[0] for token in zoo.tokens.values()}
    causes |= {alone(zoo.here, token, tenant="acme")[0] for token in zoo.tokens.values()}
    assert causes >= {
        0,
        Cause.MALFORMED,
        Cause.UNKNOWN_KEY,
        Cause.KEY_REVOKED,
        Cause.TAMPERED,
        Cause.NOT_YET_VALID,
        Cause.EXPIRED,
        Cause.REVOKED,
        Cause.SUBJECT_REVOKED,
        Cause.TENANT_REVOKED,
        Cause.REUSED,
        Cause.WRONG_TENANT,
        Cause.WRONG_TOKEN_KIND,
        Cause.WRONG_AUDIENCE,
    }


@pytest.mark.parametrize(("caller", "fields"), ASKED)
@pytest.mark.parametrize("size", [1, 2, 7, 8, 64, 1000, 1024])
def test_batch_says_what_verify_says(zoo: Zoo, caller: Caller, fields: dict[str, Any], size: int) -> None:
    """In batches of any size and any mixture each token has the verdict and the fields that it has alone."""
    judged = {token: alone(zoo.here, token, caller, **fields) for token in zoo.tokens.values()}
    tokens = random.choices(list(judged), k=size)  # noqa: S311
    result = batch(zoo.here, tokens, caller, **fields)
    expected = [judged[token] for token in tokens]
    assert [verdict for verdict, _ in expected] == list(result.verdicts)
    assert [token for _, token in expected] == list(result.tokens())
    columns = zip(result.generations, result.issued_at, result.expires_at, strict=True)
    assert [(one.generation, one.issued_at, one.expires_at) if one else (0, 0, 0) for _, one in expected] == list(
        columns
    )
    assert b"".join(one.session_id if one else bytes(16) for _, one in expected) == result.session_ids


def test_everything_cut(zoo: Zoo, installation: Installation) -> None:
    """A cut of everything reaches each token of a batch that is good so far."""
    installation.cut(ScopeKind.ALL)
    tokens = list(zoo.tokens.values())
    verdicts = list(batch(zoo.here, tokens).verdicts)
    assert [alone(zoo.here, token)[0] for token in tokens] == verdicts
    assert Cause.ALL_REVOKED in verdicts
    assert 0 not in verdicts


def test_failed_claims_are_named(zoo: Zoo) -> None:
    """Of a good token whose claims do not hold, all that fail are named by their places; of others none."""
    names = ["acme good", "acme guest", "acme bare", "expired", "acme revoked"]
    result = batch(zoo.here, [zoo.tokens[name] for name in names], required_claims=REQUIRED)
    assert [0, 255, 255, Cause.EXPIRED, Cause.REVOKED] == list(result.verdicts)
    assert {1: (1,), 2: (0, 1)} == result.failed_claims


def test_all_validators_run_and_every_failure_is_reported(here: Process) -> None:
    """Scenario 77: Verify names each required claim that fails; a token that is not good is refused for that first."""
    token = here.login(login=Login("acme", "alice", claims_json=GUEST)).access_token
    required = (*REQUIRED, RequiredClaim("auth_time", max_age_seconds=300))
    with pytest.raises(ClaimsNotMetError) as caught:
        here.verification.verify(LOCAL, token, **asked(here, required_claims=required))
    assert ["roles", "auth_time"] == [name for name, _ in caught.value.failures]
    with pytest.raises(InvalidAccessToken):
        here.verification.verify(LOCAL, token, **asked(here, required_claims=required, tenant="other"))


@pytest.mark.parametrize("size", [0, 1025])
def test_size_out_of_limits(here: Process, size: int) -> None:
    """A batch has 1 to 1,024 tokens."""
    with pytest.raises(InvalidRequestError) as caught:
        batch(here, ["x"] * size)
    assert (("access_tokens", f"has {size} tokens, must have 1 to 1024"),) == caught.value.violations


def test_every_fault_of_a_request_is_named(here: Process) -> None:
    """A wrong batch hears of all its faults at once."""
    with pytest.raises(InvalidRequestError) as caught:
        batch(here, [], audience="a" * 256, tenant="\0", required_claims=[RequiredClaim("x")])
    assert ["access_tokens", "audience", "tenant", "required_claims[0]"] == [
        name for name, _ in caught.value.violations
    ]


def test_tenant_that_the_caller_of_a_batch_may_not_name(here: Process) -> None:
    """A caller cannot name a tenant that it may not act for."""
    with pytest.raises(PermissionDeniedError):
        batch(here, ["x"], SHOP, tenant="other")


def test_what_another_process_did(installation: Installation, here: Process) -> None:
    """A batch is judged with what other processes have revoked and which keys they have made before it began."""
    there = installation.process("there")
    ended, kept = here.login(), here.login()
    assert bytes(2) == batch(here, [ended.access_token, kept.access_token]).verdicts
    there.revoke(ended.session_id)
    there.rotate_key(Purpose.ACCESS, immediately=True)
    later = there.login()
    tokens = [ended.access_token, kept.access_token, later.access_token]
    assert [Cause.REVOKED, 0, 0] == list(batch(here, tokens).verdicts)
    there.revoke_active_key(Purpose.ACCESS)
    assert [Cause.REVOKED, 0, Cause.KEY_REVOKED] == list(batch(here, tokens).verdicts)


def test_revision_of_a_batch(installation: Installation, here: Process) -> None:
    """A batch is judged with no less than the revision that was asked for, or not at all."""
    token = here.login().access_token
    revision = installation.store.revision()
    assert revision == batch(here, [token], min_revision=revision).revision
    with pytest.raises(StoreUnavailableError, match=f"revision {revision} and has not reached min_revision"):
        batch(here, [token], min_revision=revision + 1)
    installation.store.down = True
    with pytest.raises(StoreUnavailableError):
        batch(here, [token])
