"""What the suites look at a store with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from sessiond.store.contract import Store
from tests.conformance.samples import (
    OTHER_HASH,
    SUBJECT,
    SUBJECT_HASH,
    TENANT_HASH,
    look,
    request,
    session,
)

GRACE = 30


class TickingStore(Store, Protocol):
    """A store whose serving clock a test can drive."""

    def tick(self) -> None:
        """Count serving time."""
        ...


def everything(store: Store) -> tuple[object, ...]:
    """Read all that a store can show of the sample rows."""
    return (
        store.revision(),
        store.list_by_subject(SUBJECT_HASH, b"", 100),
        store.list_by_subject(OTHER_HASH, b"", 100),
        store.keys(),
        store.cuts(),
        store.revocations_after(0, 100),
        [store.get(session(number).id).session for number in range(1, 10)],
        store.events_after(0, 100),
        look(store, request()),
    )


def writing_calls(store: Store, decide: Callable[..., Any]) -> dict[str, Callable[[], object]]:
    """Name one call of each verb that writes, with a decision to be given."""
    return {
        "create": lambda: store.create(TENANT_HASH, SUBJECT_HASH, request(), decide),
        "rotate": lambda: store.rotate(session().id, decide),
        "update": lambda: store.update(session().id, request(), decide),
        "revoke": lambda: store.revoke([session().id], request(), lambda views: decide(*views)),
        "cut": lambda: store.cut(SUBJECT, b"", request(), decide),
        "change_keys": lambda: store.change_keys(request(), decide),
    }


WRITES = ("create", "rotate", "update", "revoke", "cut", "change_keys")
