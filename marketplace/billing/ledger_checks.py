"""The invariants of the books, each one a question to the database whose every answer is something wrong."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from marketplace.billing import ledger_exports, ledger_proof
from marketplace.kit import clock
from marketplace.kit.db import db


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: which invariant, about what, and how."""

    invariant: str
    subject: str
    trouble: str


Check = Callable[[], Iterator[Finding]]
MOVEMENT_PATIENCE = timedelta(days=2)
"""How long a posting on the gateway's account may be without its movement.

Stripe makes the movement when it moves the money, or within an hour after a payment, and our job reads it
hourly; the rest is for an outage.
"""

_SEALED_AND_BALANCED = """
SELECT 'transaction ' || t.id AS subject, CASE WHEN s.txn_id IS NULL THEN 'has no seal'
           ELSE 'has ' || sums.entries || ' entries, its seal says ' || s.entries END AS trouble
FROM ledger_txn t LEFT JOIN ledger_seal s ON s.txn_id = t.id
LEFT JOIN (SELECT txn_id, count(*) AS entries FROM ledger_entry GROUP BY txn_id) sums ON sums.txn_id = t.id
WHERE s.txn_id IS NULL OR s.entries <> coalesce(sums.entries, 0)
UNION ALL
SELECT 'transaction ' || txn_id, 'does not balance: ' || sum(amount_minor) || ' ' || currency || ' too much'
FROM ledger_entry GROUP BY txn_id, currency HAVING sum(amount_minor) <> 0
UNION ALL
SELECT 'transaction ' || e.txn_id, 'books ' || e.currency || ' on ' || a.code || ', which is of ' || a.currency
FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id WHERE a.currency <> e.currency
ORDER BY 1, 2
"""
# The record, whose Merkle tree nobody can mend, holds a digest of every transaction since it was posted. Digests of
# before migration 0015 covered the codes and amounts alone, and named the transaction by its number.
_AS_RECORDED = """
WITH told AS (
    SELECT e.id AS entry_id, e.facts ->> 'sha256' AS sha256, t.id AS txn_id, ledger_digest(t.id) AS now
    FROM audit_entry e LEFT JOIN ledger_txn t ON t.idem = e.facts ->> 'idem'
    WHERE e.verb = 'billing.ledger.posted' AND e.facts ? 'idem'
    UNION ALL
    SELECT e.id, e.facts ->> 'sha256', t.id, (
        SELECT encode(sha256(convert_to('[' || string_agg(
            '["' || a.code || '",' || l.amount_minor || ']', ',' ORDER BY l.seq) || ']', 'UTF8')), 'hex')
        FROM ledger_entry l JOIN ledger_account a ON a.id = l.account_id WHERE l.txn_id = t.id)
    FROM audit_entry e LEFT JOIN ledger_txn t ON t.id = (e.facts ->> 'txn')::bigint
    WHERE e.verb = 'billing.ledger.posted' AND NOT e.facts ? 'idem')
SELECT CASE WHEN txn_id IS NULL THEN 'record entry ' || entry_id ELSE 'transaction ' || txn_id END AS subject,
       CASE WHEN txn_id IS NULL THEN 'tells of a transaction that is gone'
            ELSE 'is not what was posted' END AS trouble
FROM told WHERE now IS DISTINCT FROM sha256
UNION ALL
SELECT 'transaction ' || t.id, 'is not on the record' FROM ledger_txn t
WHERE NOT EXISTS (SELECT 1 FROM told WHERE told.txn_id = t.id)
ORDER BY 1, 2
"""
# What passes through a transit account carries its own id behind the colon of its key: refund:…, refund_settled:….
_TRANSIT = """
SELECT a.code || ' of ' || split_part(t.idem, ':', 2) AS subject,
       'more came out than went in: ' || abs(sum(e.amount_minor)) || ' ' || e.currency AS trouble
FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id JOIN ledger_txn t ON t.id = e.txn_id
WHERE a.code ~ '^(Liabilities:(RefundsInTransit|PayoutsInTransit)|Assets:DisputesHeld)(:|$)'
GROUP BY a.code, e.currency, split_part(t.idem, ':', 2)
HAVING sum(e.amount_minor) * CASE WHEN a.code LIKE 'Assets:%' THEN 1 ELSE -1 END < 0
UNION ALL
SELECT 'refund ' || r.id, 'is ' || r.state || ', yet ' || -sum(e.amount_minor) || ' are in transit'
FROM refund r JOIN ledger_txn t ON split_part(t.idem, ':', 2) = r.id JOIN ledger_entry e ON e.txn_id = t.id
JOIN ledger_account a ON a.id = e.account_id AND a.code = 'Liabilities:RefundsInTransit'
WHERE r.state IN ('succeeded', 'failed') GROUP BY r.id, r.state HAVING sum(e.amount_minor) <> 0
UNION ALL
SELECT 'dispute ' || d.id, 'is ' || d.state || ', yet ' || sum(e.amount_minor) || ' are held'
FROM dispute d JOIN ledger_txn t ON split_part(t.idem, ':', 2) = d.gateway_dispute_id
JOIN ledger_entry e ON e.txn_id = t.id JOIN ledger_account a ON a.id = e.account_id AND a.code = 'Assets:DisputesHeld'
WHERE d.state IN ('won', 'lost') GROUP BY d.id, d.state HAVING sum(e.amount_minor) <> 0
UNION ALL
SELECT 'payout ' || coalesce(p.id, booked.id), CASE WHEN p.id IS NULL THEN 'is none of ours' ELSE 'is ' || p.state END
       || ', yet ' || coalesce(booked.amount, 0) || ' are in transit'
FROM (
    SELECT split_part(t.idem, ':', 2) AS id, -sum(e.amount_minor) AS amount
    FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id JOIN ledger_txn t ON t.id = e.txn_id
    WHERE a.code = 'Liabilities:PayoutsInTransit' GROUP BY 1) booked
FULL JOIN payout p ON p.id = booked.id
WHERE coalesce(booked.amount, 0) <>
    CASE WHEN p.way <> 'claim' AND p.state IN ('created', 'approved', 'sent') THEN p.amount_yen ELSE 0 END
ORDER BY 1
"""
_CLEARING = """
SELECT 'movement ' || b.id AS subject,
       'moved ' || b.net_minor || ' ' || b.currency || ' at the gateway and '
       || coalesce(sum(e.amount_minor), 0) || ' in the books' AS trouble
FROM balance_transaction b
LEFT JOIN ledger_txn t ON t.id = b.ledger_txn_id OR t.idem IN ('fee:' || b.id, 'fee:' || b.source_id)
LEFT JOIN ledger_account a ON a.code =
    'Assets:Clearing:Stripe' || CASE b.currency WHEN 'JPY' THEN '' ELSE ':' || b.currency END
LEFT JOIN ledger_entry e ON e.txn_id = t.id AND e.account_id = a.id
WHERE b.state <> 'waiting'
GROUP BY b.id, b.net_minor, b.currency HAVING coalesce(sum(e.amount_minor), 0) <> b.net_minor
ORDER BY 1
"""
# A fee is part of its movement. What a transaction and its reversal do together is nothing to the gateway: so
# suspense that was cleared.
_UNMOVED = """
SELECT 'transaction ' || min(t.id) AS subject, 'moves ' || sum(e.amount_minor) || ' ' || e.currency || ' on '
       || a.code || ', and no movement of the gateway is that' AS trouble
FROM ledger_account a JOIN ledger_entry e ON e.account_id = a.id JOIN ledger_txn t ON t.id = e.txn_id
WHERE a.code ~ '^Assets:Clearing:Stripe(:|$)'
  AND NOT EXISTS (SELECT FROM balance_transaction b WHERE b.ledger_txn_id = t.id)
  AND NOT EXISTS (SELECT FROM balance_transaction b WHERE b.state <> 'waiting' AND 'fee:' || b.id = t.idem)
  AND NOT EXISTS (SELECT FROM balance_transaction b WHERE b.state <> 'waiting' AND 'fee:' || b.source_id = t.idem)
GROUP BY coalesce(t.reverses, t.id), a.code, e.currency
HAVING sum(e.amount_minor) <> 0 AND max(t.posted_at) < :until
ORDER BY min(t.id)
"""
_SALES = """
SELECT 'sale ' || ref AS subject, 'more was taken back than sold: ' || -least(sum(net_yen), sum(tax_yen),
       sum(commission_yen), sum(commission_tax_yen)) || ' yen' AS trouble
FROM earning GROUP BY ref, organization_id, dataset_id
HAVING least(sum(net_yen), sum(tax_yen), sum(commission_yen), sum(commission_tax_yen)) < 0
UNION ALL
SELECT 'transaction ' || t.id, 'books another commission than its earnings: ' || -booked.amount
FROM ledger_txn t
JOIN (SELECT txn_id, sum(commission_yen) AS commission FROM earning WHERE role = 'agent' GROUP BY txn_id) earned
  ON earned.txn_id = t.id
JOIN (SELECT e.txn_id, sum(e.amount_minor) FILTER (WHERE a.code = 'Income:MarketplaceFee') AS amount
      FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id GROUP BY e.txn_id) booked ON booked.txn_id = t.id
WHERE coalesce(-booked.amount, 0) <> earned.commission
ORDER BY 1
"""
# Below zero, what a provider may draw is a debt: exactly what was taken back after it was paid out. The earnings
# say how much that is, each of them settled by at most one payout that did not fail.
_PROVIDERS = """
WITH booked AS (
    SELECT split_part(a.code, ':', 3) AS provider, split_part(a.code, ':', 4) AS place, -sum(e.amount_minor) AS amount
    FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
    WHERE a.code ~ '^Liabilities:Provider:[^:]+:(Pending|Available)$' GROUP BY 1, 2),
settled AS (SELECT earning_id FROM payout_item WHERE NOT freed),
earned AS (
    SELECT organization_id AS provider, CASE WHEN released_on IS NULL THEN 'Pending' ELSE 'Available' END AS place,
           sum(payable_yen) FILTER (WHERE settled.earning_id IS NULL) AS amount
    FROM earning LEFT JOIN settled ON settled.earning_id = earning.id GROUP BY 1, 2)
SELECT 'provider ' || provider AS subject, 'has ' || coalesce(b.amount, 0) || ' yen ' || lower(place)
       || ' in the books, its earnings say ' || coalesce(e.amount, 0) AS trouble
FROM booked b FULL JOIN earned e USING (provider, place)
WHERE coalesce(b.amount, 0) <> coalesce(e.amount, 0)
UNION ALL
SELECT 'earning ' || e.id, 'is paid out, and still held' FROM earning e JOIN settled ON settled.earning_id = e.id
WHERE e.released_on IS NULL
ORDER BY 1, 2
"""
# Of a sale paid outside the provider has the money, and owes the commission.
_PAYOUTS = """
SELECT 'payout ' || p.id AS subject, 'is of ' || p.amount_yen || ' yen and nets ' || p.offset_yen
       || ', its earnings make ' || coalesce(made.amount, 0) || ' and ' || coalesce(made.owed, 0) AS trouble
FROM payout p LEFT JOIN (
    SELECT i.payout_id, sum(f.owed) AS owed,
           sum(e.payable_yen - f.owed) * CASE WHEN bool_or(q.way = 'claim') THEN -1 ELSE 1 END AS amount
    FROM payout_item i JOIN earning e ON e.id = i.earning_id JOIN payout q ON q.id = i.payout_id
    CROSS JOIN LATERAL (
        SELECT CASE e.via WHEN 'outside' THEN e.commission_yen + e.commission_tax_yen ELSE 0 END AS owed) f
    GROUP BY i.payout_id) made ON made.payout_id = p.id
WHERE coalesce(made.amount, 0) <> p.amount_yen OR coalesce(made.owed, 0) <> p.offset_yen
UNION ALL
SELECT 'payout ' || p.id,
       'is ' || p.state || ', yet earnings of it are ' || CASE WHEN i.freed THEN 'free' ELSE 'held' END
FROM payout p JOIN payout_item i ON i.payout_id = p.id
WHERE i.freed <> (p.state IN ('failed', 'cancelled')) GROUP BY p.id, p.state, i.freed
ORDER BY 1
"""
_INVOICES = """
WITH rates AS (
    SELECT i.id, (line ->> 'tax_rate_basis_points')::numeric AS rate, sum((line ->> 'amount_net_yen')::numeric) AS net
    FROM invoice i CROSS JOIN jsonb_array_elements(i.lines) AS line GROUP BY 1, 2),
taxed AS (
    SELECT i.id, sum(r.net) AS net, sum(CASE s.tax_rounding WHEN 'ceil' THEN ceil(r.net * r.rate / 10000)
        WHEN 'half_up' THEN floor(r.net * r.rate / 10000 + 0.5) ELSE floor(r.net * r.rate / 10000) END) AS tax
    FROM invoice i JOIN rates r ON r.id = i.id
    LEFT JOIN invoice_issuer s ON s.organization_id = i.issuer_organization_id GROUP BY i.id)
SELECT 'invoice ' || i.number AS subject, 'states net ' || i.amount_net_yen || ' and tax ' || i.amount_tax_yen
       || ', its lines make ' || t.net || ' and ' || t.tax AS trouble
FROM invoice i JOIN taxed t ON t.id = i.id
WHERE i.amount_net_yen <> t.net OR i.amount_tax_yen <> t.tax
ORDER BY 1
"""


