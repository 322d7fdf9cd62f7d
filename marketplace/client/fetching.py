"""Commands: fetching what was bought, and what was metered of it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from marketplace.client import downloads, evidence, keeping, shopping, signing
from marketplace.client.downloads import Fetched, Wanted
from marketplace.client.exchange import Exchange, part
from marketplace.client.options import (
    exchange_of,
    is_interactive,
    is_watched,
    json_option,
    print_json,
    print_table,
    server_option,
)
from marketplace.client.servers import Named, named
from marketplace.client.troubles import Denied, Unusable
from marketplace.client.wording import plain, say, size


@click.command()
@click.argument("what")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="folder; the present one when absent",
)
@click.option(
    "--file", "names", multiple=True, metavar="NAME", help="only the file of this name; may be given several times"
)
@click.option("--release", metavar="ID", help="the files of this release; of the newest when absent")
@click.option("--overwrite", is_flag=True, help="replace files of these names that are other files")
@click.option("--yes", is_flag=True, help="where it is not bought yet: buy at the price that is shown")
@click.option("--accept-terms", metavar="SHA256", help="where it is not bought yet: accept the terms of this hash")
@click.option("--receipt", is_flag=True, help="keep the signed receipts of the downloads beside the files")
@server_option
@json_option
def get(what: str, folder: Path, server: str | None, as_json: bool, **given: Any) -> None:
    """Fetch the files of WHAT: a grant (grt_…), a dataset (ds_…), an offer (ofr_…), or an address with such an id.

    What is not bought yet is bought first, when somebody agrees. A download that was broken off goes on where it
    stopped; a file is there when its checksum is right, and one that is there already is not fetched again.
    """
    thing = named(what, "grt", "ds", "ofr")
    exchange = exchange_of(server, thing)
    _have_login(exchange)
    agreed = {"yes": given["yes"], "accept_terms": given["accept_terms"]}
    grant_id = _grant_of(exchange, thing, agreed)
    listed = exchange.read(f"/v1/grants/{part(grant_id)}/files")
    wanted = downloads.placed(_chosen(listed, given["release"], given["names"]), folder)
    before = evidence.newest_delivery(exchange, grant_id) if given["receipt"] else None
    fetched = [_fetched(exchange, one, overwrite=given["overwrite"], quiet=as_json) for one in wanted]
    kept = {} if before is None else {"receipts": _receipts(exchange, grant_id, before, fetched, quiet=as_json)}
    if as_json:
        print_json({"grant_id": grant_id, "files": [_shown(one) for one in fetched]} | kept)


@click.command()
@click.argument("what", required=False)
@click.option("--from", "from_on", metavar="DAY", help="from this day on, such as 2026-11-01 (in Japan)")
@click.option("--to", "to_on", metavar="DAY", help="until this day, which is included")
@server_option
@json_option
def usage(what: str | None, from_on: str | None, to_on: str | None, server: str | None, as_json: bool) -> None:
    """Say what was metered, by day and grant: of all, or of WHAT, a grant (grt_…) or a dataset (ds_…)."""
    thing = named(what, "grt", "ds") if what is not None else None
    exchange = exchange_of(server, thing)
    asked = {"from_on": from_on, "to_on": to_on} | (_filter(thing) if thing else {})
    lines = list(exchange.walk("/v1/usage", **asked))
    total = exchange.read("/v1/usage", size=1, **asked)
    sums = {name: value for name, value in total.items() if name.startswith("total_")}
    if as_json:
        print_json({"items": lines} | sums)
        return
    head = [
        say("日", "day"),
        say("利用権", "grant"),
        say("バイト", "bytes"),
        say("行", "rows"),
        say("要求", "requests"),
        say("ダウンロード", "downloads"),
    ]
    rows = [[plain(str(one["day"])), plain(str(one["grant_id"])), *_counts(one, "{}_new", "requests")] for one in lines]
    print_table(head, [*rows, [say("計", "total"), "", *_counts(sums, "total_{}", "total_requests")]])


def _have_login(exchange: Exchange) -> None:
    """Let somebody who sits here sign in first, so that the first download is one command."""
    if keeping.find(exchange.origin) is None and is_interactive():
        signing.sign_in(exchange.origin)


def _grant_of(exchange: Exchange, thing: Named, agreed: dict[str, Any]) -> str:
    """Return the grant that opens a thing: the newest that is active; without one it is bought. Raises Denied."""
    if thing.kind == "grt":
        return thing.id
    if thing.kind == "ds":
        bought = next(exchange.grants(dataset_id=thing.id, state="active"), None)
        return str(bought["id"]) if bought else _bought(exchange, _only_offer(exchange, thing.id), agreed)
    bought = next(exchange.grants(offer_id=thing.id, state="active"), None)
    return str(bought["id"]) if bought else _bought(exchange, thing.id, agreed)


def _only_offer(exchange: Exchange, dataset_id: str) -> str:
    offers = [str(one["id"]) for one in exchange.walk("/v1/offers", dataset_id=dataset_id)]
    if len(offers) != 1:
        ways = "\n".join(f"  marketplace get {plain(one)}" for one in offers)
        raise Denied(say("まだ購入していません。次から選んでください:", "It is not bought yet. Choose:"), ways)
    return offers[0]


def _bought(exchange: Exchange, offer_id: str, agreed: dict[str, Any]) -> str:
    order = shopping.purchase(exchange, offer_id, **agreed)
    if order["grant_id"] is None:
        raise Denied(
            say("支払いが確認されると取得できます。", "It can be fetched once the payment has come."),
            say("その後に同じコマンドを実行してください。", "Run the same command again then."),
        )
    return str(order["grant_id"])


def _chosen(listed: list[dict[str, Any]], release: str | None, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the files that are meant, of the newest release unless another is named; raises Unusable for none."""
    release_id = release or (listed[0]["release_id"] if listed else None)
    found = [one for one in listed if one["release_id"] == release_id]
    missing = set(names) - {one["name"] for one in found}
    if missing or not found:
        there = ", ".join(plain(str(one["name"])) for one in found)
        raise Unusable(
            say("その名前のファイルはありません。", "There is no such file."),
            say(f"あるもの: {there or 'なし'}", f"There are: {there or 'none'}"),
        )
    return [one for one in found if not names or one["name"] in names]


