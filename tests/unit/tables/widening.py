"""Keys to widen, and what there is to see of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nacl.signing import SigningKey

from sessiond._fastverify import SMALL_TABLE_WINDOWS, KeyTable, table_size
from sessiond.wide_tables import WideTables

WINDOWS = 28
MEMORY = table_size(WINDOWS) + table_size(SMALL_TABLE_WINDOWS)
KEYS = [SigningKey(bytes([place]) * 31 + b"T") for place in range(3)]  # for tests only
MESSAGE = b"a message"
GOOD = KEYS[0].sign(MESSAGE).signature
BAD = GOOD[:40] + bytes([GOOD[40] ^ 1]) + GOOD[41:]

# A process with no memory for a table of 16 windows: what it says of a key, and what it reports.
NO_MEMORY = """
import resource, sys
from pathlib import Path
from sessiond._fastverify import KeyTable
from sessiond.wide_tables import WideTables
key, reports = KeyTable(bytes.fromhex(sys.argv[1])), []
tables = WideTables(46_000_000, Path(sys.argv[3]) if sys.argv[3:] else None, reports.append)
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 30_000_000,) * 2)
tables.widen([key])
tables.wait()
print(key.windows, key.verify(b"a message", bytes.fromhex(sys.argv[2])), *reports, sep="\\n")
tables.close()
"""

Maker = Callable[..., WideTables]


def key_table(place: int = 0) -> KeyTable:
    """Make a key with its small table."""
    return KeyTable(bytes(KEYS[place].verify_key))


def file_name(place: int = 0, n_windows: int = WINDOWS) -> str:
    """Name the file of a key."""
    return f"{bytes(KEYS[place].verify_key).hex()}-{n_windows}.table"


def widened(tables: WideTables, *keys: KeyTable) -> None:
    """Widen keys, and wait for it."""
    tables.widen(keys)
    tables.wait()


def mapped_inode(path: Path, process: int | str = "self") -> int | None:
    """Find the inode under which a process has mapped a file for reading."""
    for line in Path(f"/proc/{process}/maps").read_text().splitlines():
        if line.endswith(str(path)):
            _, access, _, _, inode, *_ = line.split()
            assert "r--s" == access
            return int(inode)
    return None
