"""The story of the demo: the whole life of a session, step by step, every answer checked."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sessiond.cli.demo_stage import check, refusal
from sessiond.cli.timeline import timeline
from sessiond.client import Client, Device, KeyPurpose, KeyState, RefreshOutcome, retry_key
from sessiond.errors import Cause, InvalidAccessToken, InvalidRefreshToken
from sessiond.token.inspect import inspect

if TYPE_CHECKING:
    from sessiond.cli.demo_stage import Stage
    from sessiond.client import Refreshed, Tokens

ACCESS_SECONDS = 4
ABSOLUTE_SECONDS = 8
SETTINGS = {"policy__access_seconds": str(ACCESS_SECONDS), "policy__absolute_seconds": str(ABSOLUTE_SECONDS)}
"""Lives short enough to be watched to their end, and long enough for the steps that come before it."""


class Story:
    """Alice of acme, her service, her second tab, and a thief."""

    def __init__(self, client: Client, stage: Stage) -> None:
        """Play with *client* on *stage*."""
        self._client = client
        self._stage = stage
        self._secret = secrets.token_bytes(32)

    def play(self) -> None:
        """
        Play every step.

        Raises:
            StepFailedError: A step did not answer as it should; the message names it.

        """
        tokens = self._log_in()
        self._verify(tokens)
        tokens = self._refresh(tokens)
        tokens = self._lose_an_answer(tokens)
        tokens = self._two_tabs(tokens)
        stolen = self._theft(tokens)
        self._log_out()
        tokens = self._rotate_keys()
        self._expire(tokens)
        self._explain(stolen)

    def _log_in(self) -> Tokens:
        with self._stage.step("Alice logs in; the gateway opens a session for her"):
            return self._open(Device(label="Firefox on Linux", ip="192.0.2.7"))

    def _verify(self, tokens: Tokens) -> None:
        with self._stage.step("A service checks the access token that comes with a call"):
            self._good(tokens)

    def _refresh(self, tokens: Tokens) -> Tokens:
        with self._stage.step("The access token gets old: the refresh token buys the next pair"):
            newer = self._trade(tokens, RefreshOutcome.ROTATED)
            check("another refresh token", "the same", newer.refresh_token != tokens.refresh_token)
            check("the next generation", newer.generation, newer.generation == tokens.generation + 1)
        return newer

    def _lose_an_answer(self, tokens: Tokens) -> Tokens:
        with self._stage.step("An answer gets lost on the way, and the client asks again"):
            key = retry_key(self._secret, tokens.refresh_token)
            self._stage.request("Refresh", self._stage.name(tokens.refresh_token), " with its retry_key")
            unseen = self._client.refresh(tokens.refresh_token, retry_key=key)
            self._stage.lost(f"generation {unseen.generation} was made, but the client never hears of it")
            newer = self._trade(tokens, RefreshOutcome.RETRIED, key)
            check("the same successor", "another one", newer.refresh_token == unseen.refresh_token)
            self._stage.note("the same successor, byte for byte, however late the retry")
        return newer

    def _two_tabs(self, tokens: Tokens) -> Tokens:
        with self._stage.step("Two tabs refresh the same token at the same time"):
            barrier = threading.Barrier(2)

            def tab() -> Refreshed:
                barrier.wait()
                return self._client.refresh(tokens.refresh_token)

            for name in ("tab 1", "tab 2"):
                self._stage.request("Refresh", self._stage.name(tokens.refresh_token), f" from {name}")
            with ThreadPoolExecutor(2) as pool:
                both = [future.result() for future in [pool.submit(tab) for _ in range(2)]]
            for newer in both:
                self._show(newer, newer.outcome.name)
            outcomes = sorted(newer.outcome.name for newer in both)
            check("one ROTATED and one SHARED", outcomes, outcomes == ["ROTATED", "SHARED"])
            first, second = both
            check("one successor for both", "two", first.refresh_token == second.refresh_token)
            self._stage.note("one successor for both: nobody is logged out")
        return first

    def _theft(self, tokens: Tokens) -> Tokens:
        with self._stage.step("A thief has copied a refresh token, and uses it after Alice did"):
            stolen = tokens
            newest = self._client.refresh(stolen.refresh_token)
            for _ in range(2):
                newest = self._client.refresh(newest.refresh_token)
            self._stage.request("Refresh", self._stage.name(stolen.refresh_token), " and its successors: Alice goes on")
            self._show(newest, newest.outcome.name)
            self._stage.request("Refresh", self._stage.name(stolen.refresh_token), " from the thief")
            thief = Device(ip="203.0.113.66", user_agent="curl/8.5")
            self._stage.refused(
                InvalidRefreshToken, Cause.REUSED, lambda: self._client.refresh(stolen.refresh_token, device=thief)
            )
            self._stage.request("Refresh", self._stage.name(newest.refresh_token), " from Alice: it died for both")
            self._stage.refused(InvalidRefreshToken, Cause.REUSED, lambda: self._client.refresh(newest.refresh_token))
            self._bad(newest, Cause.REUSED)
        return stolen

    def _log_out(self) -> None:
        with self._stage.step("Alice logs in again, and out"):
            tokens = self._open()
            self._stage.request("RevokeSession", tokens.session_id, ", reason logout")
            revoked = self._client.revoke_session(tokens.session_id, reason="logout")
            check("ended by this call", "ended before", revoked.ended_by_this_call)
            self._stage.reply("revoked", f"acknowledged as revision {revoked.revision}")
            self._bad(tokens, Cause.REVOKED)
            self._stage.request("Refresh", self._stage.name(tokens.refresh_token))
            self._stage.refused(InvalidRefreshToken, Cause.REVOKED, lambda: self._client.refresh(tokens.refresh_token))

    def _rotate_keys(self) -> Tokens:
        with self._stage.step("The signing key changes under a living session"):
            tokens = self._open()
            before = _key_id(tokens)
            self._stage.request("RotateKey", "purpose ACCESS, at once")
            key = self._client.rotate_key(KeyPurpose.ACCESS, activate_immediately=True).key
            check("an ACTIVE key", key.state.name, key.state is KeyState.ACTIVE)
            self._stage.reply(key.state.name, f"key {key.key_id} signs")
            self._good(tokens, ", signed under the key before")
            newer = self._trade(tokens, RefreshOutcome.ROTATED)
            after = _key_id(newer)
            check(f"a token under key {key.key_id}", after, after == key.key_id != before)
            self._stage.note("signed under the new key")
        return newer

    def _expire(self, tokens: Tokens) -> None:
        with self._stage.step(
            f"Time passes: here an access token lives {ACCESS_SECONDS} s, a session {ABSOLUTE_SECONDS} s"
        ):
            self._stage.until(
                "until the access token dies",
                lambda: refusal(lambda: self._client.verify(tokens.access_token)) is not None,
            )
            self._bad(tokens, Cause.EXPIRED)
            newer = self._trade(tokens, RefreshOutcome.ROTATED)
            self._stage.until(
                "until the session dies",
                lambda: refusal(lambda: self._client.get_session(tokens.session_id)) is not None,
            )
            self._stage.request("Refresh", self._stage.name(newer.refresh_token), ", after the session's life")
            self._stage.refused(InvalidRefreshToken, Cause.EXPIRED, lambda: self._client.refresh(newer.refresh_token))

    def _explain(self, stolen: Tokens) -> None:
        with self._stage.step("Alice asks support: why was I logged out?"):
            self._stage.request("ExplainToken", self._stage.name(stolen.refresh_token), ", dead by now, from her log")
            found = self._client.explain_token(stolen.refresh_token)
            cause = found.cause.name if found.cause is not None else "none"
            check("the cause EXPIRED", cause, found.cause is Cause.EXPIRED)
            self._stage.reply(cause, found.explanation)
            end = found.session.end if found.session is not None else None
            ended_by = end.cause.name if end is not None and end.cause is not None else "nothing"
            check("a session that REUSED ended", ended_by, ended_by == Cause.REUSED.name)
            self._stage.reply(ended_by, "ended the session before that:")
            for at, told in timeline(found.timeline, found.server_ms // 1000):
                self._stage.note(f"{at.partition(' ')[2]}  ", told)
            reuse = found.reuse
            check("both uses of the token", "none", reuse is not None and reuse.rotation is not None)
            self._stage.note("`sessiond explain TOKEN` shows it all on one screen")

    def _open(self, device: Device | None = None) -> Tokens:
        self._stage.request("CreateSession", "alice of acme", f", {device.label}" if device is not None else "")
        tokens = self._client.create_session("acme", "alice", device=device)
        self._show(tokens, "tokens")
        return tokens

    def _trade(self, tokens: Tokens, outcome: RefreshOutcome, key: bytes = b"") -> Refreshed:
        self._stage.request("Refresh", self._stage.name(tokens.refresh_token), " with its retry_key" if key else "")
        newer = self._client.refresh(tokens.refresh_token, retry_key=key)
        self._show(newer, newer.outcome.name)
        check(f"the outcome {outcome.name}", newer.outcome.name, newer.outcome is outcome)
        return newer

    def _good(self, tokens: Tokens, about: str = "") -> None:
        self._stage.request("Verify", self._stage.name(tokens.access_token), about)
        verified = self._client.verify(tokens.access_token)
        who = f"{verified.subject} of {verified.tenant}"
        check("alice of acme", who, who == "alice of acme" and verified.session_id == tokens.session_id)
        self._stage.reply("good", f"{who}, {verified.expires_at - tokens.server_ms // 1000} s left")

    def _bad(self, tokens: Tokens, cause: Cause) -> None:
        self._stage.request("Verify", self._stage.name(tokens.access_token))
        self._stage.refused(InvalidAccessToken, cause, lambda: self._client.verify(tokens.access_token))

    def _show(self, tokens: Tokens, verb: str) -> None:
        self._stage.reply(
            verb,
            f"generation {tokens.generation}, refresh ",
            self._stage.name(tokens.refresh_token),
            ", access ",
            self._stage.name(tokens.access_token),
        )


def _key_id(tokens: Tokens) -> str:
    key_id = inspect(tokens.access_token).key_id
    return "" if key_id is None else key_id.hex()
