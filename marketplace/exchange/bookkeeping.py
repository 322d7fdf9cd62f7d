"""Bookkeeping: the nightly check of the books, and whether access follows the money."""

import logging
from collections.abc import Iterator

from sqlalchemy import text

from marketplace.billing import ledger_checks, ledger_proof
from marketplace.billing.ledger_checks import Finding
from marketplace.exchange import agreement
from marketplace.kit.db import db
from marketplace.kit.jobs import task
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
# All of a sale came back to the buyer, and the buyer may still fetch.
_UNPAID_ACCESS = text("""
SELECT g.id, g.order_id FROM access_grant g
JOIN (SELECT ref FROM earning GROUP BY ref HAVING bool_or(kind = 'reversal') AND sum(net_yen + tax_yen) = 0) given_back
  ON given_back.ref = g.order_id
WHERE g.state = 'active' ORDER BY g.id
""")


def check() -> list[Finding]:
    """Return everything that is wrong in the books, each with the invariant that it breaks."""
    with transaction():
        return [*ledger_checks.check_all(), *_check_access(), *agreement.check()]


def programs() -> dict[str, bool]:
    """Return the foreign programs that prove the exports, and whether each is installed here."""
    return {name: ledger_proof.program_of(form) is not None for form, (name, _rest) in ledger_proof.COMMANDS.items()}


@task("ledger.check", cron="17 18 * * *")
def check_nightly() -> None:
    """Check the books at 03:17 in Japan; every finding is an error in the log."""
    for finding in check():
        log.error("the books are wrong, %s %s: %s", finding.invariant, finding.subject, finding.trouble)


def _check_access() -> Iterator[Finding]:
    for row in db.session.execute(_UNPAID_ACCESS):
        yield Finding("I4", f"grant {row.id}", f"is active, and all of order {row.order_id} was given back")
