"""Whether papers, earnings and books say the same: every amount on every document, from both sides."""

from collections.abc import Iterator

from sqlalchemy import text

from marketplace.billing.ledger_checks import Finding
from marketplace.kit.db import db

PAPERS = "papers"
# Each document by itself: its lines make its totals, its totals its amounts, its amounts the column it is found by.
_ADDED_UP = """
WITH summed AS (
    SELECT d.id, d.number, d.amount_yen,
           (d.content ->> 'amount_net_yen')::numeric AS net, (d.content ->> 'amount_tax_yen')::numeric AS tax,
           (d.content ->> 'amount_gross_yen')::numeric AS gross,
           (SELECT coalesce(sum((line ->> 'amount_net_yen')::numeric), 0)
              FROM jsonb_array_elements(d.content -> 'lines') AS line) AS lines,
           (SELECT coalesce(sum((total ->> 'net_yen')::numeric), 0)
              FROM jsonb_array_elements(d.content -> 'totals') AS total) AS nets,
           (SELECT coalesce(sum((total ->> 'tax_yen')::numeric), 0)
              FROM jsonb_array_elements(d.content -> 'totals') AS total) AS taxes
    FROM document d)
SELECT 'document ' || number AS subject, 'states net ' || net || ', tax ' || tax || ' and gross ' || gross
       || '; its lines make ' || lines || ', its totals ' || nets || ' and ' || taxes AS trouble
FROM summed WHERE NOT (net = lines AND net = nets AND tax = taxes AND gross = net + tax AND gross = amount_yen)
"""
_INVOICE_PAPERS = """
SELECT 'invoice ' || i.number AS subject, 'is of ' || i.amount_gross_yen || ' yen, its document of '
       || coalesce(d.amount_yen::text, 'nothing') AS trouble
FROM invoice i LEFT JOIN document d ON d.number = i.number AND d.kind = 'invoice'
WHERE d.amount_yen IS DISTINCT FROM i.amount_gross_yen
"""
# A sale stands under its order, usage under its invoice.
_INVOICE_EARNINGS = """
SELECT 'invoice ' || i.number AS subject, 'states net ' || i.amount_net_yen || ' and tax ' || i.amount_tax_yen
       || ', its earnings make ' || sum(e.net_yen) || ' and ' || sum(e.tax_yen) AS trouble
FROM invoice i JOIN earning e ON e.ref = coalesce(i.order_id, i.id) AND e.kind = 'sale'
GROUP BY i.id HAVING (sum(e.net_yen), sum(e.tax_yen)) <> (i.amount_net_yen, i.amount_tax_yen)
"""
# What the books took from the buyer's side for a sale, a reversal or a restoration is what its earnings say.
_BOOKED = """
WITH earned AS (
    SELECT txn_id, min(money_account) AS money, bool_and(via = 'outside') AS outside,
           sum(net_yen + tax_yen) AS gross, sum(payable_yen) AS payable
    FROM earning WHERE txn_id IS NOT NULL GROUP BY txn_id),
booked AS (
    SELECT earned.txn_id,
           coalesce(sum(e.amount_minor) FILTER (WHERE a.code = earned.money), 0) AS money,
           -coalesce(sum(e.amount_minor) FILTER (WHERE a.code ~ '^Liabilities:Provider:'), 0) AS payable
    FROM earned JOIN ledger_entry e ON e.txn_id = earned.txn_id JOIN ledger_account a ON a.id = e.account_id
    GROUP BY earned.txn_id)
SELECT 'transaction ' || txn_id AS subject, 'moves ' || b.money || ' yen and owes providers ' || b.payable
       || ' more, its earnings say ' || e.gross || ' and ' || e.payable AS trouble
FROM earned e JOIN booked b USING (txn_id)
WHERE e.payable <> b.payable OR (NOT e.outside AND e.gross <> b.money)
"""
# Of each invoice: credited on paper is what was taken back in the books and did not come again. Refunds under way
# have no paper yet.
_CREDITED = """
WITH noted AS (
    SELECT d.corrects AS document_id, sum(d.amount_yen) AS yen FROM document d
    WHERE d.kind = 'credit_note' AND NOT EXISTS (
        SELECT FROM document c WHERE c.corrects = d.id AND c.kind = 'correction' AND c.amount_yen = 0)
    GROUP BY d.corrects),
under_way AS (
    SELECT invoice_id, sum(amount_yen) AS yen FROM refund WHERE state IN ('created', 'sent') GROUP BY invoice_id),
reversed AS (
    SELECT ref, sum(net_yen + tax_yen) AS yen FROM earning WHERE kind <> 'sale' GROUP BY ref)
SELECT 'invoice ' || i.number AS subject, 'has credit notes over ' || -coalesce(n.yen, 0)
       || ' yen, the books took back ' || -coalesce(r.yen, 0) || ', of which ' || coalesce(u.yen, 0)
       || ' under way' AS trouble
FROM invoice i JOIN document d ON d.number = i.number
LEFT JOIN noted n ON n.document_id = d.id
LEFT JOIN under_way u ON u.invoice_id = i.id
LEFT JOIN reversed r ON r.ref = coalesce(i.order_id, i.id)
WHERE coalesce(n.yen, 0) <> coalesce(r.yen, 0) + coalesce(u.yen, 0)
"""
# Receipts of an invoice come to what was paid on it. Those paid before receipts were issued have none.
_RECEIPTS = """
WITH received AS (
    SELECT about.value AS invoice_id, sum(d.amount_yen) AS yen
    FROM document d CROSS JOIN jsonb_array_elements_text(d.about) AS about (value)
    WHERE d.kind = 'receipt' GROUP BY about.value)
SELECT 'invoice ' || i.number AS subject, 'has receipts over ' || r.yen || ' yen, ' || i.paid_yen || ' were paid'
       AS trouble
FROM invoice i JOIN received r ON r.invoice_id = i.id WHERE r.yen <> i.paid_yen
"""
_QUESTIONS = (_ADDED_UP, _INVOICE_PAPERS, _INVOICE_EARNINGS, _BOOKED, _CREDITED, _RECEIPTS)


def check() -> Iterator[Finding]:
    """Yield every amount on a document that another document, the earnings or the ledger contradict."""
    for question in _QUESTIONS:
        for row in db.session.execute(text(f"{question} ORDER BY 1, 2")):
            yield Finding(PAPERS, row.subject, row.trouble)
