"""The comments of the contract keep the promises of its style: who may call, required or optional, nothing bare."""

from __future__ import annotations

import re

import pytest

from tools.proto_comments import PROTO, Declaration, read_contract

CONTRACT = read_contract()


def names(declarations: list[Declaration]) -> list[str]:
    """Name declarations for the message of a failed test."""
    return [f"{one.owner}.{one.name}" for one in declarations]


def test_the_reader_sees_every_declaration() -> None:
    """The reader misses no field, value or RPC: the counts are those of the generated descriptors."""
    from importlib import import_module  # noqa: PLC0415 - the modules are found by the files of the contract

    expected = {"field": 0, "rpc": 0, "value": 0}
    for path in PROTO.glob("*.proto"):
        descriptor = import_module(f"sessiond.v1.{path.stem}_pb2").DESCRIPTOR
        messages = list(descriptor.message_types_by_name.values())
        enums = list(descriptor.enum_types_by_name.values())
        for message in messages:
            # The entries of a map are messages that no file spells.
            messages.extend(one for one in message.nested_types if not one.GetOptions().map_entry)
            enums.extend(message.enum_types)
            expected["field"] += len(message.fields)
        expected["value"] += sum(len(one.values) for one in enums)
        expected["rpc"] += sum(len(one.methods) for one in descriptor.services_by_name.values())

    assert expected == {kind: sum(one.kind == kind for one in CONTRACT) for kind in expected}


def test_every_rpc_says_who_may_call_it() -> None:
    """The last paragraph of an RPC's comment names the role that may call it."""
    bare = [
        one for one in CONTRACT if one.kind == "rpc" and not (one.comment and one.comment[-1].startswith("Allowed to "))
    ]

    assert [] == names(bare)


def test_every_field_says_whether_it_is_required() -> None:
    """The comment of a field starts with Required, Optional or Output only; a oneof speaks for its fields."""
    oneofs = {one.name for one in CONTRACT if one.kind == "oneof"}
    starts = re.compile(r"(Required|Optional|Output only)\b")
    bare = [
        one
        for one in CONTRACT
        if (one.kind == "oneof" or (one.kind == "field" and one.owner not in oneofs))
        and not (one.comment and starts.match(one.comment[0]))
    ]

    assert [] == names(bare)


@pytest.mark.parametrize("kind", ["enum", "message", "service", "oneof", "value"])
def test_everything_has_a_comment(kind: str) -> None:
    """Nothing in the contract stands without a sentence."""
    assert [] == names([one for one in CONTRACT if one.kind == kind and not one.comment])


def test_every_enum_starts_at_a_value_that_is_never_sent() -> None:
    """Zero is UNSPECIFIED, so that a forgotten field cannot pass for an answer."""
    wrong = [
        one for one in CONTRACT if one.kind == "value" and one.number == 0 and not one.name.endswith("_UNSPECIFIED")
    ]

    assert [] == names(wrong)
