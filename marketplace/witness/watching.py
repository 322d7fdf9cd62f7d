"""Making a witness of what its command says, and letting it listen."""

import logging
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from marketplace.kit import notes, secret_files
from marketplace.kit.notes import BadKey, VerifierKey
from marketplace.witness.judging import Witness
from marketplace.witness.memory import Memory, MemoryUnusable
from marketplace.witness.serving import Server


def watch(name: str, logs: tuple[str, ...], folder: Path, host: str, port: int) -> None:
    """Listen until the process ends; raises click's errors where the command's words are of no use."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if not notes.is_name(name):
        raise click.UsageError("a name has no spaces and no plus")
    memory = _memory(folder / "signed.json", folder / "key.pem")
    one = Witness(name, _private(folder / "key.pem"), _by_name(logs), memory)
    try:
        server = Server(host, port, one)
    except OSError as error:
        raise click.ClickException(f"{host}:{port} cannot be listened on ({error.strerror}): choose --port") from error
    click.echo(f"{one.key.text} listens on http://{host}:{server.server_port}/")
    with server:
        server.serve_forever()


def _by_name(texts: tuple[str, ...]) -> dict[str, list[VerifierKey]]:
    found: dict[str, list[VerifierKey]] = {}
    for text in texts:
        try:
            key = notes.read_key(text)
        except BadKey as error:
            raise click.UsageError(f"--log {text}: {error}") from error
        found.setdefault(key.name, []).append(key)
    return found


def _memory(path: Path, key_path: Path) -> Memory:
    memory = Memory(path)
    if not key_path.exists():
        memory.begin()
    try:
        memory.read()
    except MemoryUnusable as error:
        raise click.ClickException(str(error)) from error
    return memory


def _private(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        secret_files.create(path, notes.pem_of(Ed25519PrivateKey.generate()))
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise click.ClickException(f"{path} holds no key ({error}): restore it from a backup") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise click.ClickException(f"{path} holds a key of another kind: restore it from a backup")
    return key
