"""The file systems that a store can lie on."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

# From linux/magic.h and statfs(2).
_NETWORK = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB2",
    0xFF534D42: "CIFS",
    0x01021997: "9p",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x6B414653: "AFS",
    0x73757245: "Coda",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
    0x01161970: "GFS2",
    0x7461636F: "OCFS2",
    0x786F4256: "VirtualBox shared folder",
    0x65735546: "FUSE",
}
_PASSING = {
    0x01021994: "tmpfs, which ends with the boot",
    0x858458F6: "ramfs, which ends with the boot",
    0x794C7630: "overlay, which ends with the container",
}

_STATFS_BYTES = 256
_MAGIC_BYTES = ctypes.sizeof(ctypes.c_long)


def magic_of(path: Path) -> int:
    """
    Read the magic number of the file system that *path* lies on, as statfs(2) gives it.

    Raises:
        OSError: *path* cannot be looked at.

    """
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    return int.from_bytes(buffer.raw[:_MAGIC_BYTES], "little") & 0xFFFFFFFF


def network_name(magic: int) -> str | None:
    """Name a file system whose locks and mapped memory LMDB cannot rely on; None for every other."""
    return _NETWORK.get(magic)


def passing_name(magic: int) -> str | None:
    """Name a file system whose files do not last; None for every other."""
    return _PASSING.get(magic)
