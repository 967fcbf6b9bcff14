"""A fresh installation for each test of the authority."""

from __future__ import annotations

import pytest

from tests.unit.authority.installation import Installation, Process


@pytest.fixture
def installation() -> Installation:
    """Give an installation with nothing in it."""
    return Installation()


@pytest.fixture
def here(installation: Installation) -> Process:
    """Give the first process of the installation, which has made its keys."""
    return installation.here
