"""Prices of offers in words, in the reader's language."""

from typing import Any

from marketplace.client.wording import plain, say, yen

_UNITS = {
    "mib": ("MiB", "MiB"),
    "row": ("行", "row"),
    "request": ("リクエスト", "request"),
    "download": ("ダウンロード", "download"),
}


def phrase(offer: dict[str, Any]) -> str:
    """Return an offer's price before tax in one phrase (kinds as in docs/prices.md)."""
    price = offer["price"]
    kind = price["kind"]
    if kind == "free":
        return say("無料", "free")
    if kind == "one_off":
        return say(f"{yen(price['amount_yen'])}（税抜・一括）", f"{yen(price['amount_yen'])} once, before tax")
    if kind == "subscription":
        return _subscription(price)
    return _metered(price, kind)


def due_now(offer: dict[str, Any]) -> str:
    """Return what ordering costs at once with consumption tax, and that tax comes on top where it is not known."""
    due = offer.get("due_now")
    if due is None:
        return say("消費税が加わります。", "Consumption tax is added.")
    gross, tax = yen(due["amount_gross_yen"]), yen(due["amount_tax_yen"])
    said = say(f"いま支払う額: {gross}（うち消費税 {tax}）", f"To pay now: {gross} (of which consumption tax {tax})")
    if not offer["price"].get("trial_days"):
        return said
    return said + say("。試用は初めての購入者に限ります。", ". The trial is for those who have not had it.")


def _subscription(price: dict[str, Any]) -> str:
    if price.get("fiscal_year"):
        term = say("年度", "fiscal year")
    else:
        months = price.get("term_months")
        term = say(f"{months}か月", f"{months} months" if months != 1 else "month")
    amount = yen(price["amount_yen"])
    trial = price.get("trial_days")
    free = say(f"、最初の{trial}日は無料", f", the first {trial} days free") if trial else ""
    return say(f"{amount}（税抜・{term}ごとに前払い{free}）", f"{amount} every {term} in advance, before tax{free}")


def _metered(price: dict[str, Any], kind: str) -> str:
    unit_ja, unit_en = _UNITS.get(str(price.get("unit")), (plain(str(price.get("unit"))),) * 2)
    included = price.get("included_units")
    free = say(f"、{included:,} {unit_ja}まで無料", f", the first {included:,} free") if included else ""
    free += _falling_due(str(price.get("download_due")))
    if kind == "per_unit":
        amount = plain(str(price["unit_yen"]))
        return say(f"1 {unit_ja}あたり{amount}円（税抜{free}）", f"¥{amount} per {unit_en}, before tax{free}")
    if kind == "package":
        amount, many = yen(price["amount_yen"]), f"{price['package_size']:,}"
        return say(
            f"{many} {unit_ja}ごとに{amount}（税抜{free}）",
            f"{amount} for every {many} {unit_en} begun, before tax{free}",
        )
    steps = "; ".join(_tier(tier) for tier in price.get("tiers", ()))
    way = say("段階従量", "graduated") if kind == "graduated" else say("数量従量", "by volume")
    return say(f"{way}（{unit_ja}単位・税抜{free}）: {steps}", f"{way}, per {unit_en}, before tax{free}: {steps}")


def _falling_due(code: str) -> str:
    if code == "first_byte":
        return say(
            "、最初の1バイトで計上、24時間以内の再取得は無料",
            ", counted at the first byte, free again for 24 hours",
        )
    if code == "full_coverage":
        return say(
            "、全体の受領で計上、24時間以内の再取得は無料",
            ", counted when received in full, free again for 24 hours",
        )
    return ""


def _tier(tier: dict[str, Any]) -> str:
    unit = plain(str(tier["unit_yen"]))
    if tier.get("up_to") is None:
        return say(f"以降 {unit}円", f"beyond, ¥{unit}")
    until = plain(str(tier["up_to"]))
    return say(f"{until}まで {unit}円", f"up to {until}, ¥{unit}")
