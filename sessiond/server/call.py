"""What a handler knows about the call it serves, whichever transport brought it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessiond.authority.caller import Caller


@dataclass(frozen=True, slots=True)
class Call:
    """
    One call: who makes it, until when an answer is of use, and the metadata that came with it.

    ``deadline_ms`` is an instant on the monotonic clock; None means the caller waits without limit.
    """

    caller: Caller
    deadline_ms: int | None
    metadata: tuple[tuple[str, str | bytes], ...] = ()
