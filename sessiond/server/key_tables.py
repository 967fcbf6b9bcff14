"""The tables that the authority verifies with: those of the keyset, and what each of them takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessiond.store.records import KeyState
from sessiond.wide_tables import base_memory_bytes, base_windows

if TYPE_CHECKING:
    from sessiond.authority.keyring import Keyring
    from sessiond.store.records import KeyRecord
    from sessiond.wide_tables import KeyTable


def key_tables_in_use(ring: Keyring) -> list[KeyTable]:
    """Give the tables of the keys that verify; a REVOKED key refuses every token without one."""
    return [table for key, table in _tables(ring) if key.state is not KeyState.REVOKED]


def key_table_usage(ring: Keyring) -> dict[str, Any]:
    """
    Say for the health page how wide the tables are by now and what they take: of each key, by its id, and of the base.

    Fewer windows are a wider table. The bytes count whether other processes share them or not; they are what
    ``key_table_bytes`` bounds.
    """
    return {
        "keys": {key.key_id.hex(): _usage(table.windows, table.memory_bytes) for key, table in _tables(ring)},
        "base_point": _usage(base_windows(), base_memory_bytes()),
    }


def _usage(windows: int, memory_bytes: int) -> dict[str, int]:
    return {"windows": windows, "memory_bytes": memory_bytes}


def _tables(ring: Keyring) -> list[tuple[KeyRecord, KeyTable]]:
    """Give every key of a format that is understood, with its table."""
    tables = {**ring.refresh_verifier.tables, **ring.access_verifier.tables}
    return [(key, tables[key.public_key]) for key in ring.records if key.public_key in tables]
