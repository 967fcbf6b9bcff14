"""ExplainToken: the verdict of a real call without its effects, and the session for those who may see it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from sessiond.authority.caller import LOCAL, ROLES, Caller
from sessiond.authority.explaining import TOKEN_BYTES, Explainer, Explanation
from sessiond.authority.issuing import Issued
from sessiond.authority.policy import Policy, Profile
from sessiond.errors import (
    Advice,
    Cause,
    InvalidRequestError,
    PermissionDeniedError,
    StoreUnavailableError,
    TokenRefusedError,
)
from sessiond.store.contract import Change
from sessiond.store.records import KeyState, Purpose, ScopeKind
from sessiond.token.inspect import TokenKind
from tests.unit.authority.installation import Installation

VERIFIER = Caller("gateway", frozenset({"verifier"}), None)
AUDITOR = Caller("support", frozenset({"auditor"}), None)
AUDITOR_OF_ACME = Caller("support", frozenset({"auditor"}), frozenset({"acme"}))
AUDITOR_OF_OTHERS = Caller("support", ROLES, frozenset({"umbrella"}))


def explain(there: Installation, token: str, caller: Caller = LOCAL, **asked: Any) -> Explanation:
    """Explain a token."""
    here = there.here
    explainer = Explainer(here.store, here.keys, here.feed, here.verification, here.policy)
    return explainer.explain(caller, token, **{"audience": "", "tenant": "", "now": there.now, **asked})


def spent(there: Installation, times: int) -> tuple[Issued, Issued]:
    """Open a session, refresh it some times, and give its first tokens and its newest."""
    first = newest = there.here.login()
    for _ in range(times):
        newest, _ = there.here.refresh(newest.refresh_token)
    return first, newest


def _never_ours(_there: Installation) -> str:
    return Installation().process("elsewhere").login().refresh_token


def _access_never_ours(_there: Installation) -> str:
    return Installation().process("elsewhere").login().access_token


def _changed(there: Installation) -> str:
    token = there.here.login().refresh_token
    return token[:-1] + ("A" if token[-1] != "A" else "B")


def _expired(there: Installation) -> str:
    token = there.here.login().refresh_token
    there.clock.advance(31 * 86_400)
    return token


def _idle(there: Installation) -> str:
    token = there.here.login().refresh_token
    there.clock.advance(8 * 86_400)
    return token


def _revoked(there: Installation) -> str:
    tokens = there.here.login()
    there.here.revoke(tokens.session_id)
    return tokens.refresh_token


def _access_revoked(there: Installation) -> str:
    tokens = there.here.login()
    there.here.revoke(tokens.session_id)
    return tokens.access_token


def _cut(there: Installation) -> str:
    token = there.here.login().refresh_token
    there.cut(ScopeKind.TENANT)
    return token


def _access_cut(there: Installation) -> str:
    token = there.here.login().access_token
    there.cut(ScopeKind.ALL)
    return token


def _access_expired(there: Installation) -> str:
    token = there.here.login().access_token
    there.clock.advance(300)
    return token


def _from_the_future(there: Installation) -> str:
    token = there.here.login().access_token
    there.clock.step_wall(-31)
    return token


def _newest(there: Installation) -> str:
    return spent(there, 3)[1].refresh_token


def _access(there: Installation) -> str:
    return spent(there, 3)[1].access_token


def _shared(there: Installation) -> str:
    return spent(there, 1)[0].refresh_token


def _straggler(there: Installation) -> str:
    return spent(there, 2)[0].refresh_token


def _reuse_of_confirmed(there: Installation) -> str:
    token = spent(there, 1)[0].refresh_token
    there.serve_for(11)
    return token


def _reuse(there: Installation) -> str:
    return spent(there, 3)[0].refresh_token


def _state_lost(there: Installation) -> str:
    tokens = there.here.login()
    before = there.record(tokens.session_id)
    newer, _ = there.here.refresh(tokens.refresh_token)
    there.store.rotate(tokens.session_id, lambda _: Change(None, session=before))
    return newer.refresh_token


def _gone(there: Installation) -> str:
    token = there.here.login().refresh_token
    there.store.sweep(1 << 40, 0, 100)
    return token


def _key_revoked(there: Installation) -> str:
    token = there.here.login().refresh_token
    there.here.revoke_active_key(Purpose.REFRESH)
    return token


CASES: list[Callable[[Installation], str]] = [
    *(_never_ours, _access_never_ours, _changed, _expired, _idle, _revoked, _access_revoked, _cut, _access_cut),
    *(_access_expired, _from_the_future, _newest, _access, _shared, _straggler, _reuse_of_confirmed, _reuse),
    *(_state_lost, _gone, _key_revoked),
]


@pytest.mark.parametrize("token_of", CASES, ids=lambda case: case.__name__.strip("_"))
def test_verdict_is_that_of_the_call_and_nothing_is_changed(token_of: Callable[[Installation], str]) -> None:
    """Cause and advice are those that the token's own call gives right after; until then the store is as it was."""
    there = Installation()
    here, token = there.here, token_of(there)
    n_writes = there.store.n_writes
    found = explain(there, token)

    assert n_writes == there.store.n_writes
    with contextlib.ExitStack() as stack:
        error = stack.enter_context(pytest.raises(TokenRefusedError)) if found.cause is not None else None
        if found.kind is TokenKind.REFRESH:
            here.refresh(token)
        else:
            here.verify(token)
    assert error is None or (found.cause, found.advice) == (error.value.cause, error.value.advice)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("hunter2", None), ("sdr_AAAA", TokenKind.REFRESH), ("eyJhbGciOiJIUzI1NiJ9.e30.c2ln", TokenKind.ACCESS)],
    ids=["password", "half a token", "another JWT"],
)
def test_text_that_is_no_token(text: str, kind: TokenKind | None) -> None:
    """Any text is explained: what it begins like, that it is MALFORMED and where; nothing of it is repeated."""
    found = explain(Installation(), text)

    assert (kind, Cause.MALFORMED, Advice.FIX_THE_CALLER) == (found.kind, found.cause, found.advice)
    assert (None, b"", None, False, None, ()) == (
        found.content,
        found.key_id,
        found.key,
        found.signature_good,
        found.session,
        found.timeline,
    )
    assert text not in found.message


