"""The two races: access tokens and refresh tokens, each with everything that is measured at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.bound import BLOCK_LEN, CountedCode, Derivation, Rates, derive_counts
from benchmarks.contenders import BASELINE, INSTRUCTIONS, Contender, Race
from benchmarks.ours import access_contenders, refresh_contenders, signature_contenders
from benchmarks.peers import access_peers, refresh_peers, signature_peers
from benchmarks.tokens import (
    ACCESS_KEY,
    ACCESS_LENGTH,
    JWT,
    REFRESH,
    REFRESH_KEY,
    access_parts,
    access_tokens,
    refresh_parts,
    refresh_tokens,
)
from sessiond import _fastverify
from sessiond.token.sign import SigningKey

ACCESS = "access"

Tables = Mapping[bytes, _fastverify.KeyTable]


def access_race(n_tokens: int, now: int, tables: Tables, *, with_peers: bool) -> Race:
    """
    Set up *n_tokens* access tokens good at *now* and for an hour; without peers but the baseline if so wished.

    *tables* has the wide one of ACCESS_KEY.
    """
    tokens, rsa = access_tokens(n_tokens, now)
    table = tables[ACCESS_KEY.public_key]
    contenders = access_contenders(table, now) + signature_contenders(table, JWT, access_parts)
    contenders += _signature_peers(ACCESS_KEY, JWT, access_parts, with_peers=with_peers)
    if with_peers:
        contenders += access_peers(rsa)
    return Race(ACCESS, f"Access tokens, JWT of {ACCESS_LENGTH} characters", contenders, tokens)


def refresh_race(n_tokens: int, now: int, tables: Tables, *, with_peers: bool) -> Race:
    """Set up refresh tokens likewise."""
    tokens = refresh_tokens(n_tokens, now)
    table = tables[REFRESH_KEY.public_key]
    contenders = refresh_contenders(table, now) + signature_contenders(table, REFRESH, refresh_parts)
    contenders += _signature_peers(REFRESH_KEY, REFRESH, refresh_parts, with_peers=with_peers)
    if with_peers:
        contenders += refresh_peers()
    length = len(tokens[REFRESH].good[0])
    return Race("refresh", f"Refresh tokens, CWT of {length} characters", contenders, tokens)


def _signature_peers(
    key: SigningKey, form: str, parts: Callable[[str], tuple[bytes, bytes]], *, with_peers: bool
) -> list[Contender]:
    return [one for one in signature_peers(key, form, parts) if with_peers or one.name == BASELINE]


def derive(race: Race, code: CountedCode, n_windows: int) -> Derivation:
    """Derive the bound of a race, for a message of its tokens and tables of *n_windows*."""
    form, key, parts = (JWT, ACCESS_KEY, access_parts) if race.name == ACCESS else (REFRESH, REFRESH_KEY, refresh_parts)
    message, _ = parts(race.tokens[form].good[0])
    signed = [(one, key.sign(one)) for one in (message, message + bytes(BLOCK_LEN))]
    return derive_counts(code, key.public_key, signed, n_windows)


def bound_contenders(race: Race, derivation: Derivation, rates: Rates) -> list[Contender]:
    """Give rows that carry out, for each token, as many instructions as the bound counts, and one for each cycle."""
    counts = derivation.total
    n_instructions = {"clock": counts.all, "ifma": counts.ifma, "vector": counts.all}

    def counter(kind: str, n_each: float) -> Callable[[Any], int]:
        def count_accepted(tokens: Any) -> int:  # noqa: ANN401 - it looks at none
            rates.run(kind, round(n_each * len(tokens)))
            return len(tokens)

        return count_accepted

    form = JWT if race.name == ACCESS else REFRESH
    return [Contender(kind, INSTRUCTIONS, form, str, counter(kind, each)) for kind, each in n_instructions.items()]
