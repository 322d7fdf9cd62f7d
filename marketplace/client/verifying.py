"""Commands: verifying what an exchange has signed."""

import json
from pathlib import Path
from typing import Any

import click

from marketplace.client import keeping, receipts
from marketplace.client.keeping import troubled
from marketplace.client.options import json_option, print_json
from marketplace.client.receipts import NotGenuine, Receipt
from marketplace.client.servers import origin_of
from marketplace.client.troubles import Trouble, Unusable
from marketplace.client.wire import Wire, json_of
from marketplace.client.wording import say

KEYS = "/v1/receipt-keys"
SIZE_MAX = 1 << 20
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def verify() -> None:
    """Verify what an exchange has signed."""


@verify.command()
@click.argument("file", type=_FILE)
@click.option("--jwks", type=_FILE, help="file with the keys of the exchange: nothing is asked of any server then")
@click.option("--exchange", metavar="SERVER", help="exchange whose keys are fetched; the one signed in at, when absent")
@click.option("--file", "data", type=_FILE, help="the file that was fetched, to be compared with the receipt")
@json_option
def receipt(file: Path, jwks: Path | None, exchange: str | None, data: Path | None, as_json: bool) -> None:
    """Verify a receipt: that the exchange signed FILE, and what it says of a delivery."""
    if jwks is not None and exchange is not None:
        raise Unusable(say("--jwks か --exchange の一方だけを示してください。", "Give --jwks or --exchange, not both."))
    if jwks is not None:
        found = receipts.verified(_read(file), _parsed(jwks))
    else:
        found = _of_issuer(_read(file), origin_of(exchange) if exchange else keeping.server_of(None))
    if data is not None:
        receipts.compare(found, data)
    if as_json:
        print_json({"kid": found.kid, "claims": found.claims, "file_compared": data is not None})
    else:
        _tell(found, data)


def _of_issuer(text: str, origin: str) -> Receipt:
    found = receipts.verified(text, json_of(Wire(origin).send("GET", KEYS)))
    if found.claims["iss"] != origin:
        raise NotGenuine(
            say(f"この受領証の発行元は {origin} ではありません。", f"This receipt was not issued by {origin}."),
            say("発行元を --exchange で示してください。", "Name its issuer with --exchange."),
        )
    return found


def _parsed(jwks: Path) -> Any:
    try:
        return json.loads(_read(jwks))
    except ValueError as error:
        raise Trouble(say(f"{jwks} はJSONではありません。", f"{jwks} is no JSON.")) from error


def _read(path: Path) -> str:
    with troubled(path), path.open("rb") as file:
        return file.read(SIZE_MAX).decode("ascii", errors="replace").strip()


def _tell(found: Receipt, data: Path | None) -> None:
    span, counted, content = (found.claims[name] for name in ("range", "counted", "content"))
    lines = [
        (say("発行元", "issued by"), f"{found.text('iss')} ({found.kid})"),
        (say("配信", "delivery"), f"{found.text('jti')}  {found.text('state')}  {found.text('closed_at')}"),
        (say("購入者", "buyer"), found.text("buyer_organization_id")),
        (say("提供者", "provider"), found.text("provider_organization_id")),
        (say("利用権", "grant"), found.text("grant_id")),
        (say("利用条件", "terms"), f"sha256 {found.text('terms_sha256')}"),
        (say("ファイル", "file"), f"{found.text('file_name')}  sha256 {content['sha256']}"),
        (say("範囲", "range"), f"{span['start_byte']:,} + {span['length']:,} / {content['size_bytes']:,}"),
        (say("到達", "arrived"), f"{span['bytes_acked']:,}"),
        (say("計上", "counted"), " / ".join(f"{counted[name]:,}" for name in ("bytes_new", "rows_new", "requests"))),
    ]
    for name, value in lines:
        click.echo(f"{name}: {value}")
    if data is not None:
        click.echo(say(f"{data} はこの内容と一致します。", f"{data} is this content."))
    click.echo(say("受領証は真正です。", "The receipt is genuine."))


COMMANDS = (verify,)
