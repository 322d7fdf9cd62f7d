"""What must hold at any moment, and what must hold once every word of the gateway has arrived."""

from marketplace.billing import ledger_checks, ledger_queries, postings
from marketplace.kit.transaction import transaction
from tests.properties.money_model import Sale
from tests.properties.money_world import PER_BYTE_QUARTERS, World, rows

NOTHING_TWICE = {
    "a currency that does not sum to zero": "SELECT currency FROM ledger_entry GROUP BY 1 HAVING sum(amount_minor) <> 0",
    "an order sold twice": "SELECT ref FROM ledger_txn WHERE kind = 'sale' GROUP BY 1 HAVING count(*) > 1",
    "an order with two grants": "SELECT order_id FROM access_grant GROUP BY 1 HAVING count(*) > 1",
    "an order with two invoices": (
        "SELECT order_id FROM invoice WHERE order_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
    ),
    "a refund sent twice": (
        "SELECT document #>> '{metadata,refund_id}' FROM sandbox_object WHERE kind = 'refund' GROUP BY 1"
        " HAVING count(*) > 1 AND document #>> '{metadata,refund_id}' LIKE 'rfd_%'"
    ),
    "a term billed twice": (
        "SELECT subscription_id FROM purchase_order WHERE state IN ('fulfilled', 'settled')"
        " AND subscription_id IS NOT NULL GROUP BY subscription_id, term_number HAVING count(*) > 1"
    ),
    "a yen of a sale given back twice": (
        "SELECT ref FROM earning GROUP BY ref HAVING sum(net_yen + tax_yen) < 0 OR sum(payable_yen) < 0"
    ),
    "an invoice paid too far": "SELECT number FROM invoice WHERE paid_yen + credited_yen > amount_gross_yen",
    "a debt that is on no invoice": (
        "SELECT b.id FROM organization b JOIN ledger_account a ON a.code = 'Assets:Receivable:' || b.id"
        " WHERE 'buyer' = ANY(SELECT jsonb_array_elements_text(to_jsonb(b.capacities)))"
        " AND (SELECT sum(amount_minor) FROM ledger_entry e WHERE e.account_id = a.id) <>"
        " (SELECT coalesce(sum(amount_gross_yen - paid_yen - credited_yen), 0) FROM invoice i"
        "  WHERE i.recipient_organization_id = b.id AND i.state = 'open')"
    ),
    "money of nobody that somebody owes": (
        "SELECT a.code FROM ledger_account a JOIN ledger_entry e ON e.account_id = a.id"
        " WHERE a.code LIKE 'Liabilities:Unapplied:%' GROUP BY 1 HAVING sum(amount_minor) > 0"
    ),
}
_FAULTS = " UNION ALL ".join(f"SELECT '{fault}', f.*::text FROM ({found}) f" for fault, found in NOTHING_TWICE.items())
AT_ANY_MOMENT = [check for check in ledger_checks.CHECKS if check is not ledger_checks.check_exports]


def check_always(world: World) -> None:
    """What holds after every step, whatever has not arrived yet."""
    assert [tuple(row) for row in rows(_FAULTS)] == []
    with transaction():
        assert [finding for check in AT_ANY_MOMENT for finding in check()] == []


def check_at_rest(world: World) -> None:
    """What holds when everything has arrived: the books are the model's, and access follows the money."""
    world.hear()
    check_always(world)
    with transaction():
        accounts = {row.code: row.balance_minor for row in ledger_queries.trial_balance().accounts}
    for buyer in world.buyers:
        name = buyer.organization_id
        owes = accounts.get(postings.receivable(name), 0) + accounts.get(postings.unapplied(name), 0)
        assert owes == world.model.owes(name), (name, owes, world.model.owes(name))
    assert accounts.get(postings.CLEARING, 0) == world.model.gateway_net
    assert accounts.get(postings.BANK, 0) == world.model.bank
    assert accounts.get(postings.SUSPENSE, 0) == world.model.riddles - _of_strangers()
    assert accounts.get(postings.REFUNDS_IN_TRANSIT, 0) == -_sum("refund", "state IN ('created', 'sent')")
    assert accounts.get(postings.DISPUTES_HELD, 0) == _sum("dispute", "state = 'opened'")
    _check_providers(world, accounts)
    _check_sales(world)
    _check_usage(world)


def _of_strangers() -> int:
    return _sum("bank_line", "state = 'suspense'")


def _sum(table: str, which: str) -> int:
    return int(rows(f"SELECT coalesce(sum(amount_yen), 0) AS yen FROM {table} WHERE {which}")[0].yen)


