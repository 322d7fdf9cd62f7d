"""Operational and financial sustainability: what was sold, what the exchange kept and paid, what it cost."""

from collections.abc import Iterator

from marketplace.audit.verbs import Verb
from marketplace.disclosure.annual.figures import Figure, Part, Secrecy, by_month, fewest, labelled, total
from marketplace.disclosure.annual.reading import Year, deeds, row, rows
from marketplace.disclosure.states import Unit

_SALES = """
SELECT to_char(occurred_on, 'MM') AS month, sum(net_yen) AS yen FROM earning
 WHERE occurred_on >= :first_day AND occurred_on < :after_day GROUP BY 1
"""
_BYTES = """
SELECT to_char(hour AT TIME ZONE 'Asia/Tokyo', 'MM') AS month, sum(bytes_acked) AS bytes FROM usage_rollup
 WHERE hour >= :first AND hour < :after GROUP BY 1
"""
_TRADED = """
SELECT count(DISTINCT organization_id) AS providers, count(DISTINCT buyer_organization_id) AS buyers
  FROM earning WHERE occurred_on >= :first_day AND occurred_on < :after_day
"""
# Many may trade where the exchange keeps something of a few; what was kept and given back is netted first.
_KEPT = """
WITH kept AS (
    SELECT organization_id, buyer_organization_id, sum(commission_yen) AS yen FROM earning
     WHERE occurred_on >= :first_day AND occurred_on < :after_day GROUP BY 1, 2
)
SELECT (SELECT coalesce(sum(yen), 0) FROM kept) AS yen,
       (SELECT count(*) FROM (SELECT FROM kept GROUP BY organization_id HAVING sum(yen) <> 0) one) AS providers,
       (SELECT count(*) FROM (SELECT FROM kept GROUP BY buyer_organization_id HAVING sum(yen) <> 0) one) AS buyers
"""
_PAID_OUT = """
SELECT coalesce(sum(amount_yen), 0) AS yen, count(DISTINCT organization_id) AS providers FROM payout
 WHERE state = 'paid' AND way <> 'claim' AND paid_on >= :first_day AND paid_on < :after_day
"""
_GIVEN_BACK = """
SELECT coalesce(sum(amount_yen), 0) AS yen, count(DISTINCT organization_id) AS buyers FROM refund
 WHERE state = 'succeeded' AND settled_at >= :first AND settled_at < :after
"""
# Of a fee everybody can compute the payment, and of both and the sales what was paid in other ways. Fees that no
# payment caused are nobody's.
_FEES = """
WITH fee AS (
    SELECT coalesce(o.organization_id, i.recipient_organization_id) AS buyer_id, sum(b.fee_minor) AS yen
      FROM balance_transaction b
      LEFT JOIN LATERAL (
           SELECT p.order_id, p.invoice_id FROM jsonb_array_elements_text(b.refs) name
             JOIN payment p ON name IN (p.payment_intent_id, p.id) LIMIT 1) paid ON true
      LEFT JOIN purchase_order o ON o.id = paid.order_id LEFT JOIN invoice i ON i.id = paid.invoice_id
     WHERE b.currency = 'JPY' AND b.created_at >= :first AND b.created_at < :after GROUP BY 1
)
SELECT coalesce(sum(yen), 0) AS yen, count(buyer_id) FILTER (WHERE yen <> 0) AS buyers,
       (SELECT count(*) FROM (
        SELECT FROM earning WHERE via <> 'gateway' AND occurred_on >= :first_day AND occurred_on < :after_day
         GROUP BY buyer_organization_id HAVING sum(net_yen) <> 0) one) AS others
  FROM fee
"""


def figures(year: Year) -> Iterator[Figure]:
    """Yield the figures of the principle."""
    yield from _traded(year)
    yield from _money(year)
    parts = deeds(year, Verb.INVOICE_OVERDUE)
    yield Figure(
        key="overdue",
        ja="支払期限を過ぎた請求書",
        en="Invoices overdue",
        value=total(parts),
        parts=parts,
        how_ja="期限を過ぎた請求書の件数(billing.invoice.overdue)。",
        how_en="Invoices that fell overdue (billing.invoice.overdue).",
    )


