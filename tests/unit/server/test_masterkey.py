"""The master key: where it is read from, and how a development server makes its own."""

from __future__ import annotations

from concurrent import futures
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from sessiond.server.config import DEV_DEFAULTS, Config, ConfigError, load
from sessiond.server.masterkey import DEV_FILE_NAME, dev_master_key_file, read_master_key

if TYPE_CHECKING:
    from pathlib import Path

MASTER_KEY = "5e" * 32
ONE_OF_THREE = "give exactly one of master_key, master_key_file, master_key_command"


def config_with(**keys: Any) -> Any:
    return load(keys, defaults=DEV_DEFAULTS)


def test_master_key_from_each_place(tmp_path: Path) -> None:
    """The master key comes from the environment, a file or a command, and is the same 32 bytes."""
    file = tmp_path / "key"
    file.write_text(MASTER_KEY + "\n")
    file.chmod(0o600)
    told = ({"master_key": MASTER_KEY}, {"master_key_file": file}, {"master_key_command": f"cat '{file}'"})
    assert [bytes.fromhex(MASTER_KEY)] * 3 == [read_master_key(config_with(**one)) for one in told]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, f"{ONE_OF_THREE}: none of them is given"),
        (
            {"master_key": MASTER_KEY, "master_key_command": "true"},
            f"{ONE_OF_THREE}: master_key and master_key_command are given",
        ),
        (
            {"master_key": "ab"},
            "master_key: a master key is 64 hexadecimal digits, as `openssl rand -hex 32` prints them",
        ),
        ({"master_key_file": "/nowhere/key"}, "master_key_file: /nowhere/key: No such file or directory"),
        ({"master_key_command": "false"}, "master_key_command: ended with exit code 1"),
        ({"master_key_command": "/nowhere/command"}, "master_key_command: cannot be run: No such file or directory"),
        ({"master_key_command": ""}, "master_key_command: is empty"),
        ({"master_key_command": "echo '"}, "master_key_command: cannot be read: No closing quotation"),
        (
            {"master_key_command": "printf '\\377'"},
            "master_key_command: a master key is 64 hexadecimal digits, as `openssl rand -hex 32` prints them",
        ),
    ],
)
def test_bad_master_key(keys: dict[str, str], expected: str) -> None:
    """A master key that is missing, doubled or none is refused with the key's name."""
    with pytest.raises(ConfigError) as caught:
        read_master_key(config_with(**keys))
    assert expected == str(caught.value)


def test_command_that_gives_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that hangs is ended, and the server says so instead of waiting for ever."""
    monkeypatch.setattr("sessiond.server.masterkey._COMMAND_SECONDS", 0.05)
    with pytest.raises(ConfigError, match=r"^master_key_command: gave nothing within 0\.05 s$"):
        read_master_key(config_with(master_key_command="sleep 60"))


def test_dev_master_key_is_made_once(tmp_path: Path) -> None:
    """A development server makes its key at the first start, for its owner only, and keeps it."""
    data = tmp_path / "data"
    first = dev_master_key_file(data).read_text()
    again = dev_master_key_file(data)
    assert (first, 0o600, 0o700) == (again.read_text(), again.stat().st_mode & 0o777, data.stat().st_mode & 0o777)


def test_dev_master_key_is_not_replaced(tmp_path: Path) -> None:
    """Where a store stands without its key, no other key is made."""
    (tmp_path / "data.mdb").write_bytes(b"a store")
    (tmp_path / ".master.key.half").write_bytes(b"what a crash left")
    with pytest.raises(ConfigError, match=r"there is a store but no master\.key"):
        dev_master_key_file(tmp_path)
    assert not (tmp_path / DEV_FILE_NAME).exists()


def test_two_first_starts_agree_on_the_key(tmp_path: Path) -> None:
    """Of many development servers that start at once, all read the one key that was made first."""
    for number in range(20):
        with futures.ThreadPoolExecutor(8) as starters:
            files = list(starters.map(dev_master_key_file, [tmp_path / str(number)] * 8))
        assert len({file.read_text() for file in files}) == 1
        assert [DEV_FILE_NAME] == [file.name for file in (tmp_path / str(number)).iterdir()]


def test_directory_that_cannot_keep_a_key(tmp_path: Path) -> None:
    """A place where no directory can be made is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file/data: Not a directory: cannot keep a master key there"):
        dev_master_key_file(tmp_path / "file" / "data")


def test_open_key_file_is_reported(tmp_path: Path) -> None:
    """A key file that others can read is used, with a warning that says how to mend it and does not show the key."""
    file = tmp_path / "key"
    file.write_text(MASTER_KEY)
    file.chmod(0o640)
    with capture_logs() as logged:
        assert read_master_key(config_with(master_key_file=file)) == bytes.fromhex(MASTER_KEY)
    assert [("warning", f"chmod 600 {file}")] == [(line["log_level"], line["mend"]) for line in logged]
    assert MASTER_KEY not in repr(logged)


def test_configuration_never_shows_the_master_key() -> None:
    """A configuration that is printed, by a traceback or in a log, does not show the key."""
    config: Config = config_with(master_key=MASTER_KEY)
    assert MASTER_KEY not in f"{config!r}{config}{config.model_dump()}"
