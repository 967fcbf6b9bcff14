"""Tables as files: made whole or not at all, and used only where nobody else could have written them."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sessiond.table_files import TableFileError, TableFiles

ROOT = Path(__file__).parents[3]
NAME = "ab12-21.table"
SIZE = 3 * 4096
TABLE = memoryview(os.urandom(SIZE))

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture(params=["unnamed", "named"])
def files(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> TableFiles:
    """Use a directory that is not there yet, on a file system with files without a name, and on one without."""
    if request.param == "named":
        opened = os.open

        def without_unnamed(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), path)
            return opened(path, flags, mode, dir_fd=dir_fd)

        monkeypatch.setattr(os, "open", without_unnamed)
    return TableFiles(tmp_path / "tables")


def names(files: TableFiles) -> list[str]:
    """List the directory."""
    return sorted(path.name for path in files.path(NAME).parent.iterdir())


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond *size* bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_is_mapped_as_it_was_added(files: TableFiles) -> None:
    """What was added is mapped for reading, in a directory of ours alone, under a mode that lets nobody write."""
    assert files.mapped(NAME, SIZE) is None
    files.add(NAME, TABLE)
    mapped = files.mapped(NAME, SIZE)

    assert mapped is not None
    assert TABLE == mapped[:]
    with pytest.raises(TypeError):
        mapped[0] = 0
    assert 0o400 == stat.S_IMODE(files.path(NAME).stat().st_mode)
    assert 0o700 == stat.S_IMODE(files.path(NAME).parent.stat().st_mode)
    assert [NAME] == names(files)


def test_the_first_file_wins(files: TableFiles) -> None:
    """A file that is there stays, whoever adds another: all processes map one."""
    files.add(NAME, TABLE)
    before = files.path(NAME).stat().st_ino
    files.add(NAME, memoryview(bytes(SIZE)))

    assert before == files.path(NAME).stat().st_ino
    assert TABLE == files.path(NAME).read_bytes()
    assert [NAME] == names(files)


def test_a_file_that_cannot_be_written_whole_is_none(files: TableFiles) -> None:
    """Where the disk has no room for all of it, nothing is left and the error is that of the disk."""
    with largest_file(SIZE - 1), pytest.raises(OSError, match="File too large"):
        files.add(NAME, TABLE)

    assert [] == names(files)


KILLED = """
import os, signal, sys
from pathlib import Path
from sessiond.table_files import TableFiles
os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
TableFiles(Path(sys.argv[1])).add(sys.argv[2], memoryview(bytes(4096)))
"""


def test_a_kill_while_a_file_is_written_leaves_nothing(tmp_path: Path) -> None:
    """What is written has no name before it is whole, so a process that is killed leaves none of it."""
    try:
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_WRONLY))
    except OSError as error:
        pytest.skip(f"the file system has no files without a name: {error}")
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "tables", NAME], cwd=ROOT, check=False)

    assert -signal.SIGKILL == done.returncode
    assert [] == list((tmp_path / "tables").iterdir())


@pytest.mark.parametrize("size", [0, SIZE - 1, SIZE + 1])
def test_a_file_of_another_size_is_refused(files: TableFiles, size: int) -> None:
    """A file that was cut, or is longer, is not mapped."""
    files.add(NAME, (memoryview(bytes(TABLE) + b"\0"))[:size])
    with pytest.raises(TableFileError, match=rf"{NAME} has {size} bytes, not {SIZE}"):
        files.mapped(NAME, SIZE)


def test_what_is_no_file_is_refused(files: TableFiles, tmp_path: Path) -> None:
    """A symbolic link, whatever it leads to, a pipe and a directory are not opened as if they were files."""
    files.add("other", TABLE)
    path = files.path(NAME)
    for target in ("other", str(tmp_path / "nowhere"), NAME):
        path.symlink_to(target)
        with pytest.raises(TableFileError, match=f"{NAME} is a symbolic link"):
            files.mapped(NAME, SIZE)
        files.remove(NAME)
    os.mkfifo(path)
    with pytest.raises(TableFileError, match=f"{NAME} is not a file"):
        files.mapped(NAME, SIZE)
    files.remove(NAME)
    path.mkdir()
    with pytest.raises(TableFileError, match=f"{NAME} is not a file"):
        files.mapped(NAME, SIZE)


@pytest.mark.parametrize("mode", [0o420, 0o402, 0o666])
def test_a_file_that_others_can_write_is_refused(files: TableFiles, mode: int) -> None:
    """What its group, or anyone, can write may change after it was checked."""
    files.add(NAME, TABLE)
    files.path(NAME).chmod(mode)
    with pytest.raises(TableFileError, match=f"{NAME} can be written by other users"):
        files.mapped(NAME, SIZE)


@as_root
def test_a_file_of_another_user_is_refused(files: TableFiles) -> None:
    """Its owner could change it at any time."""
    files.add(NAME, TABLE)
    os.chown(files.path(NAME), 12345, -1)
    with pytest.raises(TableFileError, match=f"{NAME} belongs to user 12345"):
        files.mapped(NAME, SIZE)


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_directory_that_others_can_write_is_not_used(files: TableFiles, mode: int) -> None:
    """Whoever can write the directory could put files in the place of ours."""
    files.add(NAME, TABLE)
    files.path(NAME).parent.chmod(mode)
    calls: list[Callable[[], object]] = [
        lambda: files.mapped(NAME, SIZE),
        lambda: files.add(NAME, TABLE),
        lambda: files.remove(NAME),
        lambda: files.remove_others([], 0),
    ]
    for call in calls:
        with pytest.raises(PermissionError, match="must belong to the user of this process"):
            call()


@as_root
def test_a_directory_of_another_user_is_not_used(files: TableFiles) -> None:
    """Its owner could put files in the place of ours."""
    files.add(NAME, TABLE)
    os.chown(files.path(NAME).parent, 12345, -1)
    with pytest.raises(PermissionError, match="must belong to the user of this process"):
        files.mapped(NAME, SIZE)


def test_what_is_no_directory_is_not_used(files: TableFiles, tmp_path: Path) -> None:
    """A file, a link to a directory, and a place in a directory that is not there are errors that name it."""
    place = files.path(NAME).parent
    place.write_text("")
    with pytest.raises(NotADirectoryError):
        files.mapped(NAME, SIZE)
    place.unlink()
    place.symlink_to(tmp_path)
    with pytest.raises(OSError, match=str(place)):
        files.add(NAME, TABLE)
    with pytest.raises(FileNotFoundError):
        TableFiles(tmp_path / "no" / "tables").add(NAME, TABLE)


def test_a_removed_file_stays_mapped(files: TableFiles) -> None:
    """Whoever has mapped a file keeps it; to remove what is gone is no error."""
    files.add(NAME, TABLE)
    mapped = files.mapped(NAME, SIZE)
    files.remove(NAME)
    files.remove(NAME)

    assert mapped is not None
    assert TABLE == mapped[:]
    assert files.mapped(NAME, SIZE) is None


def test_files_of_others_are_removed_when_they_are_old(files: TableFiles) -> None:
    """Old tables of other keys and sizes, and what a crash left, go; what is young, in use, or no table stays."""
    old = ["ab12-20.table", "cd34-21.table", f"{NAME}.0123456789abcdef", "base-18.table"]
    kept = [NAME, "base-21.table", "notes.txt", "ab12-21.table.bak", "young-21.table"]
    for name in old + kept:
        files.add(name, TABLE)
        if not name.startswith("young"):
            os.utime(files.path(name), (0, 0))
    files.remove_others({NAME, "base-21.table"}, 3600)

    assert sorted(kept) == names(files)


def test_where_there_is_no_directory_none_is_made_to_remove_from(files: TableFiles) -> None:
    """To remove, or to look for a file, makes no directory; that there is none is no error."""
    files.remove_others([], 0)
    files.remove(NAME)

    assert files.mapped(NAME, SIZE) is None
    assert not files.path(NAME).parent.exists()


def test_a_file_that_cannot_be_removed_is_an_error(files: TableFiles) -> None:
    """A directory under the name of a table is not a thing to remove with all that is in it."""
    files.add(NAME, TABLE)
    files.path("old-21.table").mkdir()
    os.utime(files.path("old-21.table"), (0, 0))
    with pytest.raises(OSError, match=r"old-21\.table"):
        files.remove_others([NAME], 3600)
