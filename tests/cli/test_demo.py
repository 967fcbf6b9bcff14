"""``sessiond demo`` plays the whole life of a session against a real server, and cleans up after itself."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from sessiond.cli import demo as demo_command
from sessiond.cli.demo_server import STOP_SECONDS, signals_as_exit
from sessiond.cli.demo_stage import Stage, StepFailedError, check
from sessiond.cli.demo_story import SETTINGS
from sessiond.errors import Cause, InvalidAccessToken, InvalidRefreshToken, OverloadedError
from tests.cli.shell import run

STEPS = 10
COMMAND = [sys.executable, "-m", "sessiond", "demo"]
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
IN_BACKGROUND = ["sh", "-c", 'trap "" TERM HUP INT; exec "$@"', "sh", *COMMAND]
"""As a shell without job control starts what it runs in the background: with SIGINT ignored; here all three are."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the demo keep its data where the test can see whether it goes away."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def servers_in(folder: Path) -> list[psutil.Process]:
    """Find the servers that keep their data in *folder*."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in argument for argument in process.info["cmdline"] or [])
    ]


def test_demo_plays_every_step_and_leaves_nothing_behind(folder: Path) -> None:
    """As a program of its own it shows each step with requests and replies, ends well, and soon."""
    started = time.monotonic()
    done = subprocess.run(COMMAND, check=False, capture_output=True, text=True)
    seconds = time.monotonic() - started

    assert (0, "") == (done.returncode, done.stderr)
    assert [str(number) for number in range(1, STEPS + 1)] == re.findall(r"^(\d+)  ", done.stdout, re.MULTILINE)
    requests = ("→ CreateSession", "→ RotateKey", "→ ExplainToken")
    for fact in (*requests, "← RETRIED", "← SHARED", "← REUSED", "← REVOKED", "← EXPIRED"):
        assert fact in done.stdout
    assert f"All {STEPS} steps answered as they should" in done.stdout
    assert re.search(r"sdr_[\w-]{20}", done.stdout) is None
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert [] == list(folder.iterdir())
    assert [] == servers_in(folder)
    assert seconds < 20


def test_wrong_answer_ends_the_demo_with_its_step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority that answers otherwise (here: one without a retry window) makes it fail, naming the step."""
    monkeypatch.setattr(demo_command, "SETTINGS", {**SETTINGS, "policy__profile": "strict"})
    failed = run("demo", "--json")
    value = failed.value

    assert 1 == failed.code
    assert value["passed"] is False
    assert value["failure"].startswith("step 5, 'Two tabs refresh the same token at the same time': ")
    assert "REUSED" in value["failure"]
    assert [True] * 4 + [False] == [step["passed"] for step in value["steps"]]
    assert {"kind": "lost", "verb": "no answer"}.items() <= value["steps"][3]["lines"][1].items()
    assert [] == list(folder.iterdir())
    assert [] == servers_in(folder)


def test_server_that_does_not_start_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its server cannot start, the demo shows what that said."""
    monkeypatch.setattr(demo_command, "SETTINGS", {"no_such_key": "1"})
    failed = run("demo")

    assert 1 == failed.code
    assert "did not start" in failed.err
    assert "SESSIOND_NO_SUCH_KEY: no such key" in failed.err
    assert [] == list(folder.iterdir())


@pytest.mark.parametrize("start", [COMMAND, IN_BACKGROUND], ids=["foreground", "background"])
@pytest.mark.parametrize("number", SIGNALS)
def test_interrupted_demo_leaves_nothing_behind(folder: Path, number: signal.Signals, start: list[str]) -> None:
    """A demo that is stopped in the middle stops its server and removes its data, also one that ignored the signal."""
    with subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("1  "):
            assert process.poll() is None
        running = servers_in(folder)
        process.send_signal(number)
        # Less than the patience after which the demo would kill a server that does not stop.
        process.communicate(timeout=STOP_SECONDS - 1)

    assert 1 == len(running)
    assert 128 + number == process.returncode
    assert [] == servers_in(folder)
    assert [] == list(folder.iterdir())


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_that_is_swallowed_still_ends_the_demo(number: signal.Signals) -> None:
    """Where what a signal raises gets lost, in a destructor or a callback, the demo leaves at its next step."""
    lines: list[str] = []

    def play() -> None:
        with signals_as_exit() as go_on:
            with contextlib.suppress(SystemExit):
                os.kill(os.getpid(), number)
            stage = Stage(None, go_on)
            with stage.step("title"):
                stage.note("one line more")
                lines.append("played")

    with pytest.raises(SystemExit) as left:
        play()
    assert (128 + number, []) == (left.value.code, lines)


def test_signal_that_is_swallowed_at_the_end_is_no_success() -> None:
    """A demo that was told to stop does not end with 0, however late that was."""
    with pytest.raises(SystemExit) as left, signals_as_exit(), contextlib.suppress(SystemExit):
        os.kill(os.getpid(), signal.SIGINT)

    assert 128 + signal.SIGINT == left.value.code


def test_environment_of_the_caller_does_not_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of a real authority in the environment neither break the demo nor are used by it."""
    monkeypatch.setattr(demo_command, "SETTINGS", {**SETTINGS, "policy__profile": "strict"})
    monkeypatch.setenv("SESSIOND_DATA", "/nowhere")
    monkeypatch.setenv("SESSIOND_NO_SUCH_KEY", "1")

    assert "step 5" in json.loads(run("demo", "--json").out)["failure"]


def test_stage_fails_a_refusal_with_another_cause() -> None:
    """A refusal counts only with the right kind and the right cause; no refusal counts as none."""

    def refuse() -> None:
        raise InvalidRefreshToken(Cause.REUSED, "a sentence")

    for kind, cause, call, got in (
        (InvalidRefreshToken, Cause.REVOKED, refuse, "REUSED"),
        (InvalidAccessToken, Cause.REUSED, refuse, "INVALID_REFRESH_TOKEN"),
        (InvalidRefreshToken, Cause.REUSED, lambda: None, "none"),
    ):
        stage = Stage(None)
        with pytest.raises(StepFailedError, match=f"step 1, 'title': expected .* got .*{got}"), stage.step("title"):
            stage.refused(kind, cause, call)
        assert stage.steps[0].passed is False

    stage = Stage(None)
    with stage.step("title"):
        stage.refused(InvalidRefreshToken, Cause.REUSED, refuse)
    assert stage.steps[0].passed is True


def test_stage_fails_a_call_that_is_refused_unexpectedly() -> None:
    """A call that should succeed and does not is told with its step."""
    stage, error = Stage(None), OverloadedError("busy")
    with pytest.raises(StepFailedError, match="step 1, 'title': refused unexpectedly: OVERLOADED"), stage.step("title"):
        raise error


def test_stage_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What must come and does not fails the step."""
    monkeypatch.setattr("sessiond.cli.demo_stage.WAIT_SECONDS", 0.1)
    stage = Stage(None)
    with pytest.raises(StepFailedError, match="until it comes"):
        stage.until("until it comes", lambda: False)


def test_check_says_what_was_expected() -> None:
    """A failed check names both sides."""
    check("one", "one", is_so=True)
    with pytest.raises(StepFailedError, match="expected one, got two"):
        check("one", "two", is_so=False)
