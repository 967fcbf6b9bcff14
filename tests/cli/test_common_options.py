"""What holds for every command: the common options, the help, and an installation without the server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from sessiond.cli.main import cli
from tests.cli.shell import Run, run
from tests.rpc.world import World


def commands() -> Iterator[tuple[str, ...]]:
    """Name every command, groups and what is in them."""

    def below(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        context = click.Context(group)
        for name in group.list_commands(context):
            yield (*path, name)
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from below(command, (*path, name))

    yield ()
    yield from below(cli, ())


def test_commands_are_those_that_are_documented() -> None:
    """The commands of the command line, and no others."""
    assert {
        "",
        "serve",
        "demo",
        *("session", "session create", "session refresh", "session show", "session list", "session revoke"),
        *("explain", "events"),
        *("session revoke-device", "session revoke-subject", "session revoke-tenant", "session revoke-all"),
        *("token", "token inspect"),
        *("keys", "keys list", "keys rotate", "keys revoke"),
    } == {" ".join(path) for path in commands()}


@pytest.mark.parametrize("path", list(commands()), ids=lambda path: " ".join(path) or "sessiond")
def test_every_command_has_a_help(path: tuple[str, ...]) -> None:
    """Each command says what it does, and what each option means; no text is cut off."""
    shown = run(*path, "--help", env={"COLUMNS": "80"})
    options = re.findall(r"^  (?:-\w, )?(--[\w-]+)(.*)$", shown.out, re.MULTILINE)

    assert 0 == shown.code
    assert "Usage: sessiond" in shown.out
    assert "--help" in dict(options)
    assert not [line for line in shown.out.splitlines()[1:] if line.endswith("...")]
    assert all(re.search(r"\w{2}", text) or f"{name}\n" not in shown.out for name, text in options)


def test_target_and_json_may_stand_before_or_after_the_command(here: World) -> None:
    """The common options mean the same wherever they stand; the later one wins."""
    target = ("--target", here.app.address)
    wrong = ("--target", "127.0.0.1:1")
    for arguments in (
        (*target, "--json", "keys", "list"),
        ("keys", "list", *target, "--json"),
        ("--json", *wrong, "keys", "list", *target),
    ):
        assert 2 == len(run(*arguments).value["keys"])


def test_json_behind_the_command_also_holds_for_a_refusal(here: World) -> None:
    """A refusal is printed as the command's own options say, wherever they stand."""
    refused = run("session", "show", "no id", "--target", here.app.address, "--json")

    assert (1, "") == (refused.code, refused.err)
    assert "INVALID_REQUEST" == refused.value["error"]["reason"]


def test_target_comes_from_the_environment_where_none_is_given(here: World) -> None:
    """SESSIOND_TARGET names the authority, unless the line does."""
    env = {"SESSIOND_TARGET": here.app.address}

    assert 0 == run("keys", "list", env=env).code
    assert 0 == run("--target", here.app.address, "keys", "list", env={"SESSIOND_TARGET": "127.0.0.1:1"}).code
    assert 1 == run("--timeout", "0.1", "--target", "127.0.0.1:1", "keys", "list", env=env).code


def test_timeout_must_be_positive() -> None:
    """A timeout of nothing is wrong usage."""
    assert 2 == run("--timeout", "0", "keys", "list").code


def test_version_is_that_of_the_package() -> None:
    """``--version`` prints name and version."""
    assert re.fullmatch(r"sessiond \d+\.\d+\.\d+\S*\n", run("--version").out)


def test_module_runs_as_the_command() -> None:
    """``python -m sessiond`` is the command."""
    shown = subprocess.run([sys.executable, "-m", "sessiond", "--help"], check=True, capture_output=True, text=True)

    assert run("--help").out.splitlines()[0] == shown.stdout.splitlines()[0]


SERVER_LIBRARIES = (
    *("grpc_health", "grpc_reflection", "lmdb", "msgspec", "pydantic", "pydantic_settings"),
    *("starlette", "structlog", "uvicorn"),
)


def without_server(*arguments: str) -> Run:
    """Run ``sessiond`` where the libraries of the server are not installed."""
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({SERVER_LIBRARIES!r}))\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "from sessiond.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    return Run(done.returncode, done.stdout, done.stderr)


def test_client_commands_work_without_the_server(here: World) -> None:
    """Where only the client is installed, every command that calls an authority works."""
    shown = without_server("--target", here.app.address, "session", "create", "--tenant", "acme", "--subject", "alice")

    assert (0, "") == (shown.code, shown.err)
    assert "sdr_" in shown.out
    assert 0 == without_server("--help").code


@pytest.mark.parametrize("command", [("serve", "--dev"), ("demo",)], ids=["serve", "demo"])
def test_server_commands_say_what_they_need(command: tuple[str, ...]) -> None:
    """Where the server is not installed, its commands say how to install it."""
    refused = without_server(*command)

    assert (1, "") == (refused.code, refused.out)
    assert "pip install 'sessiond[server]'" in refused.err
    assert "Traceback" not in refused.err
