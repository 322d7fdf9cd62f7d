"""Commands: finding what is offered, and buying it."""

import webbrowser
from itertools import islice
from typing import Any

import click

from marketplace.client import orders, prices
from marketplace.client.exchange import Exchange, part
from marketplace.client.options import (
    exchange_of,
    is_interactive,
    json_option,
    note,
    print_json,
    print_table,
    server_option,
)
from marketplace.client.orders import Wish
from marketplace.client.servers import is_safe, named
from marketplace.client.troubles import Trouble, Unusable, WrongBytes
from marketplace.client.wording import language, plain, say, size, told

WAIT_SECONDS = 3600
_COUNTED = {
    "quota_downloads": ("取得回数の上限", "Downloads at most"),
    "quota_rows": ("行数の上限", "Rows at most"),
    "quota_requests": ("リクエスト数の上限", "Requests at most"),
    "quota_streams": ("同時ダウンロードの上限", "Downloads at once"),
}


@click.command("list")
@click.argument("words", nargs=-1)
@click.option("--mine", is_flag=True, help="list what one's organization has bought instead")
@click.option("--size", "count", type=click.IntRange(1, 100), default=20, show_default=True, help="so many at most")
@server_option
@json_option
def list_(words: tuple[str, ...], mine: bool, count: int, server: str | None, as_json: bool) -> None:
    """Find datasets by WORDS in Japanese or English, with what is offered of them; the newest without words."""
    exchange = exchange_of(server)
    if mine:
        _list_grants(exchange, count, as_json=as_json)
        return
    found = exchange.read_public("/v1/catalog", q=" ".join(words), size=count)
    if as_json:
        print_json(found)
        return
    for dataset in found["items"]:
        _print_dataset(dataset)
    note(say(f"{found['total']} 件", f"{found['total']} found"))


@click.command()
@click.argument("offer")
@click.option("--yes", is_flag=True, help="do not ask: buy at the price that is shown")
@click.option("--accept-terms", metavar="SHA256", help="accept the terms of this hash, and no others")
@click.option(
    "--rail", help="how to pay: card, konbini, bank_transfer, invoice or outside; the first that fits when absent"
)
@click.option("--coupon", metavar="CODE", help="a coupon")
@click.option("--eligibility", metavar="ID", help="a granted eligibility for a discount")
@click.option("--wait/--no-wait", default=True, help="wait until it is paid and access is granted", show_default=True)
@click.option("--open", "open_page", is_flag=True, help="open the payment page in a browser")
@server_option
@json_option
def buy(offer: str, server: str | None, as_json: bool, **given: Any) -> None:
    """Accept the terms of OFFER, order it, and wait for access. OFFER is an id (ofr_…), or an address with it.

    Run again after a crash or a lost connection, it goes on with the same order; nothing is bought twice.
    """
    what = named(offer, "ofr")
    order = purchase(exchange_of(server, what), what.id, **given)
    if as_json:
        print_json(order)
    elif order["grant_id"] is not None:
        click.echo(
            say(
                f"利用権 {order['grant_id']}（取得: marketplace get {order['grant_id']}）",
                f"grant {order['grant_id']} (fetch: marketplace get {order['grant_id']})",
            )
        )
    else:
        click.echo(
            say(f"注文 {order['id']} は {order['state']} です。", f"The order {order['id']} is {order['state']}.")
        )


def purchase(  # noqa: PLR0913 - the options of a command
    exchange: Exchange,
    offer_id: str,
    *,
    yes: bool = False,
    accept_terms: str | None = None,
    rail: str | None = None,
    coupon: str | None = None,
    eligibility: str | None = None,
    wait: bool = True,
    open_page: bool = False,
) -> dict[str, Any]:
    """Show an offer, have it confirmed, order it once, and follow the order; returns it."""
    offer = exchange.read_public(f"/v1/offers/{part(offer_id)}")
    sha256 = str(offer["terms_sha256"])
    wish = Wish(offer_id, sha256, rail, coupon, eligibility)
    if orders.is_begun(exchange, wish):
        note(say("前に始めた注文を続けます。", "Going on with the order that was begun before."))
    else:
        _confirm(exchange, offer, yes=yes, accepted=accept_terms)
    order = orders.place(exchange, wish)
    note(_said(order))
    _lead_to_payment(order, open_page=open_page)
    return orders.follow(exchange, wish, order, WAIT_SECONDS) if wait else order


