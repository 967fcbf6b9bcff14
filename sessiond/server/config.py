"""
The configuration: a TOML file, over it the environment (``SESSIOND_…``), over that the flags.

Rule 1: an unknown key and a bad value are refused, with the key's name; values are never shown, since some are secret.
Rule 2: what has no safe default has none: data, issuer and the master key are given, or ``--dev`` gives them.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from sessiond.authority.policy import Policy
from sessiond.wide_tables import DEFAULT_KEY_TABLE_BYTES, MAX_KEY_TABLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

ENV_PREFIX = "SESSIOND_"
ENV_OF_OTHERS = frozenset({"SESSIOND_FORCE_IMPL", "SESSIOND_TARGET"})
"""Variables that other parts of the package read."""

DEV_DEFAULTS: Mapping[str, Any] = {
    "listen": "127.0.0.1:7400",
    "http": "127.0.0.1:7401",
    "data": ".sessiond",
    "issuer": "https://sessiond.localhost",
    "audience": "sessiond",
    "log_format": "console",
}

UNIX_PREFIX = "unix:"

_POLICY_VARIABLES = f"{ENV_PREFIX}POLICY__"
_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^\[\]:]+)):(?P<port>[0-9]{1,5})")
_MAX_PORT = 65535

Workers = Annotated[int, Field(ge=1, le=1024)]
Calls = Annotated[int, Field(ge=1, le=65536)]
Seconds = Annotated[int, Field(ge=0, le=3600)]


class ConfigError(Exception):
    """The configuration cannot be used; the message names each key and says what is wrong with it."""


class Config(BaseSettings):
    """Everything that one server process is told."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    listen: str
    """Where gRPC is served: ``HOST:PORT``, port 0 for a free one, or ``unix:PATH``."""

    http: str
    """Where /.well-known/jwks.json and /healthz are served: ``HOST:PORT``."""

    data: Path
    """The directory of the store."""

    issuer: Annotated[str, Field(min_length=1, max_length=255)]
    """The ``iss`` of every access token."""

    audience: Annotated[str, Field(min_length=1, max_length=255)]
    """The ``aud`` of access tokens whose session names none."""

    insecure_listen: bool = False
    """Serve without TLS on addresses that other machines reach: only behind something that encrypts."""

    reuse_port: bool = False
    """Let several processes listen on one port. Without it a second server is refused the port."""

    master_key: SecretStr | None = None
    """The master key itself, 64 hexadecimal digits."""

    master_key_file: Path | None = None
    """A file that holds the master key."""

    master_key_command: str | None = None
    """A command, run without a shell, that prints the master key."""

    read_workers: Workers = 8
    """Threads for calls that only read."""

    read_limit: Calls = 256
    """Calls that read and may run or wait at one time; beyond it the answer is OVERLOADED."""

    write_workers: Workers = 64
    """Threads for calls that write: as many as may wait for one commit together."""

    write_limit: Calls = 256
    """Calls that write and may run or wait at one time; beyond it the answer is OVERLOADED."""

    watch_limit: Workers = 256
    """Streams of WatchRevocations that may be open at one time, each with a thread; beyond it the answer is
    OVERLOADED."""

    event_watch_limit: Workers = 32
    """Streams of WatchEvents that may be open at one time, each with a thread; beyond it the answer is OVERLOADED."""

    drain_seconds: Seconds = 10
    """How long a stopping server lets running calls finish."""

    maintenance_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """How often expired rows are swept and the key schedule is looked at."""

    map_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 46)] | None = None
    """The largest size of the data file; unset means the store's own default."""

    key_table_bytes: Annotated[int, Field(ge=0, le=MAX_KEY_TABLE_BYTES)] = DEFAULT_KEY_TABLE_BYTES
    """Memory for the tables of each key that verifies, and of the base point, which all keys share. More is faster.
    Processes on one ``data`` share them, by files in ``data/key_tables``. With 0 a key keeps to the table of 0.4 MB
    that it starts with."""

    log_format: Literal["json", "console"] = "json"
    """JSON for machines, console for people."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severity that is logged."""

    policy: Policy = Field(default_factory=Policy)
    """The rules of sessions and keys."""

    @field_validator("listen", "http")
    @classmethod
    def _address(cls, value: str) -> str:
        if not value.startswith(UNIX_PREFIX):
            split_address(value)
        return value

    @field_validator("http")
    @classmethod
    def _no_unix_socket(cls, value: str) -> str:
        if value.startswith(UNIX_PREFIX):
            message = "must be HOST:PORT"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _judge_addresses(self) -> Config:
        for name in ("listen", "http"):
            if not self.insecure_listen and not is_local(getattr(self, name)):
                message = (
                    f"{name}: other machines reach {getattr(self, name)} and this server speaks no TLS: use a loopback "
                    f"address or a unix socket, or set insecure_listen = true where something in front encrypts"
                )
                raise ValueError(message)
        return self


def split_address(address: str) -> tuple[str, int]:
    """
    Split ``HOST:PORT``; an IPv6 host stands in brackets.

    Raises:
        ValueError: *address* is not of that form.

    """
    match = _ADDRESS.fullmatch(address)
    if match is None or int(match["port"]) > _MAX_PORT:
        message = "must be HOST:PORT with a port of 0 to 65535"
        raise ValueError(message)
    return match["ipv6"] or match["host"], int(match["port"])


def is_local(address: str) -> bool:
    """Say whether only this machine can reach *address*."""
    if address.startswith(UNIX_PREFIX):
        return True
    host, _ = split_address(address)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load(flags: Mapping[str, Any], *, file: Path | None = None, defaults: Mapping[str, Any] | None = None) -> Config:
    """
    Read the configuration.

    Args:
        flags: What the command line says, by key.
        file: A TOML file.
        defaults: What holds where nothing else says otherwise.

    Raises:
        ConfigError: Something is unknown, missing or bad.

    """
    told = _read_toml(file) if file is not None else {}
    base = dict(defaults or {})

    class Layered(Config):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            layers = (InitSettingsSource(settings_cls, layer) for layer in (told, base))
            return (init_settings, env_settings, *layers)

    _refuse_unknown_variables()
    try:
        return Layered(**flags)
    except pydantic.ValidationError as error:
        raise ConfigError("\n".join(_sentence(one) for one in error.errors(include_input=False))) from None
    except SettingsError as error:
        raise ConfigError(str(error)) from None


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror}"
        raise ConfigError(message) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{file}: not TOML: {error}"
        raise ConfigError(message) from None


def _refuse_unknown_variables() -> None:
    """Refuse ``SESSIOND_`` variables that name no key: a misspelt one would otherwise be ignored."""
    known = {f"{ENV_PREFIX}{name.upper()}" for name in Config.model_fields} | ENV_OF_OTHERS
    for variable in sorted(os.environ):
        # Below the policy pydantic judges the names itself.
        if variable.startswith(ENV_PREFIX) and variable not in known and not variable.startswith(_POLICY_VARIABLES):
            message = f"{variable}: no such key"
            raise ConfigError(message)


def _sentence(error: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    texts = {"extra_forbidden": "no such key", "unexpected_keyword_argument": "no such key", "missing": "must be given"}
    text = texts.get(error["type"], str(error["msg"]).removeprefix("Value error, "))
    return f"{key}: {text}" if key else text