def check_seals() -> Iterator[Finding]:
    """I1: every transaction is sealed, sums to zero per currency, and is what the record says was posted."""
    yield from _ask("I1", _SEALED_AND_BALANCED)
    yield from _ask("I1", _AS_RECORDED)


def check_transit() -> Iterator[Finding]:
    """I2: refunds and payouts in transit and disputes held return to zero, each by itself."""
    yield from _ask("I2", _TRANSIT)


def check_clearing() -> Iterator[Finding]:
    """I3: every movement of the gateway's balance is one posting with its amount, and every posting is a movement."""
    yield from _ask("I3", _CLEARING)
    yield from _ask("I3", _UNMOVED, until=clock.now() - MOVEMENT_PATIENCE)


def check_sales() -> Iterator[Finding]:
    """I4: of no sale more is taken back than was sold, in no part; commissions are booked as earned."""
    yield from _ask("I4", _SALES)


def check_providers() -> Iterator[Finding]:
    """I5: what providers are owed is what they earned and were not paid; a debt is what went back after that."""
    yield from _ask("I5", _PROVIDERS)


def check_payouts() -> Iterator[Finding]:
    """I6: a payout pays what its earnings make, and frees them where it failed."""
    yield from _ask("I6", _PAYOUTS)


def check_invoices() -> Iterator[Finding]:
    """I7: the tax of an invoice is rounded once per rate over the sum of its lines."""
    yield from _ask("I7", _INVOICES)


def check_exports() -> Iterator[Finding]:
    """I8: the books add up in the exports too, by our own reading and by every foreign program installed."""
    for form in ledger_exports.FORMS:
        for trouble in ledger_proof.prove(form, ledger_exports.export(ledger_exports.FORMS[form])):
            yield Finding("I8", form, trouble)


CHECKS: tuple[Check, ...] = (
    check_seals,
    check_transit,
    check_clearing,
    check_sales,
    check_providers,
    check_payouts,
    check_invoices,
    check_exports,
)


def check_all() -> list[Finding]:
    """Return everything that is wrong in the books; nothing when they are sound."""
    return [finding for check in CHECKS for finding in check()]


def _ask(invariant: str, question: str, **given: datetime) -> Iterator[Finding]:
    for row in db.session.execute(text(question), given):
        yield Finding(invariant, row.subject, row.trouble)
