"""Cuts as records have them: which of them cover what was born before, and the cause that they refuse with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.errors import Cause
from sessiond.store.records import ScopeKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiond.store.contract import Cuts
    from sessiond.store.records import Cut

# The cause that a cut refuses tokens with.
SCOPE_CAUSES = {
    ScopeKind.SUBJECT: Cause.SUBJECT_REVOKED,
    ScopeKind.TENANT: Cause.TENANT_REVOKED,
    ScopeKind.ALL: Cause.ALL_REVOKED,
}


def covering(cuts: Cuts, born: int) -> Iterator[tuple[ScopeKind, Cut]]:
    """
    Give the cuts that end what was born at the revision *born*, in the order of judgement: the first names the cause.

    A session that a cut spared is born at that cut in its record; what tokens
    say that are older is for the revocation index, by the same comparison.
    """
    for kind, cut in (
        (ScopeKind.SUBJECT, cuts.subject),
        (ScopeKind.TENANT, cuts.tenant),
        (ScopeKind.ALL, cuts.everything),
    ):
        if cut is not None and born < cut.revision:
            yield kind, cut