def _traded(year: Year) -> Iterator[Figure]:
    trades = deeds(year, Verb.ORDER_FULFILLED)
    yield _monthly(
        "trades",
        "取引",
        "Trades",
        trades,
        Unit.COUNT,
        (
            "その年に履行された注文の件数(billing.order.fulfilled)。",
            "Orders fulfilled in the year (billing.order.fulfilled).",
        ),
    )
    sales = by_month({one.month: one.yen for one in rows(_SALES, year)})
    yield _monthly(
        "sales",
        "取引額(税抜)",
        "Sales before tax",
        sales,
        Unit.YEN,
        (
            "提供者の売上から返金などを除いた額。計上日による。",
            "What providers sold, less what was given back, by day of booking.",
        ),
    )
    volume = by_month({one.month: one.bytes for one in rows(_BYTES, year)})
    yield _monthly(
        "bytes",
        "配信量",
        "Bytes delivered",
        volume,
        Unit.BYTES,
        ("受領が確認されたバイト数。", "Bytes whose receipt was acknowledged."),
    )


def _monthly(key: str, ja: str, en: str, parts: tuple[Part, ...], unit: Unit, how: tuple[str, str]) -> Figure:
    return Figure(
        key=key,
        ja=ja,
        en=en,
        value=total(parts),
        parts=parts,
        unit=unit,
        secrecy=Secrecy.TRADED,
        how_ja=how[0] + "公開版は取引公開台帳の月別の値による。",
        how_en=how[1] + " The public version takes the months of the public register.",
    )


def _money(year: Year) -> Iterator[Figure]:
    yield _commission(year)
    yield _payouts(year)
    yield _given_back(year)
    yield _fees(year)
    yield _active(year)


def _commission(year: Year) -> Figure:
    kept = row(_KEPT, year)
    return _amount(
        "commission",
        ("取引所の手数料収入(税抜)", "Commission of the exchange before tax"),
        kept.yen,
        fewest((kept.providers, kept.buyers)),
        (
            "売上ごとに計上した手数料から返したものを除いた額。",
            "Commission booked with each sale, less what was given back.",
        ),
    )


def _payouts(year: Year) -> Figure:
    paid = row(_PAID_OUT, year)
    how = ("その年に着金した支払いの額。", "Payouts that arrived in the year.")
    return _amount("payouts", ("提供者への支払い", "Paid out to providers"), paid.yen, paid.providers, how)


def _given_back(year: Year) -> Figure:
    back = row(_GIVEN_BACK, year)
    names = ("利用者への返金(税込)", "Given back to buyers, with tax")
    how = ("その年に成立した返金の額。", "Refunds that succeeded in the year.")
    return _amount("given_back", names, back.yen, back.buyers, how)


def _fees(year: Year) -> Figure:
    charged = row(_FEES, year)
    return _amount(
        "gateway_fees",
        ("把握している費用：決済手数料", "Known costs: fees of the payment gateway"),
        charged.yen,
        fewest((charged.buyers, charged.others)),
        (
            "決済事業者の残高明細にある手数料。人件費・設備費は取引所の帳簿にないため含まない。",
            "Fees in the gateway's balance; staff and machines are in no book of the exchange and left out.",
        ),
    )


def _active(year: Year) -> Figure:
    traded = row(_TRADED, year)
    parts = labelled(
        (
            (("売った提供者", "Providers that sold"), traded.providers),
            (("買った利用者", "Buyers that bought"), traded.buyers),
        )
    )
    return Figure(
        key="active",
        ja="取引した組織",
        en="Organizations that traded",
        value=total(parts),
        parts=parts,
        # Months of the register have buyers as well: what these leave of the year would tell those that are hidden.
        secrecy=Secrecy.TRADED,
        how_ja="その年に売上または購入のあった組織の数(両方ある組織は両方に数える)。",
        how_en="Organizations with a sale or a purchase in the year; one with both counts in both.",
    )


def _amount(key: str, names: tuple[str, str], yen: int, parties: int, how: tuple[str, str]) -> Figure:
    return Figure(
        key=key,
        ja=names[0],
        en=names[1],
        value=int(yen),
        unit=Unit.YEN,
        parties=parties,
        secrecy=Secrecy.TRADED,
        how_ja=how[0],
        how_en=how[1],
    )
