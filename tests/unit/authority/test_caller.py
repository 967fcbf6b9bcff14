"""Callers: which tenants they act for."""

from __future__ import annotations

import pytest

from sessiond.authority.caller import LOCAL, ROLES, Caller
from sessiond.errors import PermissionDeniedError

SHOP = Caller("shop", frozenset({"issuer"}), frozenset({"acme", "umbrella"}))
NOBODYS = Caller("nobody's", ROLES, frozenset())


@pytest.mark.parametrize(
    ("caller", "tenant", "expected"),
    [
        (SHOP, "acme", True),
        (SHOP, "umbrella", True),
        (SHOP, "other", False),
        (SHOP, "", False),
        (NOBODYS, "acme", False),
        (LOCAL, "acme", True),
    ],
)
def test_tenants_of_a_caller(caller: Caller, tenant: str, expected: bool) -> None:  # noqa: FBT001 - a row of the table
    """A caller acts for the tenants that it has; None means every tenant, none means none."""
    assert expected is caller.may_act_for(tenant)
    if expected:
        caller.must_act_for(tenant)
    else:
        with pytest.raises(PermissionDeniedError) as caught:
            caller.must_act_for(tenant)
        assert f"the caller {caller.name!r} may not act for the tenant {tenant!r}" == caught.value.message


def test_local_caller_has_every_role() -> None:
    """The caller of a server that does not tell its callers apart may do everything."""
    assert (ROLES, None) == (LOCAL.roles, LOCAL.tenants)
