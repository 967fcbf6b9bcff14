"""What keeps a server from starting: one clear message, an exit code other than 0, and nothing overwritten."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest

from sessiond.v1 import session_service_pb2 as pb
from tests.process.servers import START_SECONDS, TEST_MASTER_KEY, Server, Stubs, command, environment, serving
from tests.rpc.answers import Answer, answer

TABLES = 16
COUNTERS = (b"meta", b"counters")
"""The one record that time alone changes: it holds the serving clock."""

NFS_MAGIC = 0x6969
STATFS_SHIM = f"""
#include <string.h>
int statfs(const char *path, void *answer)
{{
    const long magic = {NFS_MAGIC};
    (void)path;
    memset(answer, 0, 120);
    memcpy(answer, &magic, sizeof magic);
    return 0;
}}
"""
"""Says of every path that it lies on NFS, as statfs(2) would."""


def opened(data: Path) -> lmdb.Environment:
    """Open a store beside sessiond, as a tool for repairs would."""
    return lmdb.open(str(data), max_dbs=TABLES, lib_version=0)


def records(data: Path) -> dict[tuple[bytes, bytes], bytes]:
    """Give every record of a store, the serving clock apart."""
    with opened(data) as environment, environment.begin() as txn:
        names = [bytes(name) for name, _ in txn.cursor()]
        tables = {name: environment.open_db(name, txn=txn, create=False) for name in names}
        found = {(name, bytes(key)): bytes(value) for name in names for key, value in txn.cursor(tables[name])}
    del found[COUNTERS]
    return found


def change_record(data: Path, table: bytes, change: Callable[[bytes], bytes]) -> None:
    """Change the first record of a table, behind the back of every release of sessiond."""
    with opened(data) as environment, environment.begin(write=True) as txn:
        db = environment.open_db(table, txn=txn, create=False)
        key, value = next(iter(txn.cursor(db)))
        txn.put(bytes(key), change(bytes(value)), db=db)


def files(folder: Path) -> dict[str, str]:
    """Give a hash of each file, the lock file of LMDB apart: it is rebuilt at every opening."""
    found = (file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != "lock.mdb")
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in found}


def message_of_failure(data: Path, *flags: str, **variables: str) -> str:
    """Start a server that must refuse to, and give its one message."""
    told = {
        "SESSIOND_MASTER_KEY": TEST_MASTER_KEY,
        "SESSIOND_ISSUER": "https://test.invalid",
        "SESSIOND_AUDIENCE": "test",
        "SESSIOND_LISTEN": "127.0.0.1:0",
        "SESSIOND_HTTP": "127.0.0.1:0",
        "SESSIOND_DATA": str(data),
        **variables,
    }
    done = subprocess.run(
        command(*flags), env=environment(**told), capture_output=True, text=True, timeout=START_SECONDS, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("sessiond: ")]
    assert len(lines) == 1, done.stderr
    assert TEST_MASTER_KEY not in done.stderr
    return lines[0].removeprefix("sessiond: ")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a directory with a store that holds one session, once."""
    server = Server(tmp_path_factory.mktemp("store"))
    with serving(server), Stubs(server.grpc) as stubs:
        stubs.sessions.CreateSession(pb.CreateSessionRequest(tenant="acme", subject="alice"))
        assert server.stop() == 0
    return server.data


@pytest.fixture
def data(store: Path, tmp_path: Path) -> Path:
    """Give a copy of that directory."""
    return Path(shutil.copytree(store, tmp_path / "data"))


def test_wrong_master_key(data: Path) -> None:
    """A store that was sealed under another master key is left alone, and the message says which key to use."""
    before = records(data)
    message = message_of_failure(data, SESSIOND_MASTER_KEY="00" * 32)
    assert "the master key does not open the installation of this store" in message
    assert "Start with the master key that the store was made with" in message
    assert before == records(data)


def flipped(value: bytes) -> bytes:
    """Flip one bit in the middle."""
    middle = len(value) // 2
    return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]


@pytest.mark.parametrize("table", [b"keys", b"meta"])
def test_corrupt_record(data: Path, table: bytes) -> None:
    """A record that is needed at the start and is damaged by one bit is named and not overwritten."""
    change_record(data, table, flipped)
    before = records(data) if table != b"meta" else {}
    message = message_of_failure(data)
    assert f"the record {table.decode()}/" in message
    assert "restore the store from a backup" in message
    assert before == (records(data) if table != b"meta" else {})


def test_record_of_a_newer_release(data: Path) -> None:
    """A record of a newer format is neither read nor rewritten, and the message says to run that release."""
    change_record(data, b"keys", lambda value: b"\xff" + value[1:])
    before = records(data)
    message_of_failure(data)
    assert before == records(data)


