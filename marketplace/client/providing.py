"""Commands: filling a release with one's files, and publishing it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from marketplace.client import pauses, uploads
from marketplace.client.exchange import Exchange, part
from marketplace.client.options import exchange_of, is_watched, json_option, note, print_json, server_option
from marketplace.client.servers import named
from marketplace.client.troubles import Trouble, Unreachable, Unusable
from marketplace.client.uploads import Sent
from marketplace.client.wire import json_of, new_key
from marketplace.client.wording import plain, say, size

POLL_SECONDS = 2
POLLS_MAX = 1800
JAPAN = timedelta(hours=9)


@click.command()
@click.argument("what", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--dataset", required=True, metavar="ID", help="the dataset (ds_…), or an address with its id")
@click.option("--release", "label", metavar="LABEL", help="the draft release of this label; today's date when absent")
@click.option("--publish", is_flag=True, help="publish the release once all files are there and were looked into")
@server_option
@json_option
def upload(
    what: tuple[Path, ...], dataset: str, label: str | None, publish: bool, server: str | None, as_json: bool
) -> None:
    """Send WHAT, files and all files of folders, into a draft release of a dataset, one after the other.

    What was broken off goes on where it stopped; what is there already is not sent again. A release is flat: of a
    folder, inner/a.csv is sent as inner_a.csv. What is hidden is left out.
    """
    thing = named(dataset, "ds")
    exchange = exchange_of(server, thing)
    files = _files(what)
    release_id = _draft(exchange, thing.id, label or _today())
    there = {str(one["name"]): str(one["sha256"]) for one in _read(exchange, release_id)["files"]}
    sent = [_sent(exchange, release_id, name, path, there, quiet=as_json) for name, path in files]
    state = _published(exchange, release_id) if publish else "draft"
    if as_json:
        print_json({"release_id": release_id, "state": state, "files": [_shown(one) for one in sent]})
    else:
        told = say(
            f"版 {release_id}: {len(sent)} ファイル、{state}", f"release {release_id}: {len(sent)} files, {state}"
        )
        click.echo(told)


def _files(what: tuple[Path, ...]) -> list[tuple[str, Path]]:
    """Return the files that are meant by name, each once; raises Unusable where two would have one name, or none is."""
    found: list[tuple[str, Path]] = []
    for one in what:
        found += sorted(_within(one)) if one.is_dir() else [(one.name, one)]
    names = [name for name, _path in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not found:
        told = ", ".join(map(plain, twice))
        raise Unusable(
            say(f"同じ名前のファイルが複数あります: {told}", f"Several files have one name: {told}")
            if twice
            else say("送るファイルがありません。", "There is no file to send.")
        )
    return found


def _within(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a folder and of those within, named by the folders on the way; links to folders lead away."""
    for path in folder.rglob("*"):
        way = path.relative_to(folder).parts
        if path.is_dir() or any(step.startswith(".") for step in way):
            continue
        if path.is_file():
            yield "_".join(way), path
        else:
            note(say(f"{plain(str(path))} は送りません。", f"{plain(str(path))} is left out."))


def _draft(exchange: Exchange, dataset_id: str, label: str) -> str:
    """Return the draft release of this label, which is opened where there is none; raises Trouble for a sealed one."""
    address = f"/v1/datasets/{part(dataset_id)}/releases"
    for release in exchange.walk(address):
        if release["label"] == label:
            if release["state"] != "draft":
                raise _sealed(label)
            return str(release["id"])
    opened = json_of(exchange.ask("POST", address, json={"label": label}))
    return str(opened["id"])


def _sent(exchange: Exchange, release_id: str, name: str, path: Path, there: dict[str, str], *, quiet: bool) -> Sent:
    with _progress(name, path, quiet=quiet) as report:
        sent = uploads.send(exchange, release_id, name, path, there, report)
    if not quiet:
        state = say("既にあります", "is there already") if sent.was_there else say("送信しました", "sent")
        click.echo(f"{plain(name)}  {size(sent.size_bytes)}  sha256 {sent.sha256}  {state}")
    return sent


@contextmanager
def _progress(name: str, path: Path, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show how far a file is, to a terminal alone."""
    hidden = quiet or not is_watched()
    length = path.stat().st_size
    with click.progressbar(length=length, label=plain(name), file=sys.stderr, hidden=hidden) as bar:
        yield lambda at: bar.update(at - bar.pos)


def _published(exchange: Exchange, release_id: str) -> str:
    """Publish a release once every file was looked into; raises Unreachable where that takes an hour."""
    for _ in range(POLLS_MAX):
        if all(file["profile_state"] != "pending" for file in _read(exchange, release_id)["files"]):
            address = f"/v1/releases/{part(release_id)}/publish"
            headers = {"Idempotency-Key": new_key()}
            return str(json_of(exchange.ask("POST", address, json={}, headers=headers))["state"])
        pauses.pause(POLL_SECONDS)
    raise Unreachable(
        say("ファイルの解析がまだ終わりません。", "The files are still being looked into."),
        say("同じコマンドを実行すると続けます。", "Run the same command again: it goes on."),
    )


def _read(exchange: Exchange, release_id: str) -> dict[str, Any]:
    release: dict[str, Any] = exchange.read(f"/v1/releases/{part(release_id)}")
    return release


def _sealed(label: str) -> Trouble:
    name = plain(label)
    return Trouble(
        say(f"版 {name} は確定済みです。", f"The release {name} is sealed."),
        say("--release で別のラベルを示してください。", "Name another label with --release."),
    )


def _shown(sent: Sent) -> dict[str, Any]:
    return {
        "name": sent.name,
        "sha256": sent.sha256,
        "size_bytes": sent.size_bytes,
        "sent_bytes": sent.sent_bytes,
        "was_there": sent.was_there,
    }


def _today() -> str:
    return (datetime.now(UTC) + JAPAN).date().isoformat()


COMMANDS = (upload,)
