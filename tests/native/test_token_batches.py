"""
The token vectors, in batches of every size with one bad token at every place, by each implementation.

The implementation is chosen at import, so every other one runs this file again in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sessiond import _fastverify
from sessiond._fastverify import KeyTable
from sessiond.errors import Cause
from tests.native.test_batches import SIZES
from tests.native.test_implementations import places_of
from tests.native.tokens import AccessVerifier, RefreshVerifier, judge, written

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
IN_A_PROCESS_OF_ITS_OWN = "TOKEN_BATCHES_AGAIN"
OF_TOKENS = [
    "tests/native/test_token_batches.py",
    "tests/native/test_access_tokens.py",
    "tests/native/test_refresh_tokens.py",
    "tests/native/test_mutations.py",
    "tests/unit/token/test_token_vectors.py",
]

Terms = tuple[Any, ...]
Judgement = tuple[int, bytes]  # verdict, fields


class Sample(NamedTuple):
    """A token with the verdict it must get."""

    token: bytes
    verdict: int


class Kind:
    """The vectors of a kind of tokens, gathered by what is asked of them beside the token: their terms."""

    def __init__(self, name: str, asked: Sequence[str]) -> None:
        """Read a file of vectors; *asked* are the members that a whole batch has in common."""
        file = json.loads((ROOT / "tests" / "vectors" / name).read_text())
        self.keys = [
            (bytes.fromhex(key["key_id"]), KeyTable(bytes.fromhex(key["public_key"])), key["state"] == "REVOKED")
            for key in file["keyset"]
            if key["format"] == 1
        ]
        self.samples: dict[Terms, list[Sample]] = defaultdict(list)
        for vector in file["vectors"]:
            cause = vector["expected"].get("cause")
            verdict = _fastverify.GOOD if cause is None else Cause[cause].value
            self.samples[tuple(vector[name] for name in asked)].append(Sample(vector["token"].encode(), verdict))
        self.common = max(self.samples, key=lambda terms: len(self.samples[terms]))

    def batch(self, terms: Terms, samples: list[Sample]) -> list[Judgement]:
        """Judge samples in one batch: verdicts and fields."""
        verifier, asked = self.court(terms)
        batch = verifier.verify_batch([sample.token for sample in samples], **asked)
        size = len(batch.fields) // len(samples)
        return [
            (verdict, batch.fields[place * size : (place + 1) * size]) for place, verdict in enumerate(batch.verdicts)
        ]

    def alone(self, terms: Terms, sample: Sample) -> Judgement:
        """Judge a sample by itself: verdict, and the fields that a batch gives."""
        verifier, asked = self.court(terms)
        verdict, fields = judge(verifier, sample.token, **asked)
        size = _fastverify.REFRESH_FIELDS_SIZE if len(terms) == 1 else _fastverify.ACCESS_FIELDS_SIZE
        return verdict, fields if verdict == _fastverify.GOOD else bytes(size)

    def court(self, terms: Terms) -> tuple[RefreshVerifier | AccessVerifier, dict[str, Any]]:
        """Give the verifier for what is asked, and how to ask it."""
        if len(terms) == 1:
            return RefreshVerifier(self.keys), {"now": terms[0]}
        issuer, audience, now, leeway = terms
        return AccessVerifier(self.keys, written(issuer)), {"audience": audience, "now": now, "leeway": leeway}


KINDS = [Kind("refresh_v1.json", ["now"]), Kind("access_v1.json", ["issuer", "audience", "now", "leeway"])]
both_kinds = pytest.mark.parametrize("kind", KINDS, ids=["refresh", "access"])


@both_kinds
@pytest.mark.parametrize("n_tokens", SIZES)
def test_vectors_in_batches(kind: Kind, n_tokens: int) -> None:
    """In batches of a size, one after another, over and over, the vectors get their verdicts, and fields as alone."""
    for terms, samples in kind.samples.items():
        expected = [kind.alone(terms, sample) for sample in samples]
        assert [sample.verdict for sample in samples] == [verdict for verdict, _ in expected]
        for start in range(0, len(samples), n_tokens):
            places = [(start + place) % len(samples) for place in range(n_tokens)]

            assert [expected[place] for place in places] == kind.batch(terms, [samples[place] for place in places])


def check_one_bad_token(kind: Kind, n_tokens: int, place: int) -> None:
    """Hold that one bad vector among good ones is told, and changes nothing for the others."""
    samples = kind.samples[kind.common]
    good = [sample for sample in samples if sample.verdict == _fastverify.GOOD]
    bad = [sample for sample in samples if sample.verdict != _fastverify.GOOD]
    asked = [good[other % len(good)] for other in range(n_tokens)]
    asked[place] = bad[place % len(bad)]
    judged = kind.batch(kind.common, asked)

    assert [sample.verdict for sample in asked] == [verdict for verdict, _ in judged]
    assert [place] == [at for at, (_, fields) in enumerate(judged) if not any(fields)]


@both_kinds
@pytest.mark.parametrize("n_tokens", SIZES)
def test_one_bad_token_at_every_place(kind: Kind, n_tokens: int) -> None:
    """One bad token, of every kind that the vectors have, is found wherever it stands."""
    for place in places_of(n_tokens):
        check_one_bad_token(kind, n_tokens, place)


@pytest.mark.long
@both_kinds
def test_one_bad_token_at_every_place_of_a_thousand(kind: Kind) -> None:
    """The same at each of a thousand places."""
    for place in range(1000):
        check_one_bad_token(kind, 1000, place)


@pytest.mark.skipif(IN_A_PROCESS_OF_ITS_OWN in os.environ, reason="this is the other process")
@pytest.mark.parametrize("name", _fastverify.implementations())
def test_other_implementations_pass_the_tests_of_tokens(name: str) -> None:
    """What is tested of tokens holds with each implementation."""
    if name == _fastverify.implementation():
        pytest.skip("it is the one that is tested anyhow")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    environment |= {"SESSIOND_FORCE_IMPL": name, IN_A_PROCESS_OF_ITS_OWN: "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *OF_TOKENS]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr
