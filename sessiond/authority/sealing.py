"""Encryption at rest: what the store keeps of secrets."""

from __future__ import annotations

import nacl.exceptions
import nacl.secret

MASTER_KEY_SIZE = nacl.secret.SecretBox.KEY_SIZE

_MAX_LABEL_BYTES = 255


class SealError(Exception):
    """A sealed secret cannot be used. The message is for the operator and says what to do."""


class WrongMasterKeyError(SealError):
    """The master key at hand is not the one that the secret was sealed under, or the secret was damaged."""


class Sealer:
    """
    Seals secrets under the master key: XSalsa20-Poly1305 with a random nonce, libsodium through PyNaCl.

    The label is sealed with the secret and compared when it is opened, so that
    two sealed secrets cannot be exchanged for each other in the store. Safe to
    use from any thread.
    """

    __slots__ = ("_box",)

    def __init__(self, master_key: bytes) -> None:
        """
        Seal under *master_key*, 32 bytes.

        Raises:
            ValueError: It has another length.

        """
        if len(master_key) != MASTER_KEY_SIZE:
            message = f"a master key has {MASTER_KEY_SIZE} bytes, not {len(master_key)}"
            raise ValueError(message)
        self._box = nacl.secret.SecretBox(master_key)

    def seal(self, label: str, secret: bytes) -> bytes:
        """
        Encrypt *secret*; *label* says what it is, 255 bytes at most.

        Draws a nonce, so the answer differs each time: call it before a
        decision that a store may run again, never inside.
        """
        name = label.encode()
        if len(name) > _MAX_LABEL_BYTES:
            message = f"a label has at most {_MAX_LABEL_BYTES} bytes"
            raise ValueError(message)
        return bytes(self._box.encrypt(bytes([len(name)]) + name + secret))

    def open(self, label: str, sealed: bytes) -> bytes:
        """
        Decrypt what was sealed under the same master key and label.

        Raises:
            WrongMasterKeyError: It was sealed under another key, or was changed since.
            SealError: It is another secret than *label* says.

        """
        try:
            opened = self._box.decrypt(sealed)
        except (nacl.exceptions.CryptoError, ValueError):
            message = (
                f"the master key does not open the {label} of this store. Start with the master key that the store "
                "was made with; if that is the one in use, the store is damaged: restore it from a backup"
            )
            raise WrongMasterKeyError(message) from None
        start = 1 + opened[0]
        if opened[1:start] != label.encode():
            message = f"the store holds another secret in the place of the {label}: restore it from a backup"
            raise SealError(message)
        return opened[start:]
