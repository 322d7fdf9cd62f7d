"""The command of a witness."""

import logging
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from marketplace.kit import notes, secret_files
from marketplace.kit.notes import BadKey, VerifierKey
from marketplace.witness.judging import Witness
from marketplace.witness.memory import Memory
from marketplace.witness.serving import Server


@click.command()
@click.option("--name", required=True, help="who signs, such as city.otaru.example/witness")
@click.option("--log", "logs", multiple=True, required=True, metavar="VKEY", help="a key of a log; again for more")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), default=Path("witness"), show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=8100, show_default=True)
def witness(name: str, logs: tuple[str, ...], folder: Path, host: str, port: int) -> None:
    """Watch logs of other cities: sign each checkpoint that only adds to the one before (C2SP tlog-witness).

    The key is made in the folder at the first start; keep the folder, and pass the printed key on.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if not notes.is_name(name):
        raise click.UsageError("a name has no spaces and no plus")
    one = Witness(name, _private(folder / "key.pem"), _by_name(logs), Memory(folder / "signed.json"))
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


def _private(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        fresh = Ed25519PrivateKey.generate()
        secret_files.create(path, fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise click.ClickException(f"{path} holds no key ({error}): restore it from a backup") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise click.ClickException(f"{path} holds a key of another kind: restore it from a backup")
    return key


COMMANDS = (witness,)
