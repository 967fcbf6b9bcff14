"""Who calls: what each decision of the authority may take into account about it."""

from __future__ import annotations

from dataclasses import dataclass

from sessiond.errors import PermissionDeniedError

AUDITOR = "auditor"
"""The role that sees sessions and what happened to them."""

ROLES = frozenset({"issuer", "refresher", "viewer", "revoker", "verifier", "key-admin", AUDITOR})


@dataclass(frozen=True, slots=True)
class Caller:
    """
    A service that calls the authority.

    ``roles`` are judged by the server, which knows the RPC, and by the
    authority where more is told to some of them. ``tenants`` are judged by the
    authority, which knows the session; None means every tenant.
    """

    name: str
    roles: frozenset[str]
    tenants: frozenset[str] | None

    def may_act_for(self, tenant: str) -> bool:
        """Say whether the caller may read and change sessions of *tenant*."""
        return self.tenants is None or tenant in self.tenants

    def must_act_for(self, tenant: str) -> None:
        """
        Refuse a tenant that the caller named and may not act for.

        Raises:
            PermissionDeniedError: The caller is limited to other tenants.

        """
        if not self.may_act_for(tenant):
            message = f"the caller {self.name!r} may not act for the tenant {tenant!r}"
            raise PermissionDeniedError(message)

    def must_act_for_every_tenant(self) -> None:
        """
        Refuse a caller that is limited to some tenants.

        Raises:
            PermissionDeniedError: It is.

        """
        if self.tenants is not None:
            message = f"the caller {self.name!r} may act for some tenants only, and this concerns every tenant"
            raise PermissionDeniedError(message)


LOCAL = Caller("local", ROLES, None)
"""The caller of a server that does not tell its callers apart."""
