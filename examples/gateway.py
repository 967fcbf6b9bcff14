"""
A gateway in small: it logs users in, keeps their tokens in cookies, and lets their calls through.

Start an authority with `make run`, then:

    python examples/gateway.py            # or with HOST:PORT

What it shows: which answer deletes cookies (only LOG_IN_AGAIN), which one is worth a refresh, and where the retry key
comes from: a second HttpOnly cookie, set at login, that a thief of the refresh token does not have.
"""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass, replace

from sessiond.client import Client, retry_key
from sessiond.errors import Advice, SessiondError


@dataclass(frozen=True)
class Cookies:
    """What the browser holds, each HttpOnly, Secure and SameSite; ``access`` is gone once it has expired."""

    access: str | None
    refresh: str
    secret: bytes


@dataclass(frozen=True)
class Answer:
    """What the browser gets; ``cookies`` is what it holds afterwards, None where they are deleted."""

    status: int
    text: str
    cookies: Cookies | None


class Gateway:
    """Stands between browsers and services."""

    def __init__(self, client: Client) -> None:
        """Ask the authority through *client*."""
        self._client = client

    def log_in(self, tenant: str, subject: str) -> Answer:
        """Open a session for a user whose password, passkey or single sign-on has just been checked."""
        tokens = self._client.create_session(tenant, subject)
        cookies = Cookies(tokens.access_token, tokens.refresh_token, secrets.token_bytes(32))
        return Answer(200, f"welcome, {subject}", cookies)

    def handle(self, cookies: Cookies | None) -> Answer:
        """Let a call through to a service, as whom its access token names."""
        if cookies is None:
            return Answer(401, "log in first", None)
        for _ in range(2):
            try:
                if cookies.access is None:
                    cookies = self._renewed(cookies)
                return self._served(cookies)
            except SessiondError as error:
                if error.advice is not Advice.REFRESH:
                    return _refused(error, cookies)
                cookies = replace(cookies, access=None)
        return Answer(503, "not now: every access token is refused", cookies)

    def log_out(self, cookies: Cookies) -> Answer:
        """End the session, and delete the cookies once the authority has acknowledged it."""
        try:
            self._client.revoke_session(token=cookies.refresh, reason="logout")
        except SessiondError as error:
            return _refused(error, cookies)
        return Answer(200, "bye", None)

    def _served(self, cookies: Cookies) -> Answer:
        verified = self._client.verify(cookies.access or "")
        return Answer(200, f"a page for {verified.subject}", cookies)

    def _renewed(self, cookies: Cookies) -> Cookies:
        key = retry_key(cookies.secret, cookies.refresh)
        tokens = self._client.refresh(cookies.refresh, retry_key=key)
        return replace(cookies, access=tokens.access_token, refresh=tokens.refresh_token)


def _refused(error: SessiondError, cookies: Cookies) -> Answer:
    """Turn a refusal into an answer: whatever does not say LOG_IN_AGAIN leaves the cookies alone."""
    if error.advice is Advice.LOG_IN_AGAIN:
        return Answer(401, f"log in again ({error.reason.name})", None)
    status = 503 if error.advice in (Advice.KEEP_CURRENT_TOKENS, Advice.RETRY_WITH_BACKOFF) else 500
    return Answer(status, f"not now ({error.reason.name})", cookies)


def main(target: str) -> None:
    """Play a visit: log in, two calls with a refresh between them, and log out."""
    with Client(target) as client:
        gateway = Gateway(client)
        visit = gateway.log_in("acme", "alice")
        print(visit.status, visit.text)
        visit = gateway.handle(visit.cookies)
        print(visit.status, visit.text)
        if visit.cookies is not None:
            # The browser drops the cookie of the access token when that has expired.
            visit = gateway.handle(replace(visit.cookies, access=None))
            print(visit.status, visit.text, "(after a refresh)")
        if visit.cookies is not None:
            stolen = visit.cookies
            print(gateway.log_out(visit.cookies).text)
            visit = gateway.handle(stolen)
            print(visit.status, visit.text)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7400")
