"""The published cases, and the answers of the libsodium releases to them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest
from nacl.signing import SigningKey

from tests.native.answers import VECTORS, Case, by_batches, by_once, by_pynacl, by_table, published

PUBLISHED = published()


def test_the_list_is_whole() -> None:
    """The list holds the number of cases of each suite that its sources have."""
    expected = {
        "wycheproof": 151,
        "rfc8032": 3,
        "supercop-sign.input": 256,
        "supercop-bitflip": 64,
        "jose-rfc8037": 1,
        "cose-sign1": 1,
        "cose-sign": 1,
    }

    assert expected == Counter(case.origin.split()[0] for case, _ in PUBLISHED)


@pytest.mark.parametrize("ask", [by_once, by_table, by_pynacl])
def test_every_way_gives_the_published_answers(ask: Callable[[Case], bool]) -> None:
    """Each way to verify one signature accepts exactly what the libsodium releases accept."""
    wrong = [case.origin for case, accept in PUBLISHED if ask(case) is not accept]

    assert [] == wrong


def test_batches_give_the_published_answers() -> None:
    """Batches of one key's cases, good and bad together, accept exactly what the libsodium releases accept."""
    cases = [case for case, _ in PUBLISHED]
    wrong = [
        case.origin for (case, accept), answer in zip(PUBLISHED, by_batches(cases), strict=True) if answer is not accept
    ]

    assert [] == wrong


def test_wycheproof_agrees_with_the_list() -> None:
    """Every Wycheproof case stands in the list with the answer that Wycheproof asks for."""
    document = json.loads((VECTORS / "wycheproof" / "ed25519_test.json").read_text())
    expected = {
        (
            Case(
                f"wycheproof {test['tcId']}",
                bytes.fromhex(group["publicKey"]["pk"]),
                bytes.fromhex(test["msg"]),
                bytes.fromhex(test["sig"]),
            ),
            test["result"] == "valid",
        )
        for group in document["testGroups"]
        for test in group["tests"]
    }

    assert expected == {(case, accept) for case, accept in PUBLISHED if case.origin.startswith("wycheproof ")}


def test_rfc8032_agrees_with_the_list() -> None:
    """Every signature of the RFC stands in the list as good, and its seed signs it."""
    tests = json.loads((VECTORS / "rfc8032" / "rfc8032_7_1.json").read_text())["tests"]
    expected = set()
    for place, test in enumerate(tests):
        key = SigningKey(bytes.fromhex(test["seed"]))
        message = bytes.fromhex(test["msg"])
        assert test["pk"] == bytes(key.verify_key).hex()
        assert test["sig"] == key.sign(message).signature.hex()
        expected.add((Case(f"rfc8032 {place}", bytes(key.verify_key), message, bytes.fromhex(test["sig"])), True))

    assert expected == {(case, accept) for case, accept in PUBLISHED if case.origin.startswith("rfc8032 ")}


def test_sign_input_agrees_with_the_list() -> None:
    """Every line of SUPERCOP's sign.input stands in the list as good, its message as long as its number."""
    lines = (VECTORS / "rfc8032" / "sign_input_first256.txt").read_text().splitlines()
    expected = set()
    for place, line in enumerate(lines):
        _, public_key, message, signature_and_message = (bytes.fromhex(part) for part in line.split(":")[:4])
        case = Case(f"supercop-sign.input {place}", public_key, message, signature_and_message[:64])
        assert (place, message) == (len(message), signature_and_message[64:])
        expected.add((case, True))

    assert expected == {(case, accept) for case, accept in PUBLISHED if case.origin.startswith("supercop-sign.input ")}
