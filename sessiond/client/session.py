"""
One session of this program, kept alive: the rules for clients, followed.

Rule 1: tokens are stored durably before their first use, and a higher generation of a session is never overwritten.
Rule 2: one refresh at a time for all who share the store; who waited for it takes its result.
Rule 3: every Refresh carries the retry key of the token, so a lost answer is asked for again, however late.
Rule 4: an answer other than LOG_IN_AGAIN deletes nothing, and that one only the very tokens that it speaks of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessiond.client.retry import retry_key
from sessiond.clock import SystemClock
from sessiond.errors import Advice, Cause, SessiondError, TokenRefusedError

if TYPE_CHECKING:
    from sessiond.client.client import Client
    from sessiond.client.results import Device, Tokens
    from sessiond.client.tokens import TokenStore
    from sessiond.clock import Clock

STRAGGLER_WINDOW_SECONDS = 10.0
"""The straggler window of an authority with default settings."""

_PAUSE_SECONDS = 1.0
# Each round but the last needs somebody else who replaced the tokens while ours were judged.
_ROUNDS = 4
_KEEP = frozenset({Advice.KEEP_CURRENT_TOKENS, Advice.RETRY_WITH_BACKOFF})


class LoggedOutError(Exception):
    """The token store holds no session: authenticate the user, open one, and hand its tokens to ``begin``."""

    advice = Advice.LOG_IN_AGAIN


@dataclass(frozen=True, slots=True)
class _Pause:
    """A failed refresh that is not repeated before its time."""

    refresh_token: str
    until_ms: int
    error: SessiondError


class ClientSession:
    """
    Gives a good access token for each call, for as long as the session lives.

    Make one for each token store. Any number of threads may share it, and any
    number of processes may each have one on the same store.
    """

    def __init__(
        self,
        client: Client,
        store: TokenStore,
        *,
        device: Device | None = None,
        tenant: str = "",
        straggler_window_seconds: float = STRAGGLER_WINDOW_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        """
        Go on with the session in *store*, if there is one.

        Args:
            client: Talks to the authority that issued the tokens.
            store: Where the tokens are.
            device: This device, as the authority shall see it.
            tenant: The tenant this program acts for; empty to leave it open.
            straggler_window_seconds: The authority's straggler window.
            clock: Where the time comes from; None means the machine's.

        """
        self._client = client
        self._store = store
        self._device = device
        self._tenant = tenant
        self._straggler_window_seconds = straggler_window_seconds
        self._clock = SystemClock() if clock is None else clock
        self._pause: _Pause | None = None

    def begin(self, tokens: Tokens) -> None:
        """
        Store the tokens of a session that was just opened, in place of those of another one.

        Raises:
            TokenStoreError: The store cannot be used.
            OSError: A store of files cannot be read or written.

        """
        with self._store.locked():
            stored = self._store.read()
            if stored is None or stored.session_id != tokens.session_id or stored.generation <= tokens.generation:
                self._store.write(tokens)

    def access_token(self, *, refused: str | None = None) -> str:
        """
        Give a good access token, and refresh first where it is time.

        Where the refresh fails for a passing reason, the token at hand is given
        as long as it lives.

        Args:
            refused: An access token that was refused with the advice REFRESH: give another one.

        Raises:
            LoggedOutError: There is no session.
            SessiondError: There is no good access token to be had; ``advice`` says what to do. After
                LOG_IN_AGAIN the store is empty; after anything else it is as it was.
            TokenStoreError: The store cannot be used.
            OSError: A store of files cannot be read or written.

        """
        tokens = self._tokens()
        if self._is_fresh(tokens, refused):
            return tokens.access_token
        with self._store.locked():
            return self._refreshed(refused).access_token

    def end(self, reason: str = "") -> None:
        """
        Log out: end the session at the authority, then forget the tokens.

        Raises:
            SessiondError: The authority could not be told; the tokens are kept, so that it can be tried again.
            TokenStoreError: The store cannot be used.
            OSError: A store of files cannot be read or written.

        """
        with self._store.locked():
            tokens = self._store.read()
            if tokens is None:
                return
            try:
                self._client.revoke_session(token=tokens.refresh_token, reason=reason)
            except SessiondError as error:
                if error.advice is not Advice.LOG_IN_AGAIN:
                    raise
            self._store.clear()

    def _refreshed(self, refused: str | None) -> Tokens:
        """Refresh what the store holds, and follow the store where somebody else changed it. Under the lock."""
        for _ in range(_ROUNDS):
            tokens = self._tokens()
            if self._is_fresh(tokens, refused):
                return tokens
            paused = self._paused(tokens)
            if paused is not None:
                return self._make_do(tokens, refused, paused)
            try:
                newer = self._client.refresh(
                    tokens.refresh_token,
                    retry_key=retry_key(self._store.secret(), tokens.refresh_token),
                    device=self._device,
                    tenant=self._tenant,
                )
            except SessiondError as error:
                failure = error
            else:
                return self._keep(newer)
            if self._holds(tokens):
                return self._give_up(tokens, refused, failure)
        raise failure

    def _give_up(self, tokens: Tokens, refused: str | None, error: SessiondError) -> Tokens:
        """Do what the advice says, with tokens that stand in the store unchanged."""
        if error.advice is Advice.LOG_IN_AGAIN:
            self._store.clear()
        if error.advice not in _KEEP:
            raise error
        self._pause = _Pause(tokens.refresh_token, self._clock.monotonic_ms() + self._wait_ms(error), error)
        return self._make_do(tokens, refused, error)

    def _make_do(self, tokens: Tokens, refused: str | None, error: SessiondError) -> Tokens:
        """Go on with the access token at hand while it lives."""
        if tokens.access_token != refused and tokens.is_alive(self._clock.wall_ms()):
            return tokens
        raise error.with_traceback(None)

    def _keep(self, newer: Tokens) -> Tokens:
        """Store what a refresh gave, unless the store is further on, of another login, or was emptied meanwhile."""
        stored = self._tokens()
        if stored.session_id != newer.session_id or stored.generation > newer.generation:
            return stored
        self._store.write(newer)
        return newer

    def _tokens(self) -> Tokens:
        tokens = self._store.read()
        if tokens is None:
            message = "the token store holds no session: log in"
            raise LoggedOutError(message)
        return tokens

    def _holds(self, tokens: Tokens) -> bool:
        stored = self._store.read()
        return stored is not None and stored.refresh_token == tokens.refresh_token

    def _is_fresh(self, tokens: Tokens, refused: str | None) -> bool:
        return tokens.access_token != refused and tokens.is_fresh(self._clock.wall_ms())

    def _paused(self, tokens: Tokens) -> SessiondError | None:
        pause = self._pause
        if pause is None or pause.refresh_token != tokens.refresh_token:
            return None
        return pause.error if self._clock.monotonic_ms() < pause.until_ms else None

    def _wait_ms(self, error: SessiondError) -> int:
        """Say how long not to ask again: after a straggler until its window is over, else as the authority says."""
        if isinstance(error, TokenRefusedError) and error.cause is Cause.SUPERSEDED:
            return round(self._straggler_window_seconds * 1000)
        return round(_PAUSE_SECONDS * 1000) if error.retry_after_ms is None else error.retry_after_ms
