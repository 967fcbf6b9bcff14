"""The handlers of RevocationService, and how the revocation log is spelled on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from sessiond.authority.revocation_log import can_resume
from sessiond.errors import Cause
from sessiond.server.hub import Look, Piece
from sessiond.server.messages import instant_ms, key_message
from sessiond.store.records import Purpose, RevocationKind
from sessiond.v1 import revocation_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiond.authority.keyring import Keyring
    from sessiond.authority.policy import Policy
    from sessiond.authority.revocation_log import LogPage, RevocationLog
    from sessiond.server.call import Call
    from sessiond.server.hub import Hub
    from sessiond.server.streams import Stream
    from sessiond.store.records import Revocation


class RevocationSource:
    """The revocation log as a hub reads it: each piece is one message, spelled once for all that watch."""

    def __init__(self, log: RevocationLog, policy: Policy) -> None:
        """Spell *log*; *policy* says how long before its time of issue a token is good."""
        self._log = log
        self._leeway = Duration(seconds=policy.leeway_seconds)

    def end(self) -> int:
        """Read the revision."""
        return self._log.revision()

    def read(self, after: int, look: Look) -> Piece[bytes]:
        """Read the next piece."""
        return self._piece(after, self._log.read(after, look.end), look, reset=False)

    def first(self, cursor: int, look: Look) -> Piece[bytes]:
        """Read the first piece for whoever asks for what comes after *cursor*: all of the log, where that is not it."""
        reset = not can_resume(cursor, look.end)
        after = 0 if reset else cursor
        return self._piece(after, self._log.first(after, look.end), look, reset=reset)

    def _piece(self, after: int, told: LogPage, look: Look, *, reset: bool) -> Piece[bytes]:
        message = pb.WatchRevocationsResponse(
            cursor=told.upto,
            reset=reset,
            caught_up=told.upto == look.end,
            entries=[_entry_message(entry) for entry in told.entries],
            keyset=self._keyset_message(told.keyring) if told.keyring is not None else None,
            server_time=instant_ms(look.wall_ms),
        )
        content = message.SerializeToString()
        return Piece(after, told.upto, content, len(content))

    def _keyset_message(self, ring: Keyring) -> pb.AccessKeyset:
        keys = [key_message(key) for key in ring.records if key.purpose is Purpose.ACCESS]
        return pb.AccessKeyset(keys=keys, issuer=ring.issuer, leeway=self._leeway)


class RevocationHandlers:
    """Serves each stream from the hub that all of them share."""

    def __init__(self, source: RevocationSource, hub: Hub[bytes]) -> None:
        """Tell what *hub* brings; it reads *source*."""
        self._source = source
        self._hub = hub

    def watch_revocations(self, call: Call, request: pb.WatchRevocationsRequest, stream: Stream) -> Iterator[bytes]:
        """Tell all that a verifier must know, then what happens."""
        call.caller.must_act_for_every_tenant()
        with self._hub.watched(stream) as look:
            first = self._source.first(request.cursor, look)
            yield first.content
            for told in self._hub.follow(stream, first.upto):
                yield told.content if isinstance(told, Piece) else _heartbeat(told)


def _heartbeat(look: Look) -> bytes:
    message = pb.WatchRevocationsResponse(cursor=look.end, caught_up=True, server_time=instant_ms(look.wall_ms))
    return message.SerializeToString()


def _entry_message(entry: Revocation) -> pb.RevocationEntry:
    message = pb.RevocationEntry(revision=entry.revision, keep_until=entry.keep_until)
    if entry.kind is RevocationKind.SESSION:
        ended = pb.SessionEnded(session_id=entry.session_id, cause=f"CAUSE_{(entry.cause or Cause.REVOKED).name}")
        message.session_ended.CopyFrom(ended)
    elif entry.scope is not None:
        cut = pb.ScopeCut(
            scope_kind=f"SCOPE_KIND_{entry.scope.kind.name}",
            scope_hash=entry.scope.hash,
            except_session_id=entry.except_session_id,
            except_until=entry.except_until,
        )
        message.scope_cut.CopyFrom(cut)
    return message
