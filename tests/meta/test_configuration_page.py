"""docs/configuration.md is what the settings are, and its example starts a server."""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from pathlib import Path

import pytest

from sessiond.authority.policy import Policy
from sessiond.client import Client
from sessiond.clock import SystemClock
from sessiond.server.app import running
from sessiond.server.config import Config, load
from tools import configuration_page

TEST_MASTER_KEY = "7e57" * 16
"""Known to everyone: for tests only."""


def rows() -> dict[str, str]:
    """Give the row of each setting of the page."""
    return dict(re.findall(r"^\| `(\w+)` (\|.*)$", configuration_page.PAGE.read_text(), re.MULTILINE))


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the example of the page as a file, where no variable of the environment can change it."""
    for name in [name for name in os.environ if name.startswith("SESSIOND_")]:
        monkeypatch.delenv(name)
    [text] = re.findall(r"^```toml\n(.*?)^```", configuration_page.PAGE.read_text(), re.MULTILINE | re.DOTALL)
    file = tmp_path / "sessiond.toml"
    file.write_text(text)
    return file


def test_configuration_page_is_fresh() -> None:
    """docs/configuration.md is what `make proto` writes."""
    assert configuration_page.page() == configuration_page.PAGE.read_text()


def test_every_setting_has_a_row() -> None:
    """Nothing that can be configured is missing from the page."""
    expected = {*Config.model_fields, *(field.name for field in dataclasses.fields(Policy))} - {"policy"}

    assert expected == set(rows())


def test_every_row_says_something_in_each_column() -> None:
    """No meaning, range, default or variable is left out."""
    assert [] == [
        name for name, row in rows().items() if [len(cell.strip()) > 0 for cell in row[1:-1].split("|")] != [True] * 4
    ]


@pytest.mark.parametrize("name", ["data", "drain_seconds", "log_level"])
def test_variable_of_a_row_is_read(name: str, example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that the page names sets that setting, over the file."""
    values = {"data": "elsewhere", "drain_seconds": "7", "log_level": "error"}
    [variable] = re.findall(r"`(SESSIOND_\w+)`", rows()[name])
    monkeypatch.setenv(variable, values[name])

    assert values[name] == str(getattr(load({}, file=example), name))


def test_variable_of_a_policy_row_is_read(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that the page names for a setting of the policy sets it, over the file."""
    [variable] = re.findall(r"`(SESSIOND_\w+)`", rows()["access_seconds"])
    monkeypatch.setenv(variable, "60")

    assert 60 == load({}, file=example).policy.access_seconds


def test_example_sets_what_it_says(example: Path) -> None:
    """The loader takes the example as it stands, and every key of it arrives."""
    config = load({}, file=example)
    written = tomllib.loads(example.read_text())
    policy = written.pop("policy")

    assert {name: str(value) for name, value in written.items()} == {
        name: str(getattr(config, name)) for name in written
    }
    assert policy == {"profile": config.policy.profile.value, "access_seconds": config.policy.access_seconds}


def test_server_starts_from_the_example(example: Path, tmp_path: Path) -> None:
    """With the master key in a file, and places of this test, the example is all that a server needs."""
    key = tmp_path / "master.key"
    key.touch(mode=0o600)
    key.write_text(TEST_MASTER_KEY)
    places = {
        "listen": "127.0.0.1:0",
        "http": "127.0.0.1:0",
        "data": str(tmp_path / "data"),
        "master_key_file": str(key),
    }
    config = load(places, file=example)

    with running(config, clock=SystemClock()) as app, Client(app.address) as client:
        tokens = client.create_session("acme", "alice")
        verified = client.verify(tokens.access_token, audience=config.audience)

    assert "alice" == verified.subject
