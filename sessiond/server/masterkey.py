"""
The master key: where it is read from, and how a development server makes its own.

Every private key in the store is sealed under it. Without it the store is of
no use, so it is never replaced silently.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from sessiond.server.config import ConfigError

if TYPE_CHECKING:
    from sessiond.server.config import Config

MASTER_KEY_SIZE = 32
DEV_FILE_NAME = "master.key"

_HEX = re.compile(r"[0-9a-fA-F]{64}\Z")
_COMMAND_SECONDS = 30
_OTHERS = 0o077

_log = structlog.get_logger("sessiond.server")


def read_master_key(config: Config) -> bytes:
    """
    Read the master key, 32 bytes, from the one place that *config* names.

    Raises:
        ConfigError: None or several places are named, or what is there is no key.

    """
    named = [
        name for name in ("master_key", "master_key_file", "master_key_command") if getattr(config, name) is not None
    ]
    if len(named) != 1:
        found = "none of them is" if not named else f"{' and '.join(named)} are"
        message = f"give exactly one of master_key, master_key_file, master_key_command: {found} given"
        raise ConfigError(message)
    if config.master_key is not None:
        text = config.master_key.get_secret_value()
    elif config.master_key_file is not None:
        text = _from_file(config.master_key_file)
    else:
        text = _from_command(config.master_key_command or "")
    text = text.strip()
    if not _HEX.match(text):
        message = f"{named[0]}: a master key is 64 hexadecimal digits, as `openssl rand -hex 32` prints them"
        raise ConfigError(message)
    return bytes.fromhex(text)


def dev_master_key_file(data: Path) -> Path:
    """
    Give the file with the master key of a development server; make both at its first start.

    Of two servers that start at once, the second reads what the first made.

    Raises:
        ConfigError: The directory holds a store already but no master key.

    """
    file = data / DEV_FILE_NAME
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        others = [entry for entry in data.iterdir() if not entry.name.startswith(f".{DEV_FILE_NAME}.")]
        # Looked for after the listing: a server that starts beside this one makes the key before the store.
        if file.exists():
            return file
        if others:
            message = (
                f"{data}: there is a store but no {DEV_FILE_NAME}, and without it its keys cannot be read: "
                f"put the file back, or remove the whole directory to start with an empty store"
            )
            raise ConfigError(message)
        _create(file, os.urandom(MASTER_KEY_SIZE).hex() + "\n")
    except OSError as error:
        message = f"{error.filename or data}: {error.strerror}: cannot keep a master key there"
        raise ConfigError(message) from None
    return file


def _create(file: Path, text: str) -> None:
    """Make *file* durably and whole, readable by its owner only, unless it is there already."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, file)
        except FileExistsError:
            return
    finally:
        Path(temporary).unlink()
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _from_file(file: Path) -> str:
    try:
        if file.stat().st_mode & _OTHERS:
            _log.warning("master key file is open to others", file=str(file), mend=f"chmod 600 {file}")
        return file.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        message = f"master_key_file: {file}: {error.strerror}"
        raise ConfigError(message) from None


def _from_command(command: str) -> str:
    """Run *command*; what it prints on stderr goes to ours. Its own text is not shown: it can hold a secret."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        message = f"master_key_command: cannot be read: {error}"
        raise ConfigError(message) from None
    if not words:
        message = "master_key_command: is empty"
        raise ConfigError(message)
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_COMMAND_SECONDS, check=True
        )
    except OSError as error:
        message = f"master_key_command: cannot be run: {error.strerror}"
    except subprocess.CalledProcessError as error:
        message = f"master_key_command: ended with exit code {error.returncode}"
    except subprocess.TimeoutExpired:
        message = f"master_key_command: gave nothing within {_COMMAND_SECONDS} s"
    else:
        return done.stdout.decode("ascii", "replace")
    raise ConfigError(message)
