"""The command of a witness, which loads what it works with once it is meant."""

from pathlib import Path

import click


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
    from marketplace.witness import watching

    watching.watch(name, logs, folder, host, port)


COMMANDS = (witness,)
