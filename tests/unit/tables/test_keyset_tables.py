"""The wide tables of a keyset live as long as their keys are in it."""

from __future__ import annotations

import gc
from pathlib import Path

from sessiond.token.keyset import VerificationKey
from sessiond.token.verify import RefreshVerifier
from tests.unit.tables.widening import KEYS, WINDOWS, Maker, file_name, mapped_inode, widened


def test_a_key_that_leaves_the_keyset_gives_its_table_back(make: Maker, tmp_path: Path) -> None:
    """The verifier of the next keyset takes over the wide tables of the keys that stay; the others are unmapped."""
    keys = [VerificationKey(bytes(key.verify_key)) for key in KEYS]
    tables = make(tmp_path / "tables")
    verifier = RefreshVerifier(keys)
    widened(tables, *verifier.tables.values())
    verifier = RefreshVerifier(keys[1:], tables=verifier.tables)
    tables.widen(verifier.tables.values())
    tables.wait()
    gc.collect()
    mapped = [mapped_inode(tmp_path / "tables" / file_name(place)) is not None for place in range(3)]

    assert [False, True, True] == mapped
    assert [WINDOWS, WINDOWS] == [table.windows for table in verifier.tables.values()]
