"""The configuration: layers, refusals that name the key, and where a server may listen without TLS."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sessiond.authority.policy import Profile
from sessiond.server.config import DEV_DEFAULTS, ConfigError, is_local, load, split_address
from sessiond.server.masterkey import read_master_key

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SESSIOND_"):
            monkeypatch.delenv(name)


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "sessiond.toml"
    file.write_text(text)
    return file


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag wins over the environment, the environment over the file, the file over a default."""
    file = write(tmp_path, 'issuer = "file"\naudience = "file"\nlog_level = "error"\n')
    monkeypatch.setenv("SESSIOND_ISSUER", "variable")
    monkeypatch.setenv("SESSIOND_AUDIENCE", "variable")
    config = load({"issuer": "flag"}, file=file, defaults=DEV_DEFAULTS)
    assert ("flag", "variable", "error", "127.0.0.1:7400") == (
        config.issuer,
        config.audience,
        config.log_level,
        config.listen,
    )


def test_policy_from_file_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy is a table of the file, and each of its keys a variable with two underscores."""
    file = write(tmp_path, "[policy]\nretry_window_seconds = 7\n")
    monkeypatch.setenv("SESSIOND_POLICY__PROFILE", "strict")
    policy = load({}, file=file, defaults=DEV_DEFAULTS).policy
    assert (Profile.STRICT, 7) == (policy.profile, policy.retry_window_seconds)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('isuer = "x"', "isuer: no such key"),
        ("[policy]\nprofil = 1", "policy.profil: no such key"),
        ("read_workers = 0", "read_workers: Input should be greater than or equal to 1"),
        ('log_format = "xml"', "log_format: Input should be 'json' or 'console'"),
        ('issuer = ""', "issuer: String should have at least 1 character"),
        ('listen = "7400"', "listen: must be HOST:PORT with a port of 0 to 65535"),
        ('listen = "127.0.0.1:70000"', "listen: must be HOST:PORT with a port of 0 to 65535"),
        ('listen = "::1:7400"', "listen: must be HOST:PORT with a port of 0 to 65535"),
        ('listen = "[::1:7400"', "listen: must be HOST:PORT with a port of 0 to 65535"),
        ('http = ":7401"', "http: must be HOST:PORT with a port of 0 to 65535"),
        ('http = "unix:/x"', "http: must be HOST:PORT"),
        ("[policy]\nretry_window_seconds = 999", "policy: retry_window_seconds is 999, expected 0 to 300"),
    ],
)
def test_bad_file_names_the_key(tmp_path: Path, text: str, expected: str) -> None:
    """An unknown key or a bad value is refused with the key's name."""
    with pytest.raises(ConfigError) as caught:
        load({}, file=write(tmp_path, text), defaults=DEV_DEFAULTS)
    assert expected == str(caught.value)


def test_every_missing_key_is_named() -> None:
    """Without a file and without --dev, every key that must be given is named."""
    with pytest.raises(ConfigError) as caught:
        load({})
    expected = [f"{key}: must be given" for key in ("listen", "http", "data", "issuer", "audience")]
    assert expected == str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("SESSIOND_ISUER", "SESSIOND_ISUER: no such key"),
        ("SESSIOND_ISSUER__NAME", "SESSIOND_ISSUER__NAME: no such key"),
        ("SESSIOND_POLICY__PROFIL", "policy.profil: no such key"),
    ],
)
def test_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, expected: str) -> None:
    """A misspelt variable is refused instead of being ignored."""
    monkeypatch.setenv(variable, "x")
    with pytest.raises(ConfigError) as caught:
        load({}, defaults=DEV_DEFAULTS)
    assert expected == str(caught.value)


def test_broken_toml_names_the_file(tmp_path: Path) -> None:
    """A file that is no TOML is refused with its name and the place."""
    file = write(tmp_path, "listen = \n")
    with pytest.raises(ConfigError, match=r"sessiond\.toml: not TOML: .*line 1"):
        load({}, file=file)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is refused instead of being ignored."""
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        load({}, file=tmp_path / "none.toml")


def test_values_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message about a bad configuration does not show a secret value."""
    monkeypatch.setenv("SESSIOND_MASTER_KEY", "secret-of-the-operator")
    with pytest.raises(ConfigError) as caught:
        read_master_key(load({}, defaults=DEV_DEFAULTS))
    assert "secret-of-the-operator" not in str(caught.value)


@pytest.mark.parametrize("key", ["listen", "http"])
@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "[::]", "example.com"])  # noqa: S104 - what must be refused
def test_open_address_without_tls_is_refused(key: str, host: str) -> None:
    """An address that other machines reach is refused, and the message says how to insist."""
    with pytest.raises(ConfigError, match=rf"{key}: other machines reach .* insecure_listen = true"):
        load({key: f"{host}:1"}, defaults=DEV_DEFAULTS)


def test_open_address_when_told() -> None:
    """An open address is accepted where insecure_listen says so."""
    config = load({"listen": "0.0.0.0:7400", "insecure_listen": True}, defaults=DEV_DEFAULTS)
    assert config.listen == "0.0.0.0:7400"


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.8.9.1:5", "[::1]:7400", "localhost:1", "unix:/run/s.sock"])
def test_local_addresses(address: str) -> None:
    """Loopback addresses and unix sockets are local."""
    assert is_local(address)


def test_ipv6_address_is_split() -> None:
    """The brackets of an IPv6 address are not part of the host."""
    assert split_address("[::1]:7400") == ("::1", 7400)