def test_presentation_that_would_end_a_living_session_is_told_as_such() -> None:
    """Of a spent token whose session lives it is said that presenting it ends the session, and no more."""
    there = Installation()
    first, newest = spent(there, 3)
    found = explain(there, first.refresh_token)
    assert found.session is not None

    assert (Cause.REUSED, None, None) == (found.cause, found.session.end, found.reuse)
    assert "presented again, it is taken for a stolen copy and ends the session, which lives so far" in found.message
    there.here.refresh(newest.refresh_token)


def test_both_uses_of_a_token_that_ended_its_session() -> None:
    """Every token of a session that reuse ended shows both uses, also one that has expired since."""
    there = Installation()
    first, newest = spent(there, 3)
    there.clock.advance(77)
    with pytest.raises(TokenRefusedError):
        there.here.refresh(first.refresh_token)
    expected = (there.now, there.now - 77, 3)
    there.clock.advance(3600)

    for token, cause in ((newest.refresh_token, Cause.REUSED), (newest.access_token, Cause.EXPIRED)):
        found = explain(there, token)
        reuse = found.reuse
        assert reuse is not None
        assert reuse.rotation is not None
        assert (cause, *expected) == (found.cause, reuse.reuse.at, reuse.rotation.at, reuse.generation_distance)


