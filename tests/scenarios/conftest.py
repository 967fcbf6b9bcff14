"""An authority in this process, and a client of it that shares its clock: those of the tests of the client."""

from __future__ import annotations

from tests.client.conftest import client, here

__all__ = ["client", "here"]
