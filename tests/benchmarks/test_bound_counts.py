"""The bound of the algorithm follows from the code as it stands."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import bound
from benchmarks.bound import CountedCode, Counts, Derivation, derive_counts, summarize_bound
from benchmarks.native import NoCompilerError, compile_library
from benchmarks.tokens import ACCESS_KEY
from tests.native.c_machine import Machine, Object
from tests.native.c_value import UINT64, Value
from tests.native.lane_model import INSTRUCTIONS

MESSAGE = bytes(553)
SIGNED = [(one, ACCESS_KEY.sign(one)) for one in (MESSAGE, MESSAGE + bytes(bound.BLOCK_LEN))]


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> CountedCode:
    """Compile the code that counts its instructions, once."""
    return CountedCode(tmp_path_factory.mktemp("counted"))


def test_the_derivation_gives_what_is_counted(code: CountedCode) -> None:
    """The parts, which are taken with other tables, add up to a count with tables of 24 windows."""
    message, signature = SIGNED[0]
    counted = code.signature(ACCESS_KEY.public_key, message, signature, 24)
    total = derive_counts(code, ACCESS_KEY.public_key, SIGNED, 24).total

    assert [counted.ifma, counted.other] == pytest.approx([total.ifma, total.other])


def test_an_addition_has_the_multiplications_of_its_formula(code: CountedCode) -> None:
    """What is counted as the code runs is seven products and seven carries, each with what a reader of the C finds."""
    n_multiplications = 0

    def counted(instruction: Callable[[list[Object]], Object]) -> Callable[[list[Object]], Object]:
        def run(arguments: list[Object]) -> Object:
            nonlocal n_multiplications
            n_multiplications += 1
            return instruction(arguments)

        return run

    machine = Machine(
        "field_avx512ifma.h",
        macros=["SESSIOND_EMULATED_AVX512=<stdint.h>", "__m512i=uint64_t", "__mmask8=uint8_t"],
        trusted={name: counted(one) if "madd52" in name else one for name, one in INSTRUCTIONS.items()},
    )
    a, b = (machine.new("field8", lambda _: Value.within(UINT64, 2**51)) for _ in range(2))
    assert 1 == len(list(machine.run("field8_mul", lambda: [machine.new("field8"), a, b])))
    assert 1 == len(list(machine.run("field8_carry", lambda: [machine.new("field8"), a])))

    assert 7 * n_multiplications == 8 * derive_counts(code, ACCESS_KEY.public_key, SIGNED, 18).addition.ifma


def test_only_good_signatures_are_counted(code: CountedCode) -> None:
    """What is refused takes another way through the code, so it gives no count."""
    with pytest.raises(ValueError, match="a signature that is counted must be good"):
        code.signature(ACCESS_KEY.public_key, MESSAGE, bytes(64), 32)


def test_the_greater_of_both_times_is_the_bound() -> None:
    """A signature takes no less than its multiplications at their rate, and no less than all at theirs."""
    derivation = Derivation(16, 2, Counts(10, 20), Counts(0, 95), Counts(90, 190))
    assert (31, Counts(400, 1000)) == (derivation.n_additions, derivation.total)

    found = summarize_bound(derivation, {"clock": [350, 375], "ifma": [100, 110], "vector": [175, 180]})
    assert 175 == found["nanoseconds"] == found["nanoseconds_of_all"]
    assert (4.0, {"ifma": 1.0, "all": 2.0}) == (found["gigahertz"], found["per_cycle"])
    assert 200 == summarize_bound(derivation, {"clock": [350], "ifma": [200], "vector": [175]})["nanoseconds"]


def test_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the compiler is told apart from code that does not compile."""
    broken = tmp_path / "broken.c"
    broken.write_text("no C")
    with pytest.raises(ValueError, match=r"(?s)does not compile broken:\n.*error"):
        compile_library(tmp_path / "broken.so", [], [broken])

    monkeypatch.setattr(sysconfig, "get_config_var", lambda _: "cc-of-another-machine -O2")
    with pytest.raises(NoCompilerError, match="there is no C compiler 'cc-of-another-machine'"):
        compile_library(tmp_path / "broken.so", [], [broken])
