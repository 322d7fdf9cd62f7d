"""What the record says of the accounts to which money goes: whether they changed, and nothing that can be guessed."""

from flask import Flask

from marketplace.audit import commitments
from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.billing.payouts import queries
from marketplace.kit.canonical import digest_of
from tests.factories import payouts


def named() -> dict[str, list[str]]:
    """What the record says of the accounts that each organization named, in order."""
    found: dict[str, list[str]] = {}
    entries = record.search_entries(record.Search(verb=Verb.PAYOUT_ACCOUNT_NAMED.value)).items
    for entry in sorted((placed.entry for placed in entries), key=lambda one: one.id):
        assert set(entry.facts) == {"account_commitment"}
        found.setdefault(entry.organization_id, []).append(entry.facts["account_commitment"])
    return found


def test_no_guess_of_an_account_number_is_proved_by_the_record_but_a_change_shows(app: Flask) -> None:
    one, other = payouts.earned(app), payouts.earned(app)
    for number in ("7654321", "0123456"):
        payouts.account_of(one, account_number=number)
    payout_id = payouts.drawn(payouts.operator(), other).id
    first, changed, again = named()[one]
    assert first == again != changed
    # The same account of another organization, which has a salt of its own.
    assert named()[other] != [first]
    drawn_to = queries.require_payout(payout_id).account
    account = {name: value for name, value in drawn_to.items() if name != "connect_account_id"}
    assert account["account_number"] == "0123456"
    guesses = {digest_of(account), digest_of(drawn_to)}
    entries = [placed.entry for placed in record.all_entries(record.Search())]
    assert not [entry for entry in entries if guesses & set(map(str, entry.facts.values()))]
    # Whoever has the account and the salt can show that it was this one.
    [told] = [entry.facts for entry in entries if entry.verb == Verb.PAYOUT_CREATED.value]
    assert commitments.matches(other, drawn_to, told["account_commitment"])
    assert commitments.matches(one, account, first)
