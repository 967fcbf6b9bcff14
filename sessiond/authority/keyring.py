"""One state of the keyset, ready to sign and verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiond.store.records import KeyState, Purpose
from sessiond.token.format import FORMAT
from sessiond.token.keyset import VerificationKey
from sessiond.token.sign import SigningKey, sign_access_token, sign_refresh_token
from sessiond.token.verify import AccessVerifier, RefreshVerifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sessiond.authority.sealing import Sealer
    from sessiond.store.contract import KeysView
    from sessiond.store.records import KeyRecord
    from sessiond.token.sign import AccessClaims, RefreshClaims
    from sessiond.token.verify import RevocationIndex


class KeysetFaultError(Exception):
    """The keyset in the store cannot be used. The message is for the operator and says what to do."""


class Keyring:
    """
    The keyset of one revision, both purposes; it never changes.

    A call takes one keyring and judges and signs with that alone, so it never
    sees half of a change. Shows nothing of private keys. Safe to use from any
    thread.

    Attributes:
        records: Every key, newest first.
        revision: The revision of the keyset: the one that its last change got, as in ``View.keys_revision``.
        issuer: The issuer that access tokens name.
        refresh_verifier: Knows every refresh key of the keyset.
        access_verifier: Knows every access key of the keyset.
        active_refresh_key_id: The key that signs new generations.
        revoked_refresh_key_ids: The refresh keys whose tokens are refused.
        signers: The private half of each key that is not REVOKED, by key id.

    """

    __slots__ = (
        "_active_access_key",
        "access_verifier",
        "active_refresh_key_id",
        "issuer",
        "records",
        "refresh_verifier",
        "revision",
        "revoked_refresh_key_ids",
        "signers",
    )

    def __init__(
        self, view: KeysView, signers: Mapping[bytes, SigningKey], issuer: str, previous: Keyring | None = None
    ) -> None:
        """
        Take the keys of *view* with *signers*, as :func:`read_signers` gives them.

        What *previous* has computed for a public key is taken over: keysets change one key at a time.

        Raises:
            KeysetFaultError: A purpose has no ACTIVE key, or a public key is not of prime order.

        """
        self.records = tuple(sorted(view.keys, key=_age))
        self.revision = view.keys_revision
        self.issuer = issuer
        self.signers = signers
        self.active_refresh_key_id = self._active(Purpose.REFRESH)
        self._active_access_key = signers[self._active(Purpose.ACCESS)]
        self.revoked_refresh_key_ids = frozenset(
            key.key_id for key in self._of(Purpose.REFRESH) if key.state is KeyState.REVOKED
        )
        refresh_tables = previous.refresh_verifier.tables if previous is not None else {}
        access_tables = previous.access_verifier.tables if previous is not None else {}
        self.refresh_verifier: RefreshVerifier = RefreshVerifier(
            _verification_keys(self._of(Purpose.REFRESH)), tables=refresh_tables
        )
        self.access_verifier: AccessVerifier = AccessVerifier(
            _verification_keys(self._of(Purpose.ACCESS)), issuer, tables=access_tables
        )

    def access_verifier_with(self, revocations: RevocationIndex) -> AccessVerifier:
        """Make another access verifier, with the same tables, that asks *revocations* last in the same call."""
        return AccessVerifier(
            _verification_keys(self._of(Purpose.ACCESS)),
            self.issuer,
            tables=self.access_verifier.tables,
            revocations=revocations,
        )

    def can_sign(self, key_id: bytes) -> bool:
        """Say whether tokens of a key can be made again: it is in the keyset and not REVOKED."""
        return key_id in self.signers

    def sign_refresh(self, key_id: bytes, claims: RefreshClaims) -> str:
        """Sign a refresh token, with a key that need not be ACTIVE, so that a token can be made again."""
        return sign_refresh_token(self.signers[key_id], claims)

    def sign_access(self, claims: AccessClaims) -> str:
        """Sign an access token with the ACTIVE key."""
        return sign_access_token(self._active_access_key, claims)

    def __repr__(self) -> str:
        return f"Keyring(revision={self.revision}, keys={[key.key_id.hex() for key in self.records]})"

    def _of(self, purpose: Purpose) -> list[KeyRecord]:
        return [key for key in self.records if key.purpose is purpose]

    def _active(self, purpose: Purpose) -> bytes:
        for key in self._of(purpose):
            if key.state is KeyState.ACTIVE and key.key_id in self.signers:
                return key.key_id
        message = (
            f"the keyset has no ACTIVE {purpose.name} key of format {FORMAT}: a newer release made one of another "
            "format, or the store is damaged. Start that release, or restore the store from a backup"
        )
        raise KeysetFaultError(message)


def read_signers(
    keys: Iterable[KeyRecord], sealer: Sealer, known: Mapping[bytes, SigningKey]
) -> dict[bytes, SigningKey]:
    """
    Open the private half of every key that is not REVOKED and of a format that is understood.

    Args:
        keys: The keys of a keyset.
        sealer: Opens the seeds.
        known: Keys that were opened before; they are taken as they are.

    Raises:
        WrongMasterKeyError: A seed was sealed under another master key.
        SealError: A seed was sealed for another key.
        KeysetFaultError: A seed does not belong to the public key beside it.

    """
    signers: dict[bytes, SigningKey] = {}
    for key in keys:
        if key.state is KeyState.REVOKED or key.format != FORMAT:
            continue
        signer = known.get(key.key_id) or SigningKey(sealer.open(seed_label(key.purpose, key.key_id), key.sealed_seed))
        if (signer.key_id, signer.public_key) != (key.key_id, key.public_key):
            message = f"the key {key.key_id.hex()} of the keyset is damaged: restore the store from a backup"
            raise KeysetFaultError(message)
        signers[key.key_id] = signer
    return signers


def seed_label(purpose: Purpose, key_id: bytes) -> str:
    """Name a sealed seed, so that it opens in its own place only."""
    return f"{purpose.name.lower()} key {key_id.hex()}"


def _age(key: KeyRecord) -> tuple[int, int, KeyState, bytes]:
    """Order keys, newest first; those of one second by how far they are in their life."""
    return (-key.created_at, -key.activates_at, key.state, key.key_id)


def _verification_keys(keys: Iterable[KeyRecord]) -> list[VerificationKey]:
    verification_keys = []
    for key in keys:
        try:
            verification_key = VerificationKey(key.public_key, key.format, key.state is KeyState.REVOKED)
        except ValueError:
            message = f"the public key {key.key_id.hex()} is not of prime order: restore the store from a backup"
            raise KeysetFaultError(message) from None
        verification_keys.append(verification_key)
    return verification_keys
