"""Server processes widen the tables of their keys, share them, and serve whatever happens to them."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import httpx

from sessiond.v1 import key_service_pb2 as keys_pb
from sessiond.v1 import session_service_pb2 as pb
from sessiond.v1 import verification_service_pb2 as verification_pb
from tests.process.servers import START_SECONDS, Server, Stubs, serving

SMALL, DEFAULT = 32, 21


def tables(server: Server) -> Any:
    """Read what the health page tells of the tables."""
    return httpx.get(f"http://{server.http}/healthz").json()["key_tables"]


def windows(told: Any) -> set[int]:
    """Give how wide the tables are, of keys and base point."""
    return {one["windows"] for one in (told["base_point"], *told["keys"].values())}


def wide(server: Server, n_keys: int = 2) -> Any:
    """Wait until the tables of all keys are wide."""
    deadline = time.monotonic() + START_SECONDS
    while windows(told := tables(server)) != {DEFAULT} or len(told["keys"]) != n_keys:
        assert time.monotonic() < deadline, told
        time.sleep(0.01)
    return told


def mapped_files(server: Server) -> dict[str, str]:
    """Give the inode of each table that a server has mapped."""
    assert server.process is not None
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    return {name: inode for inode, name in re.findall(r" (\d+) +\S+/key_tables/(\S+\.table)\n", maps)}


def verified(server: Server) -> str:
    """Open a session and verify its token, refresh it, and verify again."""
    with Stubs(server.grpc) as stubs:
        tokens = stubs.sessions.CreateSession(pb.CreateSessionRequest(tenant="acme", subject="alice")).tokens
        tokens = stubs.sessions.Refresh(pb.RefreshRequest(refresh_token=tokens.refresh_token)).tokens
        request = verification_pb.VerifyRequest(access_token=tokens.access_token)
        return str(stubs.verification.Verify(request).subject)


def test_two_servers_share_the_tables_of_their_keys(tmp_path: Path) -> None:
    """Both keys and the base point are wide in both processes, and the files that they map are the same ones."""
    first = Server(tmp_path, "first")
    second = Server(tmp_path, "second", data=first.data)
    with serving(first, second):
        told = wide(first)

        assert told == wide(second)
        assert 3 == len(taken := [told["base_point"], *told["keys"].values()])
        assert all(4_700_000 < one["memory_bytes"] <= 5_000_000 for one in taken)
        assert 3 == len(mapped_files(first))
        assert mapped_files(first) == mapped_files(second)
        assert {path.name: str(path.stat().st_ino) for path in (first.data / "key_tables").iterdir()} == mapped_files(
            first
        )
        assert ["alice", "alice"] == [verified(first), verified(second)]
    assert "warning" not in first.log.read_text() + second.log.read_text()


def test_a_new_key_becomes_wide(tmp_path: Path) -> None:
    """A key that is made while the server runs is widened, and so is the one that takes the place of a revoked key."""
    server = Server(tmp_path)
    with serving(server), Stubs(server.grpc) as stubs:
        before = wide(server)
        request = keys_pb.RotateKeyRequest(purpose=keys_pb.KEY_PURPOSE_ACCESS, activate_immediately=True)
        new = stubs.keys.RotateKey(request).key.key_id
        after = wide(server, 3)
        assert {new} == set(after["keys"]) - set(before["keys"])
        assert "alice" == verified(server)

        stubs.keys.RevokeKey(keys_pb.RevokeKeyRequest(key_id=new))
        assert {*after["keys"]} < {*wide(server, 4)["keys"]}
        assert "alice" == verified(server)


def test_without_memory_for_tables_there_are_none(tmp_path: Path) -> None:
    """With 0 a server serves with small tables, and keeps no files."""
    server = Server(tmp_path, SESSIOND_KEY_TABLE_BYTES="0")
    with serving(server):
        told = tables(server)

        assert {SMALL} == windows(told)
        assert told["base_point"]["memory_bytes"] < 400_000
        assert "alice" == verified(server)
        assert not (server.data / "key_tables").exists()


def test_a_damaged_table_is_logged_and_made_again(tmp_path: Path) -> None:
    """A file whose bits changed while no server ran keeps none from starting; the log says which one it was."""
    server = Server(tmp_path)
    with serving(server):
        wide(server)
        server.stop()
    damaged = next(path for path in (server.data / "key_tables").iterdir() if not path.name.startswith("base"))
    data = bytearray(damaged.read_bytes())
    data[1_000_000] ^= 1
    damaged.chmod(0o600)
    damaged.write_bytes(data)
    damaged.chmod(0o400)
    with serving(server):
        wide(server)
        assert "alice" == verified(server)

    [line] = [line for line in server.log.read_text().splitlines() if "the table is damaged" in line]
    assert str(damaged) in line
    assert bytes(data) != damaged.read_bytes()
