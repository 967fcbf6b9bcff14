"""
Feeding a revocation index: what the authority's log says, in the log's own terms.

Rule 1: no entry is skipped. One that is not understood is taken for what refuses no less, or is an error where nothing
does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.errors import Cause
from sessiond.token.endings import ENDINGS

if TYPE_CHECKING:
    from sessiond.token.verify import RevocationIndex

# What a cut covers, by the numbers of ScopeKind in the contract and in the records of the store.
_ALL, _TENANT, _SUBJECT = 1, 2, 3


def end_session(index: RevocationIndex, session_id: bytes, cause: int | None, keep_until: int) -> None:
    """
    Let *index* know that a session ended.

    Args:
        index: The index.
        session_id: The session, 16 bytes.
        cause: A number of :class:`~sessiond.errors.Cause`. Where it is none that ends sessions, the session has ended
            all the same: for REVOKED.
        keep_until: When the last of its access tokens is dead, in seconds since the epoch.

    Raises:
        ValueError: A length or a number is out of range.

    """
    if cause is None or cause not in ENDINGS:
        cause = Cause.REVOKED
    index.end_session(session_id, cause, keep_until)


def cut_scope(
    index: RevocationIndex,
    kind: int,
    scope_hash: bytes,
    revision: int,
    keep_until: int,
    *,
    except_session_id: bytes = b"",
    except_until: int = 0,
) -> None:
    """
    Let *index* know that every session of a scope that was born before *revision* is dead, but one that is spared.

    Args:
        index: The index.
        kind: What the cut covers, a number of the contract's ``ScopeKind``.
        scope_hash: The scope as it stands in the ``rev`` of access tokens, 8 bytes; not read for everything.
        revision: The revision of the cut.
        keep_until: When nothing that it covers can be alive, in seconds since the epoch.
        except_session_id: The session that is spared, 16 bytes; empty for none.
        except_until: When the last of its tokens from before the cut is dead, likewise.

    Raises:
        ValueError: A kind, a length or a number is out of range.

    """
    spared = except_session_id, except_until
    if kind == _SUBJECT:
        index.cut_subject(scope_hash, revision, keep_until, *spared)
    elif kind == _TENANT:
        index.cut_tenant(scope_hash, revision, keep_until, *spared)
    elif kind == _ALL:
        index.cut_all(revision, keep_until, *spared)
    else:
        message = f"a cut of the kind {kind} is not known here, and to go on without it would accept what is revoked"
        raise ValueError(message)
