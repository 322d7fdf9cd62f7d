"""Playing the first trade, or serving its world."""

import io
import json
import shlex
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import requests

from marketplace.cli.composition import Composition, application, pass_composition
from marketplace.demo import cast, files, play, sample, stage
from marketplace.demo.narration import Narrator
from marketplace.demo.party import DemoFailed, Party
from marketplace.identity import service as identity
from marketplace.identity.rules import ApplicationDraft
from marketplace.identity.states import Capacity, OrganizationKind
from marketplace.kit import postgres
from marketplace.kit.settings import Settings
from marketplace.kit.transaction import transaction


@click.command()
@click.argument("data", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--serve", "keep_serving", is_flag=True, help="set the world up and serve it until SIGTERM")
@click.option("--port", type=click.IntRange(0, 65535), help="port on the loopback interface; a free one when absent")
@click.option(
    "--world", type=click.Path(path_type=Path, dir_okay=False), help="write the world's addresses here (JSON)"
)
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="leave the exchange in this folder, switched off"
)
@pass_composition
def demo(
    composition: Composition,
    data: Path | None,
    keep_serving: bool,
    port: int | None,
    world: Path | None,
    keep: Path | None,
) -> None:
    """Play the first trade over HTTP, with DATA (a file or a folder) or with a synthetic sample."""
    _be_printable()
    _refuse_folders(world, keep)
    stop = _stop_on_signals()
    try:
        with _home(keep) as home:
            port = port or stage.free_port()
            _perform(composition, data, home, port, _Serving(world) if keep_serving else None, stop)
            if keep:
                _tell_settings(home, port)
    except DemoFailed as failure:
        sys.exit(f"the trade failed: {failure}")
    except requests.RequestException as error:
        sys.exit(f"the trade failed: the server does not answer any more ({error})")
    except KeyboardInterrupt:
        print("closed", flush=True)
        sys.exit(0 if keep_serving else 130)


@dataclass(frozen=True, slots=True)
class _Serving:
    world: Path | None


def _refuse_folders(world: Path | None, keep: Path | None) -> None:
    if world and not world.parent.is_dir():
        raise click.BadParameter(f"the folder {world.parent} does not exist", param_hint="--world")
    if keep and keep.exists() and any(keep.iterdir()):
        raise click.BadParameter(f"the folder {keep} holds something already", param_hint="--keep")


def _perform(
    composition: Composition,
    data: Path | None,
    home: Path,
    port: int,
    serving: _Serving | None,
    stop: threading.Event,
) -> None:
    if not stage.port_is_free(port):
        raise DemoFailed(f"port {port} is in use: choose another with --port (make serve PORT=…)")
    own = _own_files(data) if data else []
    narrator, base_url = Narrator(), stage.address(port)
    with stage_set(composition, home, base_url, port) as (operator, auditor):
        try:
            paths = own or [_sample(home)]
            narrator.say("exchange", "is open", address=base_url, payments="sandbox, no real money")
            parties = play.assemble(base_url, operator, auditor, narrator, lambda: stage.letters(base_url, port, home))
            made = play.set_up(parties, narrator, paths, play.titles_for(data))
            if serving:
                _serve(made, narrator, serving.world, stop)
            else:
                _finish(narrator, play.play(made, narrator))
        finally:
            stop.set()  # from here on a signal changes nothing: all that was started is being ended


@contextmanager
def stage_set(composition: Composition, home: Path, base_url: str, port: int) -> Iterator[tuple[Party, Party]]:
    """Found operator and auditor on the machine itself, then open the real server to everybody."""
    # Not those of the environment: the demo never touches a database or an account that the machine has settings for.
    settings = Settings(base_url=base_url, port=port, data_dir=home, unread_files="note")
    try:
        with application(replace_settings(composition, settings)):
            operator = _found(cast.OPERATOR, "operator", base_url)
            auditor = _found(cast.AUDITOR, "auditor", base_url)
        with stage.server(base_url, port, home):
            yield operator, auditor
    finally:
        postgres.stop(home)


def replace_settings(composition: Composition, settings: Any) -> Composition:
    """Return the composition with these settings instead of those of the environment."""
    return replace(composition, settings=lambda: settings)


def _found(draft: dict[str, Any], role: str, base_url: str) -> Party:
    with transaction():
        admission = identity.found_organization(
            ApplicationDraft(
                **draft
                | {
                    "kind": OrganizationKind(draft["kind"]),
                    "capacities": frozenset(Capacity(capacity) for capacity in draft["capacities"]),
                }
            )
        )
        return Party(role, base_url, admission.organization.id, admission.client.id, admission.secret)


def _serve(made: play.World, narrator: Narrator, world: Path | None, stop: threading.Event) -> None:
    grant_id = play.buy(made, narrator)
    if world:
        _write_atomically(world, _described(made, grant_id))
    base_url = made.parties["provider"].base_url
    print(f"\nMusubi is open at {base_url}  (pages: {base_url}/docs, catalogue: {base_url}/v1/catalog)")
    if world:
        print(f"The clients and addresses of this world are in {world}.")
    print("It stays until SIGTERM or Ctrl-C.", flush=True)
    stop.wait()


def _described(made: play.World, grant_id: str) -> dict[str, Any]:
    file = made.release["files"][0]
    base_url = made.parties["provider"].base_url
    return {
        "base_url": base_url,
        "issuer": base_url,
        "clients": {role: party.credentials() for role, party in made.parties.items()},
        "dataset_id": made.dataset_id,
        "release_id": made.release["id"],
        "offer_id": made.once["id"],
        "grant_id": grant_id,
        "file_name": file["name"],
        "file_sha256": file["sha256"],
        "file_size": file["size_bytes"],
        "unbought_offer_id": made.metered["id"],
        "unbought_offer_url": f"{base_url}/v1/offers/{made.metered['id']}",
    }


def _finish(narrator: Narrator, rows: list[tuple[str, str]]) -> None:
    print("\nFIRST TRADE COMPLETE")
    narrator.table(rows)


def _own_files(data: Path) -> list[Path]:
    found = files.files_of(data)
    if not any(map(files.size_bytes, found)):
        raise DemoFailed(f"{data} holds no file with anything in it: there is nothing to sell")
    return found


def _sample(home: Path) -> Path:
    folder = home / "sample"
    folder.mkdir()
    return sample.write_sample(folder)


@contextmanager
def _home(kept: Path | None) -> Iterator[Path]:
    # A fresh installation every time; the embedded server, which never runs as root, must be able to enter it.
    if kept:
        kept.mkdir(mode=0o755, parents=True, exist_ok=True)
        yield kept.resolve()
        return
    home = Path(tempfile.mkdtemp(prefix="musubi-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _tell_settings(home: Path, port: int) -> None:
    """Leave beside the data what commands have to be told to mean this exchange."""
    path = home / "settings.sh"
    path.write_text(
        f"export MARKETPLACE_DATA_DIR={shlex.quote(str(home))} MARKETPLACE_BASE_URL={stage.address(port)}\n",
        encoding="utf-8",
    )
    print(f"The exchange is switched off; its data lies in {home}. For commands that mean it: . {path}")


def _write_atomically(path: Path, document: dict[str, Any]) -> None:
    draft = path.with_name(path.name + ".part")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def _be_printable() -> None:
    # A terminal that knows no Japanese shows question marks; it is no reason to end.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def end(_number: int, _frame: object) -> None:
        if stop.is_set():
            return
        stop.set()
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    return stop


COMMANDS = (demo,)
