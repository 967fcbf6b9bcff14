"""
Write ``docs/errors.md`` from the contract: reasons, causes and advices with what each means and what the client does.

``python -m tools.errors_page`` writes the page; with ``--check`` it fails where the page is not what it would write.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sessiond import errors
from sessiond.errors import (
    Advice,
    Cause,
    InvalidAccessToken,
    InvalidRefreshToken,
    Reason,
    SessiondError,
    TokenRefusedError,
)
from tools.proto_comments import Declaration, read_contract

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"

# In this order a token is judged; the first hit names the cause.
BEFORE_THE_TOKEN = (Cause.VERIFIER_STALE,)
BEFORE_THE_STORE = (
    Cause.MALFORMED,
    Cause.WRONG_TOKEN_KIND,
    Cause.UNKNOWN_KEY,
    Cause.KEY_REVOKED,
    Cause.TAMPERED,
    Cause.NOT_YET_VALID,
    Cause.EXPIRED,
    Cause.WRONG_AUDIENCE,
)
IN_THE_STORE = (
    Cause.UNKNOWN_SESSION,
    Cause.WRONG_TENANT,
    Cause.REVOKED,
    Cause.EVICTED,
    Cause.SUBJECT_REVOKED,
    Cause.TENANT_REVOKED,
    Cause.ALL_REVOKED,
    Cause.IDLE_TIMEOUT,
    Cause.SUPERSEDED,
    Cause.STATE_LOST,
    Cause.REUSED,
)

INTRODUCTION = """\
# Errors

<!-- Written by `make proto` from proto/sessiond/v1/error.proto, error_reason.proto and sessiond/errors.py. -->

Every error of the authority says three things: the **reason** why the call failed, for a token also the exact **cause**
why it is refused, and the **advice**, which is what the client does next. A client acts on the advice alone; reason and
cause are for people and logs.

## Where they stand

- The gRPC status has a `google.rpc.ErrorInfo` with the reason as `reason`, `sessiond` as `domain`, and `cause` and
  `advice` in `metadata`; beside it a `sessiond.v1.ErrorDetail` with the same as enums, the session of a well-signed
  token and the authority's time. A request with a bad field also has `google.rpc.BadRequest`, an overload
  `google.rpc.RetryInfo`.
- Trailing metadata has `sessiond-reason`, `sessiond-cause` and `sessiond-advice`, for clients that cannot read the
  details.
- The status message starts with the reason, and for a token with the cause after it: a log line is enough.
- The Python client raises one exception class per reason (`sessiond.errors`), with `cause` and `advice` as attributes.

Each has one spelling in logs and documentation, the one of this page. In the protobuf enums causes and advices carry
the prefixes `CAUSE_` and `ADVICE_`; reasons carry none. Numbers are only ever appended.
"""

ORDER = """\
## The order of judgement

A token is judged in this order, and the first check that fails names the cause.

Before a local verifier looks at a token: {first}.

Before the store is asked: {before}.

From the session: {after}.

- VERIFIER_STALE is judged by local verifiers alone. It says nothing of the token: the authority must be heard first.
- A session that has ended is refused with the cause that ended it: REVOKED, EVICTED, REUSED or STATE_LOST.
- IDLE_TIMEOUT and what follows it are judged by `Refresh` alone: an access token has no idle limit, and its generation
  is never compared. NOT_YET_VALID and WRONG_AUDIENCE are judged for access tokens alone.
- WRONG_TENANT is judged only where the caller named a tenant.
- SUPERSEDED, STATE_LOST and REUSED depend on which generation was presented; docs/refresh.md has the table.
"""


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Spell a table."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def sentences(declaration: Declaration) -> str:
    """Spell what a comment says, without its lines of the kind ``Name: VALUE.``."""
    lines = [
        line for line in declaration.comment if not line.startswith(("Refresh token:", "Access token:", "Status:"))
    ]
    return " ".join(line for line in lines if line)


def status(declaration: Declaration) -> str:
    """Read the gRPC status that a reason comes with."""
    return (
        next(line for line in declaration.comment if line.startswith("Status: ")).removeprefix("Status: ").rstrip(".")
    )


def advice(kind: type[TokenRefusedError], cause: Cause) -> str:
    """Spell what a client does when this kind of token has *cause*; a hyphen where that cannot be."""
    return kind.advice_for(cause).name if cause in kind.causes() else "-"


def exceptions() -> dict[Reason, type[SessiondError]]:
    """Find the exception class of each reason."""
    return {kind.reason: kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "reason")}


def page() -> str:
    """Spell the whole page."""
    values = {(one.owner, one.name): one for one in read_contract() if one.kind == "value"}
    kinds = exceptions()
    advices = table(
        ("advice", "what the client does next"),
        [(f"`{one.name}`", sentences(values["Advice", f"ADVICE_{one.name}"])) for one in Advice],
    )
    causes = table(
        ("cause", "what it means", "for a refresh token", "for an access token"),
        [
            (
                f"`{one.name}`",
                sentences(values["Cause", f"CAUSE_{one.name}"]),
                advice(InvalidRefreshToken, one),
                advice(InvalidAccessToken, one),
            )
            for one in Cause
        ],
    )
    reasons = table(
        ("reason", "what it means", "gRPC status", "advice", "in Python"),
        [
            (
                f"`{one.name}`",
                sentences(values["ErrorReason", one.name]),
                status(values["ErrorReason", one.name]),
                kinds[one].advice.name if hasattr(kinds[one], "advice") else "by cause",
                f"`{kinds[one].__name__}`",
            )
            for one in Reason
        ],
    )
    order = ORDER.format(
        first=", ".join(one.name for one in BEFORE_THE_TOKEN),
        before=", ".join(one.name for one in BEFORE_THE_STORE),
        after=", ".join(one.name for one in IN_THE_STORE),
    )
    return "\n".join(
        [
            INTRODUCTION,
            f"## Advices\n\n{advices}",
            f"## Causes\n\nWhy a token is refused, and the advice that comes with it.\n\n{causes}",
            order,
            f"## Reasons\n\n{reasons}",
        ],
    )


def main() -> None:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description="Write docs/errors.md from the contract.")
    parser.add_argument("--check", action="store_true", help="fail where the page differs instead of writing it")
    if not parser.parse_args().check:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.exit("docs/errors.md is not that of the contract: run `make proto` and commit what it writes.")


if __name__ == "__main__":
    main()
