"""Which days a term has, and what it costs: pure, and the same whenever and however often it is asked."""

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, timedelta

from marketplace.billing import pricing
from marketplace.licensing.prices import Price

FISCAL_MONTH = 4
"""A Japanese fiscal year (年度) begins on 1 April."""
MONTHS_IN_YEAR = 12


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a subscription, counted from 1, by days in Japan, both included."""

    number: int
    first: date
    last: date


def anchor(price: Price, ordered_on: date, paid_on: date) -> date:
    """Return the day from which all terms are counted: the day of payment.

    For fiscal years it is the day of the order, since the days from then to the end of March were priced.
    """
    return ordered_on if price.fiscal_year else paid_on


def term(price: Price, starts_on: date, number: int) -> Term:
    """Return a term counted from the anchor, true to the calendar; where there is a trial, it is the first.

    A month that lacks the anchor's day ends earlier, and the next one has it again: 31 January, 28 or 29
    February, 31 March. The first paid term by fiscal year ends with March, however short. Raises
    ValueError for a number below 1, or for a price that is not recurring.
    """
    if not price.is_recurring or number < 1:
        raise ValueError(f"there is no term {number} of this price")
    return Term(number, _start(price, starts_on, number), _start(price, starts_on, number + 1) - timedelta(days=1))


def is_trial(price: Price, number: int) -> bool:
    """Whether a term is the trial, which costs nothing."""
    return number == 1 and price.trial_days > 0


def net_yen(price: Price, of: Term) -> int:
    """Return what a term costs before tax: nothing in the trial, by days up to the first end of March."""
    return 0 if is_trial(price, of.number) else pricing.upfront_net_yen(replace(price, trial_days=0), of.first)


def _start(price: Price, starts_on: date, number: int) -> date:
    begins = starts_on + timedelta(days=price.trial_days)
    paid = number - 1 if price.trial_days else number
    if paid <= 1:
        return begins if paid else starts_on
    if price.fiscal_year:
        return date(pricing.fiscal_year_of(begins)[0].year + paid - 1, FISCAL_MONTH, 1)
    return months_after(begins, (paid - 1) * (price.term_months or 1))


def months_after(day: date, months: int) -> date:
    """Return the same day of the month so many months later, or that month's last day where it has none."""
    year, month = divmod(day.year * MONTHS_IN_YEAR + day.month - 1 + months, MONTHS_IN_YEAR)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