def _check_providers(world: World, accounts: dict[str, int]) -> None:
    for provider in world.providers:
        name = provider.organization_id
        earned = rows("SELECT coalesce(sum(payable_yen), 0) AS yen FROM earning WHERE organization_id = :id", id=name)
        drawn = rows(
            "SELECT coalesce(sum(e.payable_yen), 0) AS yen FROM payout_item i JOIN earning e ON e.id = i.earning_id"
            " WHERE NOT i.freed AND e.organization_id = :id",
            id=name,
        )
        _check_commission(world, accounts, name)
        owed = accounts.get(postings.provider_pending(name), 0) + accounts.get(postings.provider_available(name), 0)
        assert -owed == earned[0].yen - drawn[0].yen, (name, owed, earned, drawn)


def _check_commission(world: World, accounts: dict[str, int], name: str) -> None:
    """What a provider owes of sales paid outside, less what payouts netted and what it paid."""
    charged = rows(
        "SELECT coalesce(sum(commission_yen + commission_tax_yen), 0) AS yen FROM earning"
        " WHERE via = 'outside' AND organization_id = :id",
        id=name,
    )[0].yen
    drawn = rows(
        "SELECT coalesce(sum(e.commission_yen + e.commission_tax_yen)"
        " FILTER (WHERE e.via = 'outside' AND p.way <> 'claim'), 0) AS netted,"
        " coalesce(sum(e.payable_yen) FILTER (WHERE p.way = 'claim'), 0) AS claimed"
        " FROM payout_item i JOIN earning e ON e.id = i.earning_id JOIN payout p ON p.id = i.payout_id"
        " WHERE NOT i.freed AND e.organization_id = :id",
        id=name,
    )[0]
    paid = world.model.bank_in[name] - world.model.bank_back[name]
    owes = accounts.get(postings.receivable(name), 0) + accounts.get(postings.unapplied(name), 0)
    assert owes == charged - drawn.netted - drawn.claimed - paid, (name, owes, charged, drawn, paid)


def _check_sales(world: World) -> None:
    earned = {
        row.ref: row
        for row in rows(
            "SELECT ref, sum(net_yen + tax_yen) AS gross, sum(payable_yen) AS payable FROM earning GROUP BY ref"
        )
    }
    states = {row.id: row.state for row in rows("SELECT id, state FROM purchase_order")}
    grants = {row.order_id: row for row in rows("SELECT * FROM access_grant")}
    renewed = {row.id for row in rows("SELECT id FROM purchase_order WHERE term_number > 1")}
    for ref, sale in world.model.sales.items():
        if ref in states:
            assert (states[ref] in {"fulfilled", "settled"}) == sale.sold, (sale, states[ref])
            assert (ref in grants) == (sale.sold and ref not in renewed), sale
        if sale.sold and sale.gross:
            sale.check_left(int(earned[ref].gross), int(earned[ref].payable))
        else:
            assert ref not in earned or int(earned[ref].gross) == 0, sale
        if ref in grants and sale.gross:
            _check_access(sale, grants[ref])


def _check_access(sale: Sale, grant: object) -> None:
    state = grant.state  # type: ignore[attr-defined] - a row
    in_terms = rows("SELECT 1 FROM purchase_order WHERE id = :id AND subscription_id IS NOT NULL", id=sale.ref)
    if sale.left == 0 or sale.cancelled:
        assert state == "revoked", (sale, state)
        return
    if state == "revoked":
        # A loss at the bank ends access for good, also where a refund of another part came back since.
        assert in_terms or sale.lost, (sale, state)
        return
    invoice = rows("SELECT id, state, dunning FROM invoice WHERE order_id = :id", id=sale.ref)[0]
    disputed = rows("SELECT 1 FROM dispute WHERE invoice_id = :id AND state = 'opened'", id=invoice.id)
    overdue = invoice.state == "open" and invoice.dunning == "suspended"
    if not in_terms:
        assert (state == "suspended") == bool(disputed or overdue), (sale, state, disputed, overdue)


def _check_usage(world: World) -> None:
    """Of all bytes that arrived, each is billed at most once, and what is billed was used."""
    for grant_id, covered in world.covered.items():
        billed = rows(
            "SELECT coalesce(sum(quantity_to - quantity_from), 0) AS n FROM rated_line WHERE grant_id = :id",
            id=grant_id,
        )
        assert billed[0].n <= len(covered)
        yen = rows("SELECT coalesce(sum(line_yen), 0) AS n FROM rated_line WHERE grant_id = :id", id=grant_id)
        assert yen[0].n == billed[0].n * PER_BYTE_QUARTERS // 4
        events = rows("SELECT coalesce(sum(bytes_new), 0) AS n FROM usage_event WHERE grant_id = :id", id=grant_id)
        assert events[0].n == len(covered)
