"""
Write ``docs/configuration.md`` from the settings: each with its meaning, values, default, variable and flag.

``python -m tools.configuration_page`` writes the page; with ``--check`` it fails where the page is not what it would
write.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import enum
import inspect
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from sessiond.authority.policy import RANGES, Policy
from sessiond.cli.serve import serve
from sessiond.server.config import DEV_DEFAULTS, ENV_PREFIX, Config
from sessiond.store.lmdb.environment import MAP_BYTES
from tools.errors_page import table

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"

POLICY = "policy"
HEAD = ("setting", "meaning", "values", "default", "environment, flag")

_DAY = 86_400
_GIB = 1 << 30

INTRODUCTION = f"""\
# Configuration

<!-- Written by `make proto` from sessiond/server/config.py, sessiond/authority/policy.py and sessiond/cli/serve.py. -->

`make run` is `sessiond serve --dev`: loopback, and a store and a master key of its own in `./.sessiond`. That is for
trying things out. Outside it nothing is assumed: you say where to listen, where the data lies, who the issuer is, and
where the master key is.

## To run it

`pip install '.[server]'` in a checkout installs the command with what the authority runs on. Then:

```sh
(umask 077; openssl rand -hex 32 >/etc/sessiond/master.key)   # once
sessiond serve --config /etc/sessiond/sessiond.toml
```

with a file such as this one:

```toml
listen = "127.0.0.1:7400"
http = "127.0.0.1:7401"
data = "/var/lib/sessiond"
issuer = "https://sessions.example.com"
audience = "https://api.example.com"
master_key_file = "/etc/sessiond/master.key"

[policy]
profile = "balanced"
access_seconds = 300
```

- Run it as a user of its own, who owns `data` and can read the master key. `data` lies on a local disk, not on a
  network file system.
- It serves once `/healthz` on the HTTP port answers 200, or `grpc.health.v1` SERVING. `--ready-file PATH` writes both
  addresses there as JSON at that moment, which is how you learn a port that was asked for as 0.
- SIGTERM and SIGINT stop it: running calls get `drain_seconds`, and whatever was acknowledged is on the disk.
- Several processes may serve one `data`, all of one release: to change to another, stop them all, then start. Leave the
  files in `data` to them while they run.
- A start that fails says why on stderr and ends with exit code 1.
- There is no TLS in this version, and callers are not told apart. So `listen` and `http` are loopback addresses or, for
  gRPC, a unix socket, unless `insecure_listen` is on: only behind something that encrypts and keeps strangers out.

## Where a setting comes from

Flags win over the environment, that over the TOML file, that over the defaults below.

In the environment a setting is `{ENV_PREFIX}` and its name in capitals; one of `[policy]` is `{ENV_PREFIX}POLICY__` and
its name. What names no setting is refused, in the file, the environment and the flags alike, and so is a value out of
its range; the message says which. All settings are read once, at the start.

## The master key

Every private key in the store is sealed under it. It is 32 random bytes, written as 64 hexadecimal digits, as
`openssl rand -hex 32` prints them, and comes from exactly one of three places:

- `master_key_file`: a file. Where others than its owner can read it, the log warns.
- `master_key_command`: a command that prints it, such as one that asks a secret store. It is split into words like a
  shell would, run without one, and has 30 seconds.
- `master_key`: the key itself, meant for the variable `{ENV_PREFIX}MASTER_KEY`.

It must be the same at every start, for every server on the data: under another one the server refuses to start. Without
it the store is of no use and every user must log in again, so back it up, and apart from the data.
"""

POLICY_HEADING = """\
## `[policy]`: sessions and keys

