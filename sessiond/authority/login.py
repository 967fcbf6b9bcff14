"""Logins: what opens a session, within which limits, and the record that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessiond.authority.limits import (
    AUDIENCE_BYTES,
    CLIENT_ID_BYTES,
    MIN_ACCESS_SECONDS,
    MIN_SESSION_SECONDS,
    SUBJECT_BYTES,
    Checker,
)
from sessiond.authority.policy import MAX_ABSOLUTE_SECONDS
from sessiond.ids import new_session_id
from sessiond.store.records import Session, Trace
from sessiond.token.format import REFRESH_INSTANTS

if TYPE_CHECKING:
    from sessiond.authority.policy import Policy
    from sessiond.authority.requests import Field
    from sessiond.ids import ScopeHasher

FIRST_GENERATION = 0

ID_ENTROPY_SIZE = 8


@dataclass(frozen=True, slots=True)
class Device:
    """The end user's device at the time of a call, as the caller sees it: evidence, never judged."""

    label: str = ""
    ip: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """
    A user whom the caller has just authenticated, and the session that it asks for.

    Every text but ``tenant`` and ``subject`` may be empty. Lifetimes are whole
    seconds; None means the configured one. ``authenticated_revision`` is the
    store's revision as it was read before the user was authenticated.
    """

    tenant: str
    subject: str
    client_id: str = ""
    audience: str = ""
    claims_json: str = ""
    data_json: str = ""
    device: Device = Device()
    absolute_seconds: int | None = None
    idle_seconds: int | None = None
    access_seconds: int | None = None
    authenticated_revision: int | None = None
    request_id: str = ""

    def fields(self) -> tuple[Field, ...]:
        """Give all that a repetition has in common with the first attempt."""
        return (
            self.tenant,
            self.subject,
            self.client_id,
            self.audience,
            self.claims_json,
            self.data_json,
            self.device.label,
            self.device.ip,
            self.device.user_agent,
            self.absolute_seconds,
            self.idle_seconds,
            self.access_seconds,
            self.authenticated_revision,
        )


def check_login(login: Login, policy: Policy) -> tuple[bytes, str]:
    """
    Check every field of a login, and give the device's address and user agent as records keep them.

    Raises:
        InvalidRequestError: A field is out of its limits.

    """
    check = Checker()
    check.tenant("tenant", login.tenant, required=True)
    check.text("subject", login.subject, SUBJECT_BYTES, required=True)
    check.text("client_id", login.client_id, CLIENT_ID_BYTES)
    check.text("audience", login.audience, AUDIENCE_BYTES)
    check.claims("claims_json", login.claims_json)
    check.data("data_json", login.data_json)
    ip, user_agent = check.device(login.device)
    absolute_seconds = policy.absolute_seconds if login.absolute_seconds is None else login.absolute_seconds
    check.lifetime("absolute_lifetime", login.absolute_seconds, MIN_SESSION_SECONDS, MAX_ABSOLUTE_SECONDS)
    check.lifetime("idle_lifetime", login.idle_seconds, MIN_SESSION_SECONDS, absolute_seconds)
    check.lifetime("access_token_lifetime", login.access_seconds, MIN_ACCESS_SECONDS, policy.access_seconds)
    check.request_id(login.request_id)
    check.finish()
    return ip, user_agent


def session_of(
    login: Login,
    by: Trace,
    *,
    wall_ms: int,
    audience: str,
    policy: Policy,
    hasher: ScopeHasher,
    entropy: bytes,
) -> Session:
    """
    Write the record of a login that was checked, all but what :class:`.opening.Opening` adds.

    It never lives beyond the last instant that a token can name.

    Args:
        login: What was asked for.
        by: The call that makes the first generation, without its key and its serving time.
        wall_ms: Milliseconds since the epoch.
        audience: The configured audience, meant where the login names none.
        policy: The configured lifetimes.
        hasher: Names tenant and subject.
        entropy: 8 bytes from a cryptographic source.

    """
    subject_hash = hasher.subject(login.tenant, login.subject)
    absolute_seconds = policy.absolute_seconds if login.absolute_seconds is None else login.absolute_seconds
    return Session(
        id=new_session_id(wall_ms, subject_hash, entropy),
        tenant=login.tenant,
        subject=login.subject,
        tenant_hash=hasher.tenant(login.tenant),
        subject_hash=subject_hash,
        audience=login.audience or audience,
        created_at=by.at,
        expires_at=min(by.at + absolute_seconds, REFRESH_INSTANTS.stop - 1),
        idle_seconds=policy.idle_seconds if login.idle_seconds is None else login.idle_seconds,
        access_seconds=policy.access_seconds if login.access_seconds is None else login.access_seconds,
        born=0,
        pending=FIRST_GENERATION,
        pending_by=by,
        client_id=login.client_id,
        label=login.device.label,
        claims_json=login.claims_json,
        data_json=login.data_json,
        access_issued_at=by.at,
    )
