"""The store on LMDB: one directory of one machine, shared by its processes."""

from sessiond.store.lmdb.environment import StoreOpenError
from sessiond.store.lmdb.store import LmdbStore

__all__ = ["LmdbStore", "StoreOpenError"]
