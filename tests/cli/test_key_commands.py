"""``sessiond keys``: what each command prints for people and for machines."""

from __future__ import annotations

from typing import Any

import pytest

from sessiond.v1 import key_service_pb2
from tests.cli.shell import Command, run
from tests.rpc.world import World


def listed(sessiond: Command, *more: str) -> list[dict[str, Any]]:
    """List the keys for machines."""
    keys: list[dict[str, Any]] = sessiond("keys", "list", "--json", *more).value["keys"]
    return keys


def test_list_shows_each_key_on_a_line(sessiond: Command) -> None:
    """A fresh authority has one ACTIVE key for each purpose; an option picks one purpose."""
    keys = listed(sessiond)
    shown = sessiond("keys", "list")
    access = sessiond("keys", "list", "--purpose", "access")

    assert (0, 3, 2) == (shown.code, len(shown.out.splitlines()), len(access.out.splitlines()))
    assert {("REFRESH", "ACTIVE"), ("ACCESS", "ACTIVE")} == {(key["purpose"], key["state"]) for key in keys}
    for key in keys:
        (line,) = (line for line in shown.out.splitlines() if key["key_id"] in line)
        assert key["purpose"].lower() in line
        assert "ACTIVE" in line


def test_list_for_machines_has_what_verifiers_need(sessiond: Command, here: World) -> None:
    """The JSON of list is the keyset with both published forms, and how long a copy is good."""
    value = sessiond("--json", "keys", "list").value
    keyset = here.keys.GetKeyset(key_service_pb2.GetKeysetRequest())
    access = next(key for key in value["keys"] if key["purpose"] == "ACCESS")

    assert {"keys", "cose_key_set", "jwks", "max_age_seconds", "revision"} == set(value)
    assert [(access["key_id"], access["public_key"])] == [(key["kid"], key["x"]) for key in value["jwks"]["keys"]]
    assert keyset.max_age.seconds == value["max_age_seconds"]
    assert None is access["retired_at"] is access["expires_at"]


def test_rotate_publishes_a_key_first(sessiond: Command) -> None:
    """The next key is PENDING until its time; a second rotation gives the same one."""
    shown = sessiond("keys", "rotate", "access")
    value = sessiond("keys", "rotate", "access", "--json").value

    assert 0 == shown.code
    assert "PENDING" in shown.out
    assert value["key"]["key_id"] in shown.out
    assert ("ACCESS", "PENDING", None) == (value["key"]["purpose"], value["key"]["state"], value["replacement"])


def test_rotate_immediately_signs_at_once(sessiond: Command) -> None:
    """With --immediately the key is ACTIVE and the one before RETIRING; a request id makes a repetition safe."""
    arguments = ("keys", "rotate", "refresh", "--immediately", "--request-id", "r", "--json")
    first, second = sessiond(*arguments).value, sessiond(*arguments).value

    assert first["key"]["key_id"] == second["key"]["key_id"]
    assert ["ACTIVE", "RETIRING"] == [key["state"] for key in listed(sessiond, "--purpose", "refresh")]


def test_revoke_replaces_the_signing_key(sessiond: Command) -> None:
    """A revoked key is shown as such, beside the one that signs in its place."""
    (before,) = listed(sessiond, "--purpose", "access")
    shown = sessiond("keys", "revoke", before["key_id"], "--yes", "--reason", "leaked", "--actor", "security")
    replacement = next(key for key in listed(sessiond, "--purpose", "access") if key["state"] == "ACTIVE")

    assert 0 == shown.code
    assert "REVOKED" in shown.out
    assert replacement["key_id"] in shown.out


def test_revoke_for_machines_names_both_keys(sessiond: Command) -> None:
    """The JSON of revoke has the key, its replacement and the revision."""
    (before,) = listed(sessiond, "--purpose", "access")
    value = sessiond("keys", "revoke", before["key_id"], "--yes", "--json").value

    assert {"key", "replacement", "revision"} == set(value)
    assert (before["key_id"], "REVOKED", "ACTIVE") == (
        value["key"]["key_id"],
        value["key"]["state"],
        value["replacement"]["state"],
    )


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_revoke_asks_before_it_logs_everybody_out(sessiond: Command, answer: str) -> None:
    """Without --yes the command asks; whatever is not a yes revokes nothing."""
    (before,) = listed(sessiond, "--purpose", "refresh")
    refused = sessiond("keys", "revoke", before["key_id"], stdin=answer)
    (after,) = listed(sessiond, "--purpose", "refresh")

    assert (1, "") == (refused.code, refused.out.strip())
    assert before["key_id"] in refused.err
    assert before == after
    assert 0 == sessiond("keys", "revoke", before["key_id"], stdin="y\n").code


def test_unknown_key_is_refused_with_its_reason(sessiond: Command) -> None:
    """A key id that no key has is a refusal, not a crash."""
    refused = sessiond("keys", "revoke", "0123456789abcdef", "--yes", "--json")

    assert (1, "KEY_NOT_FOUND") == (refused.code, refused.value["error"]["reason"])


@pytest.mark.parametrize("arguments", [("keys", "rotate"), ("keys", "rotate", "both"), ("keys", "revoke", "--yes")])
def test_wrong_usage_of_keys_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    """A missing or an unknown argument never reaches an authority."""
    assert 2 == run(*arguments).code
