"""Two server processes on one data directory: what one has acknowledged, the other knows."""

from __future__ import annotations

import base64
import threading
from collections import Counter
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

from sessiond.ids import parse_session_id
from sessiond.v1 import key_service_pb2 as keys_pb
from sessiond.v1 import revocation_service_pb2 as revocation_pb
from sessiond.v1 import session_service_pb2 as pb
from sessiond.v1 import verification_service_pb2 as verification_pb
from tests.process.servers import Server, Stubs, serving
from tests.rpc.answers import answer

PURPOSES = (keys_pb.KEY_PURPOSE_REFRESH, keys_pb.KEY_PURPOSE_ACCESS)
WAIT_SECONDS = 30


def two_servers(tmp_path: Path, *flags: str, **settings: Any) -> tuple[Server, Server]:
    """Give two servers on one data directory, neither started."""
    first = Server(tmp_path, "first", *flags, **settings)
    return first, Server(tmp_path, "second", *flags, data=first.data, **settings)


def login(stubs: Stubs) -> Any:
    """Open a session for alice of acme."""
    return stubs.sessions.CreateSession(pb.CreateSessionRequest(tenant="acme", subject="alice")).tokens


def refresh(stubs: Stubs, refresh_token: str) -> Any:
    """Trade a refresh token."""
    return stubs.sessions.Refresh(pb.RefreshRequest(refresh_token=refresh_token)).tokens


def verified_subject(stubs: Stubs, access_token: str) -> str:
    """Verify an access token, and give its subject."""
    return str(stubs.verification.Verify(verification_pb.VerifyRequest(access_token=access_token)).subject)


def keyset(stubs: Stubs) -> list[Any]:
    """Read the keyset."""
    return list(stubs.keys.GetKeyset(keys_pb.GetKeysetRequest()).keys)


def rotate(stubs: Stubs, purpose: Any, *, immediately: bool = False) -> str:
    """Make the next key of a purpose, and give its id."""
    request = keys_pb.RotateKeyRequest(purpose=purpose, activate_immediately=immediately)
    return str(stubs.keys.RotateKey(request).key.key_id)


def test_first_starts_at_once_make_one_keyset(tmp_path: Path) -> None:
    """Two processes that start at once on an empty directory agree on the keys and the secrets."""
    first, second = two_servers(tmp_path)
    with serving(first, second), Stubs(first.grpc) as one, Stubs(second.grpc) as other:
        assert keyset(one) == keyset(other)
        assert sorted(PURPOSES) == sorted(key.purpose for key in keyset(one))
        tokens = login(one)
        assert refresh(other, tokens.refresh_token).generation == 1
        listed = other.sessions.ListSessions(pb.ListSessionsRequest(tenant="acme", subject="alice")).sessions
        assert [tokens.session_id] == [session.session_id for session in listed]


def test_revocation_is_seen_by_the_other_process_at_once(tmp_path: Path) -> None:
    """A session that one process has revoked is refused by another process on the same data, with no gap."""
    first, second = two_servers(tmp_path)
    with serving(first, second), Stubs(first.grpc) as one, Stubs(second.grpc) as other:
        for _ in range(100):
            tokens = login(one)
            assert verified_subject(other, tokens.access_token) == "alice"
            one.sessions.RevokeSession(pb.RevokeSessionRequest(session_id=tokens.session_id))
            verify = verification_pb.VerifyRequest(access_token=tokens.access_token)
            assert answer(other.verification.Verify, verify).cause == "REVOKED"
            assert (
                answer(other.sessions.Refresh, pb.RefreshRequest(refresh_token=tokens.refresh_token)).cause == "REVOKED"
            )


def test_revocation_reaches_those_who_watch_the_other_process(tmp_path: Path) -> None:
    """What one process has revoked is told by the other to its watchers, each once and in order, and a new key too."""
    first, second = two_servers(tmp_path)
    with serving(first, second), Stubs(first.grpc) as one, Stubs(second.grpc) as other:
        watch = other.revocations.WatchRevocations(revocation_pb.WatchRevocationsRequest())
        assert next(watch).reset
        revoked = []
        for _ in range(50):
            revoked.append(login(one).session_id)
            one.sessions.RevokeSession(pb.RevokeSessionRequest(session_id=revoked[-1]))
        told: list[bytes] = []
        while len(told) < 50:
            told += [entry.session_ended.session_id for entry in next(watch).entries]
        assert [parse_session_id(session_id) for session_id in revoked] == told
        key_id = rotate(one, keys_pb.KEY_PURPOSE_ACCESS)
        keyset = next(message.keyset for message in watch if message.HasField("keyset"))
        assert key_id in {key.key_id for key in keyset.keys}


def test_theft_found_by_one_process_is_known_to_the_other(tmp_path: Path) -> None:
    """A session that one process ended because a spent token came back is refused by the other, with no gap."""
    first, second = two_servers(tmp_path, SESSIOND_POLICY__STRAGGLER_WINDOW_SECONDS="0")
    with serving(first, second), Stubs(first.grpc) as one, Stubs(second.grpc) as other:
        tokens = login(one)
        newest = refresh(one, refresh(other, tokens.refresh_token).refresh_token)
        spent = pb.RefreshRequest(refresh_token=tokens.refresh_token)
        assert answer(other.sessions.Refresh, spent).cause == "REUSED"
        verify = verification_pb.VerifyRequest(access_token=newest.access_token)
        assert answer(one.verification.Verify, verify).cause == "REUSED"


