"""The anomaly rules, one deed after the other, without a database."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from marketplace.audit.cases import rules
from marketplace.audit.cases.folds import CIRCLE_YEN, JUMP_YEN, Deed, Finding, Limits
from marketplace.audit.cases.rules import RULES, AnomalyRule
from marketplace.audit.verbs import Verb
from marketplace.kit import clock

AT = clock.parse("2026-11-20T12:00:00+09:00")
LIMITS = Limits(night_bytes=1000, dormant_days=90)
A, B = "org_a", "org_b"


def deed(entry: str, verb: Verb, days: float = 0, **fields: Any) -> Deed:
    """A deed of the first party with the second, some days after the first one."""
    given = {"organization_id": A, "subject": "x_1", "counterparty_id": B} | fields
    return Deed(id=entry, occurred_at=AT + timedelta(days=days), verb=verb.value, **given)


def read(rule: AnomalyRule, deeds: Iterable[Deed]) -> list[Finding]:
    """What a rule finds in these deeds, key by key, remembering as the watch does."""
    kept: dict[str, Any] = {}
    found = []
    for one in deeds:
        assert one.verb in rule.verbs
        if (key := rule.key(one)) is not None:
            kept[key], finding = rule.fold(kept.get(key, {}), one, LIMITS)
            found += [finding] if finding else []
    return found


def order(entry: str, buyer: str, provider: str, yen: int, days: float = 0) -> Deed:
    return deed(entry, Verb.ORDER_PLACED, days, organization_id=buyer, counterparty_id=provider, amount_minor=yen)


def test_two_parties_that_buy_from_each_other_are_found_with_what_each_spent():
    [found] = read(rules.CIRCULAR_TRADE, [order("1", A, B, CIRCLE_YEN), order("2", B, A, CIRCLE_YEN, days=3)])
    assert found == (f"{A} {B}", "2026-11", ["1", "2"], {"yen_by_buyer": {A: CIRCLE_YEN, B: CIRCLE_YEN}})


@pytest.mark.parametrize(
    "deeds",
    [
        [order("1", A, B, 90_000), order("2", A, B, 90_000)],
        [order("1", A, B, 90_000), order("2", B, "org_c", 90_000), order("3", "org_c", A, 90_000)],
        [order("1", A, B, 90_000), order("2", B, A, CIRCLE_YEN - 1)],
        [order("1", A, B, 90_000), order("2", B, A, 0)],
        [order("1", A, B, 90_000), order("2", B, A, 90_000, days=31)],
    ],
    ids=["one way", "three parties", "small change", "free data", "a month apart"],
)
def test_other_trades_are_no_circle(deeds: list[Deed]):
    assert read(rules.CIRCULAR_TRADE, deeds) == []


def test_many_small_orders_hide_no_circle():
    small = [order(f"small {number}", B, A, 1, days=0.01) for number in range(100)]
    [found] = read(rules.CIRCULAR_TRADE, [order("1", A, B, 500_000), *small, order("2", B, A, 500_000, days=0.02)])
    assert (found.evidence, found.figures) == (["1", "2"], {"yen_by_buyer": {A: 500_000, B: 500_100}})
    split = [order(f"part {number}", A, B, CIRCLE_YEN // 200, days=number / 10) for number in range(200)]
    [found] = read(rules.CIRCULAR_TRADE, [order("1", B, A, 500_000), *split])
    assert (len(found.evidence), found.evidence[0]) == (11, "1")


def offer(
    entry: str, verb: Verb, offer_id: str, yen: int, days: float = 0, buyer: str | None = None, **facts: Any
) -> Deed:
    facts = {"price_kind": "one_off"} | facts
    return deed(
        entry, verb, days, subject=offer_id, dataset_id="ds_1", amount_minor=yen, counterparty_id=buyer, facts=facts
    )


@pytest.mark.parametrize(("before", "after"), [(10_000, 30_000), (30_000, 10_000)])
def test_a_new_version_at_three_times_or_a_third_of_the_price_is_a_jump(before: int, after: int):
    made = offer("1", Verb.OFFER_MADE, "ofr_1", before)
    [found] = read(rules.PRICE_JUMP, [made, offer("2", Verb.OFFER_SUPERSEDED, "ofr_2", after, supersedes="ofr_1")])
    assert found == ("ds_1", "ofr_2", ["1", "2"], {"yen_before": before, "yen": after})


def test_an_offer_that_is_withdrawn_and_made_anew_is_compared_as_well():
    made = [offer("1", Verb.OFFER_MADE, "ofr_1", 50_000), offer("2", Verb.OFFER_WITHDRAWN, "ofr_1", 50_000, days=1)]
    again = offer("3", Verb.OFFER_MADE, "ofr_2", 500_000, days=2)
    assert [found.evidence for found in read(rules.PRICE_JUMP, [*made, again])] == [["2", "3"]]
    late = offer("3", Verb.OFFER_MADE, "ofr_2", 500_000, days=40)
    assert read(rules.PRICE_JUMP, [*made, late]) == []


@pytest.mark.parametrize(
    "following",
    [
        offer("2", Verb.OFFER_SUPERSEDED, "ofr_2", 29_999, supersedes="ofr_1"),
        offer("2", Verb.OFFER_SUPERSEDED, "ofr_2", 90_000, supersedes="ofr_1", price_kind="subscription"),
        offer("2", Verb.OFFER_MADE, "ofr_2", 90_000),
        offer("2", Verb.OFFER_SUPERSEDED, "ofr_2", 0, supersedes="ofr_1"),
        offer("2", Verb.OFFER_SUPERSEDED, "ofr_2", 90_000, supersedes="ofr_unknown"),
    ],
    ids=["less than three times", "another kind of price", "another offer beside it", "free now", "before the record"],
)
def test_other_changes_of_prices_are_no_jump(following: Deed):
    assert read(rules.PRICE_JUMP, [offer("1", Verb.OFFER_MADE, "ofr_1", 10_000), following]) == []


def test_three_times_next_to_nothing_is_no_jump():
    made, cheap = JUMP_YEN // 10, JUMP_YEN // 3
    deeds = [
        offer("1", Verb.OFFER_MADE, "ofr_1", made),
        offer("2", Verb.OFFER_SUPERSEDED, "ofr_2", cheap, supersedes="ofr_1"),
    ]
    assert read(rules.PRICE_JUMP, deeds) == []


def refund(entry: str, days: float, reason: str = "requested", **fields: Any) -> Deed:
    about = {"subject": f"rfd_{entry}", "facts": {"reason": reason}}
    return deed(entry, Verb.REFUND_OPENED, days, amount_minor=500, **about | fields)


def test_the_third_refund_in_a_month_is_a_loop_whoever_made_them():
    ours = refund("1", 0, organization_id="org_operator", counterparty_id=A, parties=(A, B))
    found = read(rules.REFUND_LOOP, [ours, refund("2", 1), refund("3", 2, organization_id=B, counterparty_id=A)])
    assert found == [(f"{A} {B}", "2026-11", ["1", "2", "3"], {"refunds": 3, "yen": 1500})]


def test_refunds_that_are_owed_by_rule_or_far_apart_are_no_loop():
    owed = [refund("1", 0), refund("2", 1, "service_level"), refund("3", 2, "adjustment"), refund("4", 3)]
    assert read(rules.REFUND_LOOP, owed) == []
    assert read(rules.REFUND_LOOP, [refund("1", 0), refund("2", 20), refund("3", 40)]) == []
    assert read(rules.REFUND_LOOP, [refund("1", 0), refund("2", 1, counterparty_id="org_c"), refund("3", 2)]) == []


def test_what_goes_back_in_several_ways_is_one_refund():
    def part(entry: str, request: str, yen: int, days: float = 0) -> Deed:
        facts = {"reason": "requested", "request": request}
        return deed(entry, Verb.REFUND_OPENED, days, amount_minor=yen, facts=facts)

    one = [part("1", "asked:1", 100), part("2", "asked:1", 500), part("3", "asked:1", 200)]
    assert read(rules.REFUND_LOOP, one) == []
    [found] = read(rules.REFUND_LOOP, [*one, part("4", "asked:2", 300, 1), part("5", "asked:3", 400, 2)])
    assert (found.evidence, found.figures) == (["2", "4", "5"], {"refunds": 3, "yen": 1500})


def account(entry: str, name: str, days: float = 0) -> Deed:
    facts = {"account_commitment": name}
    return deed(entry, Verb.PAYOUT_ACCOUNT_NAMED, days, counterparty_id=None, facts=facts)


def payout(entry: str, days: float, **facts: Any) -> Deed:
    who = {"organization_id": "org_operator", "counterparty_id": A, "subject": f"pyt_{entry}"}
    return deed(entry, Verb.PAYOUT_CREATED, days, amount_minor=9_000, facts={"way": "bank"} | facts, **who)


def test_a_payout_within_a_week_after_another_account_is_found():
    deeds = [account("1", "old"), account("2", "new", 100), payout("3", 106.5), payout("4", 107.1)]
    [found] = read(rules.PAYOUT_AFTER_CHANGE, deeds)
    assert found == (A, "pyt_3", ["2", "3"], {"yen": 9_000, "hours_after_change": 156})


def test_a_first_account_the_same_account_and_a_claim_are_no_change():
    assert read(rules.PAYOUT_AFTER_CHANGE, [account("1", "first"), payout("2", 1)]) == []
    assert read(rules.PAYOUT_AFTER_CHANGE, [account("1", "one"), account("2", "one", 5), payout("3", 6)]) == []
    changed = [account("1", "old"), account("2", "new", 5)]
    assert read(rules.PAYOUT_AFTER_CHANGE, [*changed, payout("3", 6, way="claim")]) == []
    assert read(rules.PAYOUT_AFTER_CHANGE, [payout("0", -1), account("1", "old")]) == []


def test_an_account_named_after_the_upgrade_is_compared_with_the_one_before_it():
    former = replace(account("1", "x"), facts={"account_sha256": "old"})
    [found] = read(rules.PAYOUT_AFTER_CHANGE, [former, account("2", "new", 5), payout("3", 6)])
    assert found[2] == ["2", "3"]
    assert read(rules.PAYOUT_AFTER_CHANGE, [former, replace(former, id="2"), payout("3", 6)]) == []


def delivery(entry: str, at: str, byte_count: int, buyer: str = A, **said: str) -> Deed:
    facts = {"bytes_acked": byte_count} | said
    return Deed(entry, clock.parse(at), buyer, Verb.DELIVERY_CLOSED.value, "dlv_1", B, facts=facts)


def test_much_that_one_buyer_fetches_in_a_japanese_night_is_found_once_with_its_largest_deliveries():
    night = [
        delivery("1", "2026-11-20T22:00:00+09:00", 400),
        delivery("2", "2026-11-21T04:59:59+09:00", 601),
        delivery("3", "2026-11-20T17:00:00Z", 900),
    ]
    [found] = read(rules.NIGHT_BULK, night)
    assert found == (A, "2026-11-20", ["2", "1"], {"bytes": 1001, "deliveries": 2})


def test_what_is_fetched_by_day_in_two_nights_or_by_two_is_not_added_up():
    day = [delivery("1", "2026-11-20T21:59:59+09:00", 5000), delivery("2", "2026-11-21T05:00:00+09:00", 5000)]
    nights = [delivery("3", "2026-11-20T23:00:00+09:00", 600), delivery("4", "2026-11-21T23:00:00+09:00", 600)]
    others = [delivery("5", "2026-11-20T23:00:00+09:00", 600, buyer=B)]
    assert read(rules.NIGHT_BULK, [*day, *nights, *others]) == []


def test_what_others_sent_counts_for_the_night_in_which_they_did():
    by_night, by_day = "2026-11-20T17:00:00.000000Z", "2026-11-20T05:00:00.000000Z"
    [found] = read(rules.NIGHT_BULK, [delivery("1", "2026-11-22T09:00:00+09:00", 1001, served_at=by_night)])
    assert (found.span, found.evidence) == ("2026-11-20", ["1"])
    assert read(rules.NIGHT_BULK, [delivery("1", "2026-11-21T02:00:00+09:00", 1001, served_at=by_day)]) == []


def grant(entry: str, days: float, verb: Verb = Verb.DELIVERY_OPENED) -> Deed:
    return deed(
        entry, verb, days, subject="grt_1" if verb is Verb.GRANT_ISSUED else "dlv_1", facts={"grant_id": "grt_1"}
    )


def test_a_grant_that_rested_for_ninety_days_is_found_at_its_first_use():
    deeds = [grant("1", 0, Verb.GRANT_ISSUED), grant("2", 5), grant("3", 95), grant("4", 96), grant("5", 300)]
    found = read(rules.DORMANT_GRANT, deeds)
    assert [(one.subject, one.span, one.evidence, one.figures) for one in found] == [
        ("grt_1", "2027-02-23", ["2", "3"], {"days_rested": 90}),
        ("grt_1", "2027-09-16", ["4", "5"], {"days_rested": 204}),
    ]


def test_a_grant_in_use_is_not_dormant_and_late_news_do_not_make_it_so():
    assert read(rules.DORMANT_GRANT, [grant("1", 0, Verb.GRANT_ISSUED), grant("2", 89), grant("3", 178)]) == []
    assert read(rules.DORMANT_GRANT, [grant("1", 80), grant("2", 1), grant("3", 92)]) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_explains_itself_in_both_languages(rule: AnomalyRule):
    assert rule.explanation.endswith(".")
    assert rule.explanation_ja.endswith("。")
    assert rule.title
    assert rule.title_ja


def test_a_fold_leaves_what_it_was_handed_as_it_was():
    made = offer("1", Verb.OFFER_MADE, "ofr_1", 10_000)
    kept = rules.PRICE_JUMP.fold({}, made, LIMITS).kept
    before = repr(kept)
    rules.PRICE_JUMP.fold(kept, offer("2", Verb.OFFER_SUPERSEDED, "ofr_2", 50_000, supersedes="ofr_1"), LIMITS)
    assert repr(kept) == before