def test_corrupt_session(tmp_path: Path) -> None:
    """A session whose record is damaged is refused and not overwritten; the others are served."""
    server = Server(tmp_path)
    with serving(server), Stubs(server.grpc) as stubs:
        sick, well = (
            stubs.sessions.CreateSession(pb.CreateSessionRequest(tenant="acme", subject=subject)).tokens
            for subject in ("alice", "bob")
        )
        assert server.stop() == 0
    change_record(server.data, b"sessions", flipped)
    before = {key: value for key, value in records(server.data).items() if key[0] == b"sessions"}
    with serving(server), Stubs(server.grpc) as stubs:
        refresh = stubs.sessions.Refresh
        expected = Answer("UNAVAILABLE", "STORE_UNAVAILABLE", "", "KEEP_CURRENT_TOKENS")
        assert expected == answer(refresh, pb.RefreshRequest(refresh_token=sick.refresh_token))
        assert expected == answer(stubs.sessions.GetSession, pb.GetSessionRequest(session_id=sick.session_id))
        assert refresh(pb.RefreshRequest(refresh_token=well.refresh_token)).tokens.generation == 1
        assert server.stop() == 0
    after = records(server.data)
    (sick_key,) = (key for key, value in before.items() if after[key] == value)
    assert sick_key[1].hex() == sick.session_id.replace("-", "")


def test_file_of_the_other_format(tmp_path: Path) -> None:
    """A data file of the other LMDB engine is left alone."""
    folder = tmp_path / "data"
    folder.mkdir()
    with lmdb.open(str(folder), lib_version=1) as environment, environment.begin(write=True) as txn:
        txn.put(b"precious", b"data")
    before = files(folder)
    message = message_of_failure(folder)
    assert "data.mdb: is of the file format of LMDB 1.0" in message
    assert "choose another data directory" in message
    assert before == files(folder)


@pytest.mark.parametrize("content", [b"minutes of the meeting\n" * 1000, b"\0" * 65536, b"x"])
def test_file_that_is_no_store(tmp_path: Path, content: bytes) -> None:
    """A data file that is something else is left alone."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "data.mdb").write_bytes(content)
    before = files(folder)
    assert "choose another data directory" in message_of_failure(folder)
    assert before == files(folder)


def test_store_of_another_program(tmp_path: Path) -> None:
    """An LMDB file of the right format with the data of another program is left alone."""
    folder = tmp_path / "data"
    folder.mkdir()
    with opened(folder) as environment, environment.begin(write=True) as txn:
        txn.put(b"precious", b"data")
    before = files(folder)
    assert "belongs to another program: choose another data directory" in message_of_failure(folder)
    assert before == files(folder)


def test_file_that_was_cut_off(data: Path) -> None:
    """A data file that lost its end is left alone."""
    file = data / "data.mdb"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    before = files(data)
    assert "restore the store from a backup" in message_of_failure(data)
    assert before == files(data)


def test_network_file_system(tmp_path: Path) -> None:
    """A data directory on NFS (which statfs is made to say) is refused before anything is made there."""
    source, library = tmp_path / "statfs.c", tmp_path / "statfs.so"
    source.write_text(STATFS_SHIM)
    compile_shim = ["gcc", "-shared", "-fPIC", "-o", str(library), str(source)]
    subprocess.run(compile_shim, check=True, timeout=START_SECONDS)
    message = message_of_failure(tmp_path / "data", LD_PRELOAD=str(library))
    assert "lies on NFS, on which LMDB is not safe: put the data on a local file system" in message
    assert not (tmp_path / "data").exists()


def test_data_directory_that_is_a_file(tmp_path: Path) -> None:
    """A file in the place of the data directory is left alone."""
    (tmp_path / "data").write_text("precious")
    assert "is not a directory: choose another path" in message_of_failure(tmp_path / "data")
    assert (tmp_path / "data").read_text() == "precious"


@pytest.mark.parametrize(("variable", "protocol", "flag"), [("LISTEN", "gRPC", "listen"), ("HTTP", "HTTP", "http")])
def test_port_in_use(data: Path, variable: str, protocol: str, flag: str) -> None:
    """A port that is taken is named, with what to do."""
    before = records(data)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        message = message_of_failure(data, **{f"SESSIOND_{variable}": address})
    assert f"cannot listen on {address} for {protocol}" in message
    assert f"stop what listens there, or choose another with --{flag}" in message
    assert before == records(data)


def test_bad_configuration(tmp_path: Path) -> None:
    """A bad file names the key, and no store is made."""
    file = tmp_path / "sessiond.toml"
    file.write_text("[policy]\nretry_window = 5\n")
    message = message_of_failure(tmp_path / "data", "--config", str(file))
    assert message == "policy.retry_window: no such key"
    assert not (tmp_path / "data").exists()


def test_bad_master_key(tmp_path: Path) -> None:
    """What is no master key is refused with how to make one, and no store is made."""
    assert "openssl rand -hex 32" in message_of_failure(tmp_path / "data", SESSIOND_MASTER_KEY="short")
    assert not (tmp_path / "data").exists()


def test_open_address(tmp_path: Path) -> None:
    """An address that other machines reach is refused without TLS, unless the operator insists."""
    message = message_of_failure(tmp_path / "data", SESSIOND_LISTEN="0.0.0.0:0")
    assert "other machines reach 0.0.0.0:0" in message
    assert "insecure_listen = true" in message
    assert not (tmp_path / "data").exists()


def test_ready_file_that_cannot_be_written(tmp_path: Path) -> None:
    """A server that cannot tell its addresses does not serve on in silence."""
    message = message_of_failure(tmp_path / "data", "--ready-file", str(tmp_path / "none" / "ready"))
    assert message == f"--ready-file: {tmp_path / 'none' / 'ready'}: No such file or directory"
