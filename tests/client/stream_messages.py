"""Messages of WatchRevocations as an authority would send them, and tokens to judge with what they tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from sessiond.client.replica import Knowledge, Replica
from sessiond.errors import Cause, InvalidAccessToken
from sessiond.ids import new_session_id
from sessiond.token.sign import SigningKey, sign_access_token
from sessiond.v1 import key_service_pb2, revocation_service_pb2
from tests.vectors.token_samples import ACCESS_CLAIMS, ACCESS_KEY, AUDIENCE, ISSUER, NOW, SUBJECT_HASH

Message = revocation_service_pb2.WatchRevocationsResponse
Entry = revocation_service_pb2.RevocationEntry

NOW_MS = NOW * 1000
BOOT_MS = 5_000_000
KEEP_UNTIL = NOW + 1000
LEEWAY = 30
BORN = ACCESS_CLAIMS.born


def session_id(number: int) -> bytes:
    """Name a session."""
    return new_session_id(NOW_MS, SUBJECT_HASH, number.to_bytes(8, "big"))


def token(number: int = 0, key: SigningKey = ACCESS_KEY) -> str:
    """Issue an access token of a session of the one subject that there is."""
    return sign_access_token(key, replace(ACCESS_CLAIMS, session_id=session_id(number)))


def ended(revision: int, number: int, cause: int = Cause.REVOKED, keep_until: int = KEEP_UNTIL) -> Entry:
    """Tell that a session ended."""
    end = revocation_service_pb2.SessionEnded(session_id=session_id(number))
    end.cause = cause  # type: ignore[assignment] # enums of proto3 are open
    return Entry(revision=revision, keep_until=keep_until, session_ended=end)


def cut(revision: int, kind: str, scope_hash: bytes = b"", spared: int | None = None) -> Entry:
    """Tell that a scope was cut; *spared* is the session that it spares."""
    scope_cut = revocation_service_pb2.ScopeCut(
        scope_kind=f"SCOPE_KIND_{kind}",
        scope_hash=scope_hash,
        except_session_id=b"" if spared is None else session_id(spared),
        except_until=0 if spared is None else KEEP_UNTIL,
    )
    return Entry(revision=revision, keep_until=KEEP_UNTIL, scope_cut=scope_cut)


def key_message(key: SigningKey, state: str = "ACTIVE") -> key_service_pb2.Key:
    """Publish a key."""
    return key_service_pb2.Key(
        key_id=key.key_id.hex(),
        purpose="KEY_PURPOSE_ACCESS",
        state=f"KEY_STATE_{state}",
        format=1,
        public_key=key.public_key,
    )


def keyset(*keys: key_service_pb2.Key) -> revocation_service_pb2.AccessKeyset:
    """Publish a keyset; without any *keys* that of the one key there is."""
    published = keys or (key_message(ACCESS_KEY),)
    return revocation_service_pb2.AccessKeyset(keys=published, issuer=ISSUER, leeway=Duration(seconds=LEEWAY))


def told(
    cursor: int,
    *entries: Entry,
    caught_up: bool = True,
    reset: bool = False,
    keys: revocation_service_pb2.AccessKeyset | None = None,
    server_ms: int = NOW_MS,
) -> Message:
    """Make one message."""
    time = Timestamp(seconds=server_ms // 1000, nanos=server_ms % 1000 * 1_000_000)
    return Message(cursor=cursor, reset=reset, caught_up=caught_up, entries=entries, keyset=keys, server_time=time)


def first(cursor: int, *entries: Entry, caught_up: bool = True) -> Message:
    """Make the first message of a stream from the beginning."""
    return told(cursor, *entries, caught_up=caught_up, reset=True, keys=keyset())


def replica_of(*messages: Message) -> Replica:
    """Make a replica that got some messages as they were sent."""
    replica = Replica(0, lambda _verifier: None)
    hear(replica, *messages)
    return replica


def hear(replica: Replica, *messages: Message, boot_ms: int = BOOT_MS, wall_ms: int = NOW_MS) -> None:
    """Let a replica receive some messages at one moment."""
    for message in messages:
        replica.apply(message, boot_ms=boot_ms, wall_ms=wall_ms)


def known(replica: Replica) -> Knowledge:
    """Give what a replica knows that knows something."""
    assert replica.knowledge is not None
    return replica.knowledge


def cause(replica: Replica, access_token: str) -> Cause | None:
    """Say why a token is refused; None where it is good."""
    knowledge = known(replica)
    try:
        knowledge.verifier.verify(access_token, audience=AUDIENCE, now=NOW, leeway=knowledge.leeway_seconds)
    except InvalidAccessToken as refusal:
        return refusal.cause
    return None


def causes(replica: Replica, numbers: Iterable[int]) -> list[Cause | None]:
    """Say the same of a token of each of some sessions."""
    return [cause(replica, token(number)) for number in numbers]