def _fetched(exchange: Exchange, wanted: Wanted, *, overwrite: bool, quiet: bool) -> Fetched:
    with _progress(wanted, quiet=quiet) as report:
        fetched = downloads.fetch(exchange, wanted, report, overwrite=overwrite)
    if not quiet:
        state = say("既にあります", "is there already") if fetched.was_there else say("取得しました", "fetched")
        click.echo(f"{plain(str(wanted.target))}  {size(wanted.size_bytes)}  sha256 {wanted.sha256}  {state}")
    return fetched


def _receipts(exchange: Exchange, grant_id: str, after: str, fetched: list[Fetched], *, quiet: bool) -> list[str]:
    # Files with the same contents have the same deliveries.
    wanted = {one.wanted.sha256: one.wanted for one in fetched if not one.was_there}
    kept = [path for one in wanted.values() for path in evidence.keep(exchange, grant_id, after, one)]
    for path in kept:
        if not quiet:
            click.echo(plain(str(path)))
    return [str(path.absolute()) for path in kept]


@contextmanager
def _progress(wanted: Wanted, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show how far a download is, to a terminal alone."""
    hidden = quiet or not is_watched()
    label = plain(wanted.target.name)
    with click.progressbar(length=wanted.size_bytes, label=label, file=sys.stderr, hidden=hidden) as bar:
        yield lambda at: bar.update(at - bar.pos)


def _shown(fetched: Fetched) -> dict[str, Any]:
    wanted = fetched.wanted
    return {
        "name": wanted.name,
        "path": str(wanted.target.absolute()),
        "size_bytes": wanted.size_bytes,
        "sha256": wanted.sha256,
        "fetched_bytes": fetched.fetched_bytes,
        "was_there": fetched.was_there,
    }


def _filter(thing: Named) -> dict[str, str]:
    return {"grant_id" if thing.kind == "grt" else "dataset_id": thing.id}


def _counts(line: dict[str, Any], pattern: str, requests: str) -> list[str]:
    counts = (line[name] for name in (pattern.format("bytes"), pattern.format("rows"), requests))
    # An exchange of an earlier version counts no downloads.
    return [f"{count:,}" for count in (*counts, line.get(pattern.format("downloads"), 0))]


COMMANDS = (get, usage)
