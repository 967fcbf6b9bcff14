"""
Texts of any kind, kept ones and mutations of them, are judged without a fault and by every implementation alike.

``token_fuzz.c`` says what is held of each text. What is kept stands in ``corpus/``, one text a file, named after the
kind of token it is about and what it is. clang finds more by the coverage of the code: see CONTRIBUTING.md.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from sessiond import _fastverify
from sessiond.errors import Cause
from tests.native.c_source import CC, NATIVE
from tests.property import plain_verifier
from tests.property.plain_verifier import Key

HERE = Path(__file__).parent
CORPUS = sorted((HERE / "corpus").iterdir())
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
WRAP = "-Wl,--wrap=ed25519_verify,--wrap=ed25519_verify_batch"
NOW, LEEWAY = 1_800_000_000, 30
ISSUER, AUDIENCE = "https://login.example.com", "https://api.example.com"

NAMES = {0: "GOOD"} | {cause.value: cause.name for cause in Cause}

Verdicts = tuple[str, str]


def plain_keys(name: str) -> dict[bytes, Key]:
    """Read the two keys of a file of vectors that token_fuzz.c knows."""
    keyset = json.loads((HERE.parent / "vectors" / name).read_text())["keyset"]
    chosen = [next(key for key in keyset if key["state"] == state) for state in ("ACTIVE", "REVOKED")]
    return {
        bytes.fromhex(key["key_id"]): Key(bytes.fromhex(key["public_key"]), key["state"] == "REVOKED") for key in chosen
    }


KEYS = plain_keys("access_v1.json") | plain_keys("refresh_v1.json")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the program; the readers of tokens with sanitizers, where the compiler has them."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    has_sanitizers = not subprocess.run(
        [CC, *SANITIZE, "empty.c"], cwd=folder, capture_output=True, check=False
    ).returncode
    sources = [HERE / "token_fuzz.c", *NATIVE.glob("*.c")]
    objects = []
    for source in sources:
        # The curve is not asked, only linked.
        is_tried = has_sanitizers and not source.name.startswith(("ed25519_", "table"))
        flags = ["-O1", "-g", *SANITIZE] if is_tried else ["-O0"]
        objects.append(folder / f"{source.stem}.o")
        command: list[str | Path] = [
            CC,
            "-std=c11",
            "-Wall",
            "-Wextra",
            *flags,
            f"-I{NATIVE}",
            "-c",
            source,
            "-o",
            objects[-1],
        ]
        subprocess.run(command, check=True)
    target = folder / "token_fuzz"
    subprocess.run([CC, *(SANITIZE if has_sanitizers else []), *objects, WRAP, "-o", target], check=True)
    return target


def judged(program: Path, implementation: str, seed: int, n_runs: int, every: int) -> list[list[str]]:
    """Judge the corpus and mutations of it; the words of what is printed."""
    environment = {"SESSIOND_FORCE_IMPL": implementation, "PATH": os.environ["PATH"], "ASAN_OPTIONS": "detect_leaks=0"}
    command: list[str | Path] = [program, str(seed), str(n_runs), str(every), *CORPUS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def verdicts(words: list[str]) -> Verdicts:
    """Name the verdicts at the end of a line: as an access token, as a refresh token."""
    return NAMES[int(words[-2])], NAMES[int(words[-1])]


def judge_signature(key: Key | None, _signed: bytes, signature: bytes) -> str:
    """Judge a signature as token_fuzz.c does, and a key as the plain verifier does."""
    if key is None or key.revoked:
        return "UNKNOWN_KEY" if key is None else "KEY_REVOKED"
    return "TAMPERED" if signature[-1] == 0xFF else "GOOD"


@pytest.fixture(autouse=True)
def _signatures_are_taken_as_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_verifier, "judge_signature", judge_signature)


def by_plain_verifier(text: bytes, said: Verdicts) -> Verdicts:
    """
    Judge a text plainly.

    What *said* says stands of a text beyond ASCII with the shape of the other kind: the program takes bytes, the plain
    verifier characters.
    """
    token = text.decode("latin-1")
    access = plain_verifier.judge_access(token, KEYS, issuer=ISSUER, audience=AUDIENCE, now=NOW, leeway=LEEWAY)
    refresh = plain_verifier.judge_refresh(token, KEYS, now=NOW)
    if not token.isascii() and (refresh, said[1]) == ("MALFORMED", "WRONG_TOKEN_KIND"):
        refresh = "WRONG_TOKEN_KIND"
    return access, refresh


def check(program: Path, seed: int, n_runs: int, every: int) -> None:
    """Hold that implementations agree with each other, and with the plain verifier on a sample."""
    of_each = [judged(program, name, seed, n_runs, every) for name in _fastverify.implementations()]
    lines = of_each[0]
    sample = [(bytes.fromhex(words[1].rstrip("-")), verdicts(words)) for words in lines if words[0] == "text"]
    seen = {(NAMES[int(words[1])], at) for words in lines if words[0] == "verdict" for at in (2, 3) if int(words[at])}

    assert [lines] * len(of_each) == of_each
    assert [said for _, said in sample] == [by_plain_verifier(text, said) for text, said in sample]
    assert {"GOOD", "MALFORMED", "WRONG_TOKEN_KIND", "UNKNOWN_KEY", "EXPIRED"} <= {name for name, at in seen if at == 2}
    assert {"GOOD", "MALFORMED", "WRONG_TOKEN_KIND", "UNKNOWN_KEY", "EXPIRED"} <= {name for name, at in seen if at == 3}


def test_the_corpus_gets_the_verdicts_of_the_plain_verifier(program: Path) -> None:
    """Each kept text gets the verdict that the plain verifier gives."""
    for name in _fastverify.implementations():
        lines = [words for words in judged(program, name, 0, 0, 1) if words[0] == "file"]
        said = {Path(words[1]): verdicts(words) for words in lines}

        assert {path: by_plain_verifier(path.read_bytes(), said[path]) for path in CORPUS} == said


def test_mutations_of_the_corpus(program: Path) -> None:
    """Fifty thousand mutations make no fault; some of them, and all that are well formed, are judged plainly too."""
    check(program, 1, 50_000, 100)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 14))
def test_millions_of_mutations_of_the_corpus(program: Path, seed: int) -> None:
    """Nor do twelve times a million others."""
    check(program, seed, 1_000_000, 1000)