def key_id_of(refresh_token: str) -> str:
    """Read which key signed a refresh token."""
    return base64.urlsafe_b64decode(refresh_token.removeprefix("sdr_"))[8:16].hex()


def test_keys_are_known_to_the_other_process_at_once(tmp_path: Path) -> None:
    """A key that one process made signs at both at once, and one that it revoked is refused by both, with no gap."""
    first, second = two_servers(tmp_path)
    with serving(first, second), Stubs(first.grpc) as one, Stubs(second.grpc) as other:
        for here, there in [(one, other), (other, one)] * 5:
            before = login(there)
            key_id = rotate(here, keys_pb.KEY_PURPOSE_REFRESH, immediately=True)
            after = login(there)
            assert key_id == key_id_of(after.refresh_token)
            assert key_id == key_id_of(refresh(there, before.refresh_token).refresh_token)
            assert keyset(here) == keyset(there)
            here.keys.RevokeKey(keys_pb.RevokeKeyRequest(key_id=key_id))
            spent = pb.RefreshRequest(refresh_token=after.refresh_token)
            assert answer(there.sessions.Refresh, spent).cause == "KEY_REVOKED"

            key_id = rotate(here, keys_pb.KEY_PURPOSE_ACCESS, immediately=True)
            assert verified_subject(there, before.access_token) == "alice"
            signed_here = login(here).access_token
            assert verified_subject(there, signed_here) == "alice"
            here.keys.RevokeKey(keys_pb.RevokeKeyRequest(key_id=key_id))
            verify = verification_pb.VerifyRequest(access_token=signed_here)
            assert answer(there.verification.Verify, verify).cause == "KEY_REVOKED"
            assert verified_subject(here, login(there).access_token) == "alice"


@pytest.mark.parametrize("immediately", [False, True], ids=["published first", "at once"])
def test_rotations_at_one_time_keep_the_keyset_whole(tmp_path: Path, *, immediately: bool) -> None:
    """
    Rotations that both processes are asked for at one time: one new key where it is published first.

    Where each is to sign at once there is one more key for each, and exactly one of them signs.
    """
    callers, start = 8, threading.Barrier(8)
    first, second = two_servers(tmp_path)
    with (
        serving(first, second),
        Stubs(first.grpc) as one,
        Stubs(second.grpc) as other,
        futures.ThreadPoolExecutor(callers) as threads,
    ):

        def ask(number: int) -> str:
            start.wait(WAIT_SECONDS)
            return rotate((one, other)[number % 2], keys_pb.KEY_PURPOSE_ACCESS, immediately=immediately)

        made = set(threads.map(ask, range(callers)))
        access = [key for key in keyset(one) if key.purpose == keys_pb.KEY_PURPOSE_ACCESS]
        states = Counter(key.state for key in access)
    assert len(made) == (callers if immediately else 1)
    assert len(access) == 1 + len(made)
    assert (1, 0 if immediately else 1) == (states[keys_pb.KEY_STATE_ACTIVE], states[keys_pb.KEY_STATE_PENDING])


def test_logins_repeated_at_the_other_process_open_one_session(tmp_path: Path) -> None:
    """A login with one request id at both processes at one time opens one session with one refresh token."""
    callers, start = 8, threading.Barrier(8)
    first, second = two_servers(tmp_path)
    with (
        serving(first, second),
        Stubs(first.grpc) as one,
        Stubs(second.grpc) as other,
        futures.ThreadPoolExecutor(callers) as threads,
    ):

        def ask(number: int) -> tuple[str, str]:
            request = pb.CreateSessionRequest(tenant="acme", subject="alice", request_id="login 1")
            start.wait(WAIT_SECONDS)
            tokens = (one, other)[number % 2].sessions.CreateSession(request).tokens
            return tokens.session_id, tokens.refresh_token

        assert len(set(threads.map(ask, range(callers)))) == 1


def test_refreshes_of_one_token_at_both_processes_make_one_generation(tmp_path: Path) -> None:
    """However a race is spread over both processes, each round has one new generation and one successor for all."""
    callers, start = 16, threading.Barrier(16)
    first, second = two_servers(tmp_path)
    with (
        serving(first, second),
        Stubs(first.grpc) as one,
        Stubs(second.grpc) as other,
        futures.ThreadPoolExecutor(callers) as threads,
    ):
        token = login(one).refresh_token

        def ask(number: int) -> tuple[int, str]:
            start.wait(WAIT_SECONDS)
            tokens = refresh((one, other)[number % 2], token)
            return tokens.generation, tokens.refresh_token

        for generation in range(1, 21):
            ((made, token),) = set(threads.map(ask, range(callers)))
            assert generation == made


def test_two_processes_share_a_port_when_told(tmp_path: Path) -> None:
    """With --reuse-port a second process takes the same port and serves on after the first; without, it is refused."""
    first = Server(tmp_path, "first", "--reuse-port")
    with serving(first):
        second = Server(tmp_path, "second", "--reuse-port", data=first.data, listen=first.grpc)
        third = Server(tmp_path, "third", data=first.data, listen=first.grpc)
        with serving(second):
            assert first.grpc == second.grpc
            refusal = pytest.raises(AssertionError, match=f"cannot listen on {first.grpc} for gRPC")
            with refusal, serving(third):
                pass
            assert first.stop() == 0
            with Stubs(second.grpc) as stubs:
                assert verified_subject(stubs, login(stubs).access_token) == "alice"