def _confirm(exchange: Exchange, offer: dict[str, Any], *, yes: bool, accepted: str | None) -> None:
    """Show terms and price, and go on only where somebody agrees to both; raises Unusable or Abort."""
    sha256 = str(offer["terms_sha256"])
    if accepted is not None and accepted != sha256:
        raise Unusable(
            say(f"この条件の利用規約は {plain(sha256)} です。", f"The terms of this offer are {plain(sha256)}."),
            say("その内容を読んでから、もう一度実行してください。", "Read them, and run the command again."),
        )
    _print_offer(exchange, offer)
    if yes and (accepted is not None or is_interactive()):
        return
    if not is_interactive():
        raise Unusable(
            say("端末がないため確認できません。", "Nobody is here to be asked."),
            f"marketplace buy {offer['id']} --yes --accept-terms {plain(sha256)}",
        )
    question = say("この規約に同意し、この価格で購入しますか", "Accept these terms, and buy at this price?")
    click.confirm(question, abort=True, err=True)


def _print_offer(exchange: Exchange, offer: dict[str, Any]) -> None:
    terms = exchange.read_public(f"/v1/terms/{part(str(offer['terms_sha256']))}")
    if terms["sha256"] != offer["terms_sha256"]:
        raise WrongBytes(say("別の利用規約が届きました。", "Other terms came than those of the offer."))
    note(f"{told(terms, 'title')}\n")
    note(plain(str(terms[f"text_{language()}"])))
    note(f"\n{say('規約', 'Terms')}: SHA-256 {plain(str(terms['sha256']))}")
    for promise in offer.get("promises") or ():
        note(plain(str(promise[language()])))
    for label, value in _limits(offer):
        note(f"{label}: {value}")
    note(f"{say('価格', 'Price')}: {prices.phrase(offer)}")
    note(prices.due_now(offer))


def _limits(offer: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    if offer.get("duration_days"):
        days = offer["duration_days"]
        found.append((say("期間", "Access"), say(f"{days}日間", f"{days} days")))
    if offer.get("quota_bytes"):
        found.append((say("転送量の上限", "Bytes at most"), size(offer["quota_bytes"])))
    for name, words in _COUNTED.items():
        if offer.get(name):
            found.append((say(*words), f"{offer[name]:,}"))
    return found


def _said(order: dict[str, Any]) -> str:
    gross, tax = order["amount_gross_yen"], order["amount_tax_yen"]
    return say(
        f"注文 {order['id']}: {gross:,}円（うち消費税 {tax:,}円）",
        f"Order {order['id']}: ¥{gross:,} (of which tax ¥{tax:,})",
    )


def _lead_to_payment(order: dict[str, Any], *, open_page: bool) -> None:
    address = order.get("checkout_url")
    if order["rail"] == "outside" and order["grant_id"] is None:
        note(
            say(
                "提供者が納付書の入金を記録すると、利用できます。",
                "Access begins when the provider notes the payment slip.",
            )
        )
    if address is None:
        return
    if not is_safe(str(address)):
        raise Trouble(say("支払い先のアドレスが安全ではありません。", "The address of the payment page is not safe."))
    note(
        say(f"次のページで支払ってください:\n\n    {plain(address)}\n", f"Pay on this page:\n\n    {plain(address)}\n")
    )
    if open_page:
        webbrowser.open(address)


def _list_grants(exchange: Exchange, count: int, *, as_json: bool) -> None:
    grants = list(islice(exchange.grants(), count))
    if as_json:
        print_json({"items": grants})
        return
    head = [say("利用権", "grant"), say("データセット", "dataset"), say("状態", "state"), say("期限", "until")]
    print_table(
        head, [[plain(str(one[name] or "–")) for name in ("id", "dataset_id", "state", "expires_at")] for one in grants]
    )


def _print_dataset(dataset: dict[str, Any]) -> None:
    click.echo(f"{plain(dataset['id'])}  {told(dataset, 'title')}  {told(dataset['publisher'], 'name')}")
    for offer in dataset["offers"]:
        click.echo(f"    {plain(offer['id'])}  {prices.phrase(offer)}  {told(offer, 'terms_title')}")


COMMANDS = (list_, buy)
