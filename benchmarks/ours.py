"""What sessiond is measured at: the API that services import, and the bare check of signatures under it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.contenders import CLAIMS, SIGNATURE, VERDICT, Contender, Counter, one_by_one
from benchmarks.tokens import AUDIENCE, ISSUER, JWT, REFRESH
from sessiond import _fastverify
from sessiond.errors import InvalidAccessToken, InvalidRefreshToken
from sessiond.token.keyset import VerificationKey
from sessiond.token.sign import SigningKey
from sessiond.token.verify import AccessVerifier, RefreshVerifier
from sessiond.wide_tables import WideTables

OURS = "sessiond"
EXTENSION = "sessiond extension"

# States: what there is before a call, where it is not a wide table and an empty memory.
CACHED = "cached"
SMALL = "small table"
FIRST = "key just loaded"

BATCHES = (8, 64, 1024)
CACHE_ENTRIES = 1 << 15  # so many that no token of the benchmark makes room for another
N_FIRST = 8

Parts = Callable[[str], tuple[bytes, bytes]]


def wide_tables(keys: Iterable[SigningKey], key_table_bytes: int) -> tuple[Mapping[bytes, _fastverify.KeyTable], int]:
    """Give the tables of *keys*, once they were widened in the background, and how many windows they have."""
    faults: list[str] = []
    tables = {key.public_key: _fastverify.KeyTable(key.public_key) for key in keys}
    background = WideTables(key_table_bytes, None, faults.append)
    background.widen(tables.values())
    background.wait()
    background.close()
    if faults:
        raise RuntimeError("; ".join(faults))
    return tables, background.windows


def signature_contenders(table: _fastverify.KeyTable, form: str, parts: Parts) -> list[Contender]:
    """Give the bare checks of signatures under the key of *table*."""

    def one(pairs: Sequence[tuple[bytes, bytes]]) -> int:
        verify = table.verify
        return sum(verify(message, signature) for message, signature in pairs)

    def all_at_once(pairs: Sequence[tuple[bytes, bytes]]) -> int:
        return table.verify_batch(pairs).count(1)

    rows = [Contender(EXTENSION, SIGNATURE, form, parts, one)]
    return rows + [Contender(EXTENSION, SIGNATURE, form, parts, all_at_once, batch=size) for size in BATCHES]


def access_contenders(table: _fastverify.KeyTable, now: int) -> list[Contender]:
    """Give the ways to verify access tokens at *now*, *table* being the wide one of their key."""
    keys = [VerificationKey(table.public_key)]
    small = AccessVerifier(keys, ISSUER)
    wide = AccessVerifier(keys, ISSUER, tables={table.public_key: table})
    cached = AccessVerifier(keys, ISSUER, tables=wide.tables, cache_entries=CACHE_ENTRIES)

    def one(verifier: AccessVerifier) -> Counter:
        def count_accepted(tokens: Sequence[str]) -> int:
            verify, audience, accepted = verifier.verify, AUDIENCE, 0
            for token in tokens:
                try:
                    verify(token, audience=audience, now=now, leeway=0)
                except InvalidAccessToken:
                    continue
                accepted += 1
            return accepted

        return count_accepted

    def batch(verifier: AccessVerifier) -> Counter:
        return lambda tokens: verifier.verify_batch(tokens, audience=AUDIENCE, now=now, leeway=0).verdicts.count(0)

    def claims(token: str) -> object:
        read = wide.verify(token, audience=AUDIENCE, now=now, leeway=0)
        return read.subject, read.client_id, read.tenant, read.claims_json, read.session_id, read.expires_at

    def first(token: str) -> object:
        return AccessVerifier(keys, ISSUER).verify(token, audience=AUDIENCE, now=now, leeway=0)

    return _contenders(
        JWT,
        {"": one(wide), CACHED: one(cached), SMALL: one(small)},
        {"": batch(wide), SMALL: batch(small)},
        claims=one_by_one(claims, (InvalidAccessToken,)),
        first=one_by_one(first, (InvalidAccessToken,)),
    )


def refresh_contenders(table: _fastverify.KeyTable, now: int) -> list[Contender]:
    """Give the ways to verify refresh tokens likewise."""
    keys = [VerificationKey(table.public_key)]
    small = RefreshVerifier(keys)
    wide = RefreshVerifier(keys, tables={table.public_key: table})

    def one(verifier: RefreshVerifier) -> Counter:
        return one_by_one(lambda token: verifier.verify(token, now=now), (InvalidRefreshToken,))

    def batch(verifier: RefreshVerifier) -> Counter:
        return lambda tokens: verifier.verify_batch(tokens, now=now).verdicts.count(0)

    def claims(token: str) -> object:
        read = wide.verify(token, now=now)
        return read.session_id, read.generation, read.issued_at, read.expires_at

    def first(token: str) -> object:
        return RefreshVerifier(keys).verify(token, now=now)

    return _contenders(
        REFRESH,
        {"": one(wide), SMALL: one(small)},
        {"": batch(wide), SMALL: batch(small)},
        claims=one_by_one(claims, (InvalidRefreshToken,)),
        first=one_by_one(first, (InvalidRefreshToken,)),
    )


def _contenders(
    form: str, one: dict[str, Counter], batch: dict[str, Counter], *, claims: Counter, first: Counter
) -> list[Contender]:
    """Lay the ways out: one token a call and batches, by state, then what stands apart."""
    rows = [Contender(OURS, VERDICT, form, str, counter, state=state) for state, counter in one.items()]
    rows += [
        Contender(OURS, VERDICT, form, str, counter, batch=size, state=state, in_threads=(state, size) == ("", 1024))
        for state, counter in batch.items()
        for size in (BATCHES if state == "" else BATCHES[-1:])
    ]
    rows.append(Contender(OURS, CLAIMS, form, str, claims))
    rows.append(Contender(OURS, VERDICT, form, str, first, state=FIRST, n_tokens=N_FIRST))
    return rows