[refresh.md](refresh.md) says what the profiles, the two windows and `shared_in_row_limit` do, and
[revocation.md](revocation.md) what `max_sessions` does.
"""


def meanings(kind: type) -> dict[str, str]:
    """Read the sentence under each attribute of a class: its docstring, which Python drops when it runs."""
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    if not isinstance(tree, ast.ClassDef):
        message = f"{kind.__name__} is no class"
        raise TypeError(message)
    found = {}
    for statement, following in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            match following:
                case ast.Expr(value=ast.Constant(value=str() as text)):
                    found[statement.target.id] = " ".join(text.replace("``", "`").split())
    return found


def number(value: int, name: str) -> str:
    """Spell a number with its unit, which the ending of its name gives, and a long one also as people think of it."""
    if name.endswith("_seconds"):
        days, rest = divmod(value, _DAY)
        return f"{value:,} s" + (f" ({days:,} day{'s' * (days > 1)})" if days and not rest else "")
    if name.endswith("_bytes"):
        return f"{value:,} bytes" + (f" ({value // _GIB:,} GiB)" if value >= _GIB else "")
    return f"{value:,}"


def interval(least: int, greatest: int, name: str) -> str:
    """Spell a range."""
    return f"{least:,} to {number(greatest, name)}"


def choices(words: Iterable[str]) -> str:
    """Spell a closed set."""
    return ", ".join(f"`{word}`" for word in words)


def values(name: str, schema: Mapping[str, Any]) -> str:
    """Spell what a setting of Config can be, from its JSON schema."""
    told = next(iter(schema.get("anyOf", [schema])))
    if "enum" in told:
        return choices(told["enum"])
    if "minimum" in told:
        return interval(told["minimum"], told["maximum"], name)
    if "minLength" in told:
        return f"{told['minLength']} to {told['maxLength']} characters"
    return choices(["true", "false"]) if told["type"] == "boolean" else "text"


def spelt(value: object, name: str) -> str:
    """Spell a default as it would stand in the file."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int):
        return number(value, name)
    return f"`{value.value if isinstance(value, enum.Enum) else value}`"


def default(name: str, field: FieldInfo) -> str:
    """Spell the default of a setting of Config, and the one of ``--dev``."""
    if name == "map_bytes":
        usual = number(MAP_BYTES, name)
    elif field.is_required():
        usual = "must be given"
    else:
        usual = "none" if field.default is None else spelt(field.default, name)
    return f"{usual}; `{DEV_DEFAULTS[name]}` with `--dev`" if name in DEV_DEFAULTS else usual


def variable(name: str) -> str:
    """Name the variable of a setting, and its flag where it has one."""
    flags = {parameter.name: parameter.opts[0] for parameter in serve.params}
    flag = f", `{flags[name]}`" if name in flags else ""
    return f"`{ENV_PREFIX}{name.upper()}`{flag}"


def rows_of_config() -> list[tuple[str, ...]]:
    """Give a row for each setting of Config but the policy."""
    meaning = meanings(Config)
    schemas = Config.model_json_schema()["properties"]
    return [
        (f"`{name}`", meaning[name], values(name, schemas[name]), default(name, field), variable(name))
        for name, field in Config.model_fields.items()
        if name != POLICY
    ]


def rows_of_policy() -> list[tuple[str, ...]]:
    """Give a row for each setting of Policy."""
    meaning = meanings(Policy)
    rows: list[tuple[str, ...]] = []
    for field in dataclasses.fields(Policy):
        name, usual = field.name, field.default
        if isinstance(usual, enum.Enum):
            possible = choices(one.value for one in type(usual))
        else:
            possible = interval(*RANGES[name], name) if name in RANGES else choices(["true", "false"])
        rows.append((f"`{name}`", meaning[name], possible, spelt(usual, name), variable(f"{POLICY}__{name}")))
    return rows


def page() -> str:
    """Spell the whole page."""
    return "\n".join(
        [
            INTRODUCTION,
            f"## The server\n\n{table(HEAD, rows_of_config())}",
            f"{POLICY_HEADING}\n{table(HEAD, rows_of_policy())}",
        ]
    )


def main() -> None:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description="Write docs/configuration.md from the settings.")
    parser.add_argument("--check", action="store_true", help="fail where the page differs instead of writing it")
    if not parser.parse_args().check:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.exit("docs/configuration.md is not that of the settings: run `make proto` and commit what it writes.")


if __name__ == "__main__":
    main()
