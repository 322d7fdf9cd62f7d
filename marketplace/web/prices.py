"""Prices as people read them, in the reader's language. Pure but for the language."""

from decimal import Decimal
from typing import Any

from marketplace.licensing.prices import Price, decimal_text, read_price
from marketplace.licensing.states import BillingPeriod, DiscountClass, DownloadDue, PriceKind, Rail, UsageUnit
from marketplace.web.figures import day, share, yen
from marketplace.web.language import say

Details = list[tuple[str, str]]
# One and many, in English: a price says "per row", a package "100 rows".
_UNITS = {
    UsageUnit.MIB: ("MiB", "MiB delivered", "MiB"),
    UsageUnit.ROW: ("行", "row delivered", "rows"),
    UsageUnit.REQUEST: ("リクエスト", "request", "requests"),
    UsageUnit.DOWNLOAD: ("ダウンロード", "download", "downloads"),
}


def phrase(offer: dict[str, Any]) -> str:
    """Return the price of a public offer in one phrase, before consumption tax."""
    price = read_price(offer["price"])
    if price.is_metered:
        return _metered(price)
    if price.kind is PriceKind.FREE:
        return say("無料", "Free")
    amount = yen(price.amount_yen)
    if price.kind is PriceKind.ONE_OFF:
        return say(f"{amount}（税抜・一括）", f"{amount}, once, before tax")
    if price.fiscal_year:
        return say(f"{amount}（税抜・年度ごとに前払い）", f"{amount} a fiscal year, in advance, before tax")
    months = price.term_months
    return say(
        f"{amount}（税抜・{months}か月ごとに前払い）", f"{amount} every {_months(months)}, in advance, before tax"
    )


def details(offer: dict[str, Any]) -> Details:
    """Return what else there is to know of a price, each with its label."""
    price = read_price(offer["price"])
    return [*_of_term(price), *_of_usage(price), *_of_offer(offer)]


def tiers(offer: dict[str, Any]) -> list[dict[str, str]]:
    """Return the rows of the table of tiers: the usage, what a unit of it costs, what is due at once."""
    rows, reached = [], Decimal(0)
    for tier in read_price(offer["price"]).tiers:
        until = None if tier.up_to is None else _number(tier.up_to)
        rows.append(
            {
                "usage": _stretch(_number(reached), until, is_first=not reached),
                "unit_yen": _exact_yen(tier.unit_yen),
                "flat_yen": _exact_yen(tier.flat_yen) if tier.flat_yen else "–",
            }
        )
        reached = tier.up_to or reached
    return rows


def tier_rule(offer: dict[str, Any]) -> str:
    """Return in one sentence how the table of tiers is read."""
    if offer["price_kind"] == PriceKind.VOLUME:
        return say(
            "期間中の全数量に、到達した段階の単価がかかります。",
            "All units of a period cost the unit price of the tier that they reach.",
        )
    return say(
        "各段階の単価は、その段階に入る数量だけにかかります。", "Each tier's unit price holds for the units within it."
    )


def unit(offer: dict[str, Any]) -> str:
    """Return the unit that a price is counted in."""
    ja, _one, many = _UNITS[UsageUnit(offer["price"]["unit"])]
    return say(ja, many)


def _metered(price: Price) -> str:
    ja, one, many = _UNITS[price.unit or UsageUnit.MIB]
    if price.kind is PriceKind.PER_UNIT:
        amount, beyond = _exact_yen(price.unit_yen), _beyond(price, ja, many)
        return say(f"1 {ja}あたり{amount}（税抜）{beyond}", f"{amount} per {one}, before tax{beyond}")
    if price.kind is PriceKind.PACKAGE:
        amount, size, beyond = yen(price.amount_yen), f"{price.package_size:,}", _beyond(price, ja, many)
        return say(
            f"{size} {ja}ごとに{amount}（税抜・端数切上げ）{beyond}",
            f"{amount} for every {size} {many} begun, before tax{beyond}",
        )
    if price.kind is PriceKind.GRADUATED:
        return say(f"段階従量（{ja}単位・税抜）", f"Graduated, by {one}, before tax")
    return say(f"数量従量（{ja}単位・税抜）", f"By volume, per {one}, before tax")


