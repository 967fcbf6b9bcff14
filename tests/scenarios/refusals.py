"""What becomes of a token that is presented."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sessiond.errors import Cause, TokenRefusedError


def cause(call: Callable[..., object], *arguments: object, **keywords: object) -> Cause:
    """Present a token that must be refused, and give the cause."""
    with pytest.raises(TokenRefusedError) as caught:
        call(*arguments, **keywords)
    return caught.value.cause
