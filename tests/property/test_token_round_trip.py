"""What is signed is read back, whatever it is."""

from __future__ import annotations

import json
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from sessiond.token.claims import MAX_CLAIMS_BYTES, RESERVED_CLAIMS, check_json_object
from sessiond.token.format import RefreshContent
from sessiond.token.inspect import inspect
from sessiond.token.keyset import VerificationKey
from sessiond.token.sign import AccessClaims, RefreshClaims, access_token_length, sign_access_token, sign_refresh_token
from sessiond.token.verify import AccessVerifier, RefreshVerifier
from tests.vectors.token_samples import ACCESS_KEY, REFRESH_KEY, said

REFRESH = RefreshVerifier([VerificationKey(REFRESH_KEY.public_key)])
ACCESS_KEYS = [VerificationKey(ACCESS_KEY.public_key)]

session_ids = st.binary(min_size=16, max_size=16)
generations = st.integers(0, (1 << 32) - 1)
hashes = st.binary(min_size=8, max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8).filter(
    lambda name: name.casefold() not in RESERVED_CLAIMS
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def claims_texts(draw: st.DrawFn) -> str:
    """Write an object in one of the spellings that JSON leaves open."""
    text = json.dumps(
        draw(st.dictionaries(names, values, max_size=4)),
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 1])),
        separators=draw(st.sampled_from([(",", ":"), (" , ", " : ")])),
    )
    return text if len(text.encode()) <= MAX_CLAIMS_BYTES else "{}"


refresh_claims = st.builds(
    RefreshClaims,
    session_ids,
    generations,
    issued_at=st.integers(1 << 16, (1 << 32) - 1),
    expires_at=st.integers(1 << 16, (1 << 32) - 1),
)
access_claims = st.builds(
    AccessClaims,
    session_ids,
    generations,
    issued_at=st.integers(1_000_000_000, 2_000_000_000),
    expires_at=st.integers(2_000_000_001, (1 << 32) - 1),
    tenant_hash=hashes,
    subject_hash=hashes,
    born=st.integers(0, (1 << 64) - 1),
    issuer=texts,
    audience=texts,
    subject=texts,
    client_id=texts,
    tenant=texts,
    claims_json=claims_texts(),
)


@given(refresh_claims)
def test_refresh_tokens(claims: RefreshClaims) -> None:
    """A refresh token is read back as it was signed, by the verifier and by an inspection."""
    token = sign_refresh_token(REFRESH_KEY, claims)
    read = REFRESH.read_signed(token)

    assert {"key_id": REFRESH_KEY.key_id, **asdict(claims)} == said(read)
    assert RefreshContent(**said(read)) == inspect(token).content


@given(access_claims)
def test_access_tokens(claims: AccessClaims) -> None:
    """An access token is read back as it was signed, its claims as the same JSON."""
    token = sign_access_token(ACCESS_KEY, claims)
    verifier = AccessVerifier(ACCESS_KEYS, claims.issuer)
    read = verifier.read_signed(token)
    same = {name: value for name, value in asdict(claims).items() if name != "claims_json"}

    assert same.items() <= said(read).items()
    assert json.loads(claims.claims_json) == json.loads(read.claims_json)
    assert len(token) == access_token_length(claims)
    assert read == verifier.verify(token, audience=claims.audience, now=claims.issued_at, leeway=0)


@given(access_claims)
def test_access_tokens_are_json(claims: AccessClaims) -> None:
    """A plain JSON parser reads the same, in the order of the format."""
    content = inspect(sign_access_token(ACCESS_KEY, claims)).content
    assert content is not None

    assert asdict(claims) | {"claims_json": ""} == content._asdict() | {"claims_json": ""}


@given(claims_texts())
def test_claims_that_are_well_formed_are_taken(text: str) -> None:
    """Whatever the standard library writes without NaN and NUL, as a shallow object, is taken."""
    check_json_object(text, reserved=RESERVED_CLAIMS)


@given(st.text(max_size=80) | st.text('{}[]",:\\0123456789.eE+-truefalsnN \n', max_size=80))
def test_claims_of_any_kind_raise_nothing_else(text: str) -> None:
    """Any text is taken or refused with ValueError, and what is taken is an object that comes back from JSON."""
    try:
        check_json_object(text)
    except ValueError:
        return

    assert isinstance(json.loads(text), dict)