def _beyond(price: Price, ja: str, many: str) -> str:
    included = f"{price.included_units:,}"
    return say(f"（{included} {ja}まで無料）", f", the first {included} {many} free") if price.included_units else ""


def _of_term(price: Price) -> Details:
    if not price.fiscal_year:
        return []
    return [
        (
            say("年度", "Fiscal year"),
            say(
                "4月から翌年3月まで。途中からは日割り",
                "April to March; begun later, the days that are left are charged",
            ),
        )
    ]


def _of_usage(price: Price) -> Details:
    if not price.is_metered:
        return []
    by_month = price.period is BillingPeriod.MONTH
    found = (
        [(say("集計期間", "Counted over"), say("暦月（日本時間）", "a calendar month in Japan"))] if by_month else []
    )
    if price.unit is UsageUnit.DOWNLOAD:
        found.append((say("ダウンロードの計上", "A download counts"), _download(price.download_due)))
    if price.tiers and price.included_units:
        ja, _one, many = _UNITS[price.unit or UsageUnit.MIB]
        included = f"{price.included_units:,}"
        found.append((say("無料分", "Included"), say(f"{included} {ja}", f"{included} {many}")))
    if price.minimum_yen:
        found.append((say("最低料金", "Minimum"), yen(price.minimum_yen)))
    if price.maximum_yen is not None:
        found.append((say("上限料金", "Maximum"), yen(price.maximum_yen)))
    if price.flat_fee_at_zero:
        found.append((say("利用がない月", "No usage"), say("定額分がかかります", "the first flat fee is charged")))
    if price.trial_days:
        found.append((say("試用", "Trial"), say(f"最初の{price.trial_days}日間は無料", f"{_days(price)} free")))
    return found


def _download(due: DownloadDue) -> str:
    if due is DownloadDue.FIRST_BYTE:
        return say(
            "最初の1バイトを受け取った時に1回。その後24時間の再取得は無料",
            "once its first byte is received; fetching it again within 24 hours is free",
        )
    return say(
        "全体を受け取った時に1回。その後24時間の再取得は無料",
        "once it is received in full; fetching it again within 24 hours is free",
    )


def _of_offer(offer: dict[str, Any]) -> Details:
    found = []
    if offer["rails"]:
        found.append(
            (say("支払方法", "Ways to pay"), say("、", ", ").join(_label(Rail(one)) for one in offer["rails"]))
        )
    if offer["discounts"]:
        cuts = (f"{_label(DiscountClass(one['class']))} −{_percent(one)}" for one in offer["discounts"])
        found.append((say("割引", "Discounts"), say("、", ", ").join(cuts)))
    if offer["fee_ordinance"]:
        found.append((say("根拠条例", "By-law"), offer["fee_ordinance"]))
    # Documents made before offers promised anything have no such member.
    found += [(say("約束", "Promise"), say(one["ja"], one["en"])) for one in offer.get("promises", ())]
    if offer["valid_until"]:
        found.append((say("受付期限", "Open until"), day(offer["valid_until"])))
    return found


def _stretch(over: str, until: str | None, *, is_first: bool) -> str:
    if until is None:
        return say("全て", "all") if is_first else say(f"{over}超", f"over {over}")
    if is_first:
        return say(f"{until}まで", f"up to {until}")
    return say(f"{over}超{until}まで", f"over {over}, up to {until}")


def _label(code: Rail | DiscountClass) -> str:
    return say(code.ja, code.en)


def _percent(discount: dict[str, Any]) -> str:
    return share(str(Decimal(discount["basis_points"]).scaleb(-4)))


def _number(value: Decimal) -> str:
    whole, _, rest = decimal_text(value).partition(".")
    return f"{int(whole):,}" + (f".{rest}" if rest else "")


def _exact_yen(value: Decimal) -> str:
    return say(f"{_number(value)}円", f"¥{_number(value)}")


def _months(months: int | None) -> str:
    return "month" if months == 1 else f"{months} months"


def _days(price: Price) -> str:
    return "the first day" if price.trial_days == 1 else f"the first {price.trial_days} days"