@pytest.mark.parametrize(
    ("caller", "sees"),
    [(LOCAL, True), (AUDITOR, True), (AUDITOR_OF_ACME, True), (VERIFIER, False), (AUDITOR_OF_OTHERS, False)],
    ids=["local", "auditor", "auditor of the tenant", "verifier", "auditor of another tenant"],
)
@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_session_is_shown_to_auditors_of_its_tenant_alone(
    caller: Caller,
    kind: str,
    sees: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Session, timeline and reuse need the role auditor and the tenant; the verdict on access tokens everyone gets."""
    there = Installation()
    first, newest = spent(there, 3)
    with pytest.raises(TokenRefusedError):
        there.here.refresh(first.refresh_token)
    found = explain(there, getattr(newest, kind), caller)
    told: Cause | None = Cause.WRONG_TENANT if caller is AUDITOR_OF_OTHERS else Cause.REUSED
    if caller is VERIFIER and kind == "refresh_token":
        told = None

    assert (told, True) == (found.cause, found.signature_good)
    assert (sees, sees, sees) == (found.session is not None, found.timeline != (), found.reuse is not None)


@pytest.mark.parametrize("caller", [VERIFIER, Caller("backend", frozenset({"verifier", "refresher"}), None)])
@pytest.mark.parametrize("token_of", [_newest, _shared, _straggler, _reuse, _revoked, _cut, _idle, _state_lost, _gone])
def test_verifier_learns_nothing_of_what_refresh_would_do(
    token_of: Callable[[Installation], str], caller: Caller
) -> None:
    """Whoever may not audit gets one answer for every refresh token that is well signed and in time."""
    there = Installation()
    token = token_of(there)
    found = explain(there, token, caller)

    assert (None, None, True, None) == (found.cause, found.advice, found.signature_good, found.session)
    assert (
        "a key of the authority signed the token, and its time is not over; what Refresh would do with it is told to "
        "callers with the role auditor"
    ) == found.message
    assert explain(there, token).cause == explain(there, token, AUDITOR).cause


@pytest.mark.parametrize(
    ("token_of", "cause"),
    [
        (_changed, Cause.TAMPERED),
        (_expired, Cause.EXPIRED),
        (_key_revoked, Cause.KEY_REVOKED),
        (_never_ours, Cause.UNKNOWN_KEY),
        (_access_revoked, Cause.REVOKED),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_verifier_learns_what_the_token_itself_shows(token_of: Callable[[Installation], str], cause: Cause) -> None:
    """Signature, key and time of a refresh token are told to verifiers too, and all of an access token."""
    there = Installation()
    assert cause is explain(there, token_of(there), VERIFIER).cause


def test_nothing_of_a_session_is_shown_for_a_token_that_nobody_vouches_for() -> None:
    """Whoever writes a session's id into a token of his own learns nothing about that session."""
    there = Installation()
    found = explain(there, _changed(there))

    assert (Cause.TAMPERED, False, None, ()) == (found.cause, found.signature_good, found.session, found.timeline)
    assert found.content is not None


@pytest.mark.parametrize("purpose", list(Purpose))
def test_token_of_a_revoked_key_still_names_its_session(purpose: Purpose) -> None:
    """KEY_REVOKED says that the token is refused; that its key signed it is known all the same."""
    there = Installation()
    tokens = there.here.login()
    there.here.revoke_active_key(purpose)
    token = tokens.refresh_token if purpose is Purpose.REFRESH else tokens.access_token
    found = explain(there, token)
    assert found.key is not None
    assert found.session is not None

    assert (Cause.KEY_REVOKED, KeyState.REVOKED, True) == (found.cause, found.key.state, found.signature_good)
    assert tokens.session_id == found.session.id
    changed = token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]
    assert (Cause.KEY_REVOKED, False) == (explain(there, changed).cause, explain(there, changed).signature_good)


def test_keys_and_revocations_of_other_processes_are_known() -> None:
    """A token that another process signed with a key of its own making is known, and a session that it ended too."""
    there = Installation()
    explain(there, there.here.login().access_token)
    other = there.process("other")
    other.rotate_key(Purpose.ACCESS, immediately=True)
    tokens = other.login()
    assert explain(there, tokens.access_token).cause is None
    other.revoke(tokens.session_id)

    assert Cause.REVOKED is explain(there, tokens.access_token).cause


def test_audience_and_tenant_are_judged_as_asked() -> None:
    """An access token is judged for the audience and the tenant of the request, a refresh token for the tenant."""
    there = Installation()
    tokens = there.here.login()

    assert Cause.WRONG_AUDIENCE is explain(there, tokens.access_token, audience="other").cause
    assert Cause.WRONG_TENANT is explain(there, tokens.access_token, tenant="umbrella").cause
    assert Cause.WRONG_TENANT is explain(there, tokens.refresh_token, tenant="umbrella").cause
    assert explain(there, tokens.refresh_token, tenant="acme", audience="other").cause is None
    with pytest.raises(PermissionDeniedError):
        explain(there, tokens.refresh_token, AUDITOR_OF_ACME, tenant="umbrella")


@pytest.mark.parametrize("profile", list(Profile))
def test_good_spent_token_is_told_as_the_profile_treats_it(profile: Profile) -> None:
    """What Refresh would do with a token that was spent a moment ago depends on the profile, and so do the words."""
    there = Installation(Policy(profile=profile))
    token = _shared(there)
    there.serve_for(11 if profile is Profile.FORGIVING else 1)
    words = {
        Profile.BALANCED: "inside the retry window",
        Profile.FORGIVING: "replaces its successor",
        Profile.STRICT: "ends the session",
    }

    assert words[profile] in explain(there, token).message


def test_request_out_of_its_limits_is_refused() -> None:
    """Every field at fault is named."""
    there = Installation()
    with pytest.raises(InvalidRequestError) as refused:
        explain(there, "x" * (TOKEN_BYTES + 1), audience="\0", tenant="t" * 64)
    assert ["token", "audience", "tenant"] == [field for field, _ in refused.value.violations]
    with pytest.raises(InvalidRequestError):
        explain(there, "")
    assert Cause.MALFORMED is explain(there, "x" * TOKEN_BYTES).cause


def test_store_that_cannot_be_read_explains_nothing() -> None:
    """Without the store there is no verdict."""
    there = Installation()
    token = there.here.login().access_token
    there.store.down = True
    with pytest.raises(StoreUnavailableError):
        explain(there, token)
