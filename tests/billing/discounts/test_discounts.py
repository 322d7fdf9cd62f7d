"""Discounts: judged evidence and secret codes take something off, each as often as it may."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.billing.discounts import queries, rules, service, taking
from marketplace.billing.discounts.errors import (
    CouponNotUsable,
    EligibilityDecided,
    EligibilityNotUsable,
    EligibilityWaiting,
)
from marketplace.billing.discounts.models import Coupon, DiscountUse, Eligibility
from marketplace.billing.discounts.rules import CouponDraft, DiscountWish, EligibilityDraft
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.ids import new_id
from marketplace.licensing import service as licensing
from marketplace.licensing.offers import Discount
from marketplace.licensing.prices import Price
from marketplace.licensing.states import DiscountClass, PriceKind, UsageUnit
from tests.factories import licensing as make
from tests.factories.identity import ApiClientFactory, OrganizationFactory, actor_of

EVIDENCE = EligibilityDraft(DiscountClass.ACADEMIC, "科研費 課題番号 23K00001", "ab" * 32)
PERCENT = (Discount(DiscountClass.ACADEMIC, 2_500), Discount(DiscountClass.SAME_CITY, 10_000))


def later(days=30):
    return clock.now() + timedelta(days=days)


@pytest.fixture
def operator(session):
    organization = OrganizationFactory(operator=True)
    return actor_of(organization, ApiClientFactory(organization=organization))


@pytest.fixture
def provider(session):
    return make.provider()


@pytest.fixture
def buyer(session):
    return make.buyer()


@pytest.fixture
def offer(provider):
    return make.offer_of(provider, price=Price(PriceKind.ONE_OFF, 9_999), discounts=PERCENT)


def granted(operator, buyer, draft=EVIDENCE, **said):
    applied = service.apply(buyer, draft)
    return service.grant(operator, applied.id, said.pop("valid_until", later()), **said)


def take(buyer, offer, net=9_999, **wish):
    return taking.take(buyer, offer, net, DiscountWish(**wish), new_id("ord"))


def counts():
    tables = (DiscountUse, Entry, Coupon, Eligibility)
    return [session_count(table) for table in tables]


def session_count(table):
    return db.session.scalar(select(func.count()).select_from(table))


def test_an_application_is_judged_and_stands_on_the_record(operator, buyer):
    applied = service.apply(buyer, EVIDENCE)
    assert (applied.state, applied.discount_class, applied.decided_at) == ("applied", "academic", None)
    granted = service.grant(operator, applied.id, later(), single_use=True)
    assert (granted.state, granted.single_use) == ("granted", True)
    assert granted.decided_at is not None
    assert queries.get_eligibility(buyer, applied.id) is granted
    assert [one.id for one in queries.list_eligibilities(operator, state="granted").items] == [applied.id]


def test_one_application_of_a_class_waits_at_a_time(operator, buyer):
    applied = service.apply(buyer, EVIDENCE)
    before = counts()
    with pytest.raises(EligibilityWaiting):
        service.apply(buyer, EVIDENCE)
    assert counts() == before
    service.refuse(operator, applied.id, "証明書の写しが読めません")
    assert service.apply(buyer, EVIDENCE).state == "applied"
    other = EligibilityDraft(DiscountClass.SME, "中小企業基本法2条", "cd" * 32)
    assert service.apply(buyer, other).state == "applied"


def test_a_decision_is_made_once_and_a_grant_can_be_taken_back(operator, buyer, offer):
    one = granted(operator, buyer)
    with pytest.raises(EligibilityDecided) as caught:
        service.grant(operator, one.id, later())
    assert caught.value.members == {"state": "granted"}
    assert service.refuse(operator, one.id, "虚偽の申請").state == "refused"
    with pytest.raises(EligibilityDecided):
        service.refuse(operator, one.id, "もう一度")
    with pytest.raises(EligibilityNotUsable) as caught:
        take(buyer, offer, eligibility_id=one.id)
    assert caught.value.members == {"reason": "not_granted"}


@pytest.mark.parametrize("days", [-1, 0, 1_831])
def test_a_grant_ends_in_the_future_and_within_five_years(operator, buyer, days):
    applied = service.apply(buyer, EVIDENCE)
    with pytest.raises(Invalid):
        service.grant(operator, applied.id, later(days))
    assert queries.get_eligibility(buyer, applied.id).state == "applied"


def test_what_does_not_exist_is_not_judged(operator):
    for identifier in ("", "elg_none", "elg_" + "0" * 32, "\x00"):
        with pytest.raises(NotFound):
            service.grant(operator, identifier, later())
        with pytest.raises(NotFound):
            service.refuse(operator, identifier, "なし")


def test_nobody_reads_the_evidence_of_another(operator, buyer, provider):
    applied = service.apply(buyer, EVIDENCE)
    for stranger in (provider, make.buyer()):
        with pytest.raises(NotFound):
            queries.get_eligibility(stranger, applied.id)
        assert queries.list_eligibilities(stranger).items == []
    assert queries.get_eligibility(operator, applied.id) is applied


def test_a_share_is_floored_and_taken_before_tax(operator, buyer, offer):
    one = granted(operator, buyer)
    (deduction,) = take(buyer, offer, eligibility_id=one.id)
    assert deduction.document() == {
        "kind": "eligibility",
        "source_id": one.id,
        "basis_points": 2_500,
        "amount_yen": 2_499,
    }


def test_an_eligibility_can_be_used_again_unless_it_is_for_one_order(operator, buyer, offer):
    many = granted(operator, buyer)
    for _ in range(3):
        take(buyer, offer, eligibility_id=many.id)
    service.refuse(operator, many.id, "期限切れ")
    once = granted(operator, buyer, single_use=True)
    take(buyer, offer, eligibility_id=once.id)
    before = counts()
    with pytest.raises(EligibilityNotUsable) as caught:
        take(buyer, offer, eligibility_id=once.id)
    assert caught.value.members == {"reason": "used"}
    assert counts() == before


def test_an_eligibility_that_does_not_fit_gives_nothing(operator, buyer, offer, provider):
    one = granted(operator, buyer)
    plain = make.offer_of(provider)
    for reason, who, on, net, identifier in (
        ("unknown", make.buyer(), offer, 9_999, one.id),
        ("unknown", buyer, offer, 9_999, "elg_" + "0" * 32),
        ("unknown", buyer, offer, 9_999, "\x00' OR 1=1"),
        ("not_offered", buyer, plain, 5_000, one.id),
        ("not_offered", buyer, offer, 0, one.id),
    ):
        before = counts()
        with pytest.raises(EligibilityNotUsable) as caught:
            take(who, on, net, eligibility_id=identifier)
        assert caught.value.members == {"reason": reason}
        assert counts() == before
    with clock.stopped(later(31)), pytest.raises(EligibilityNotUsable) as caught:
        take(buyer, offer, eligibility_id=one.id)
    assert caught.value.members == {"reason": "over"}


def test_a_coupon_takes_yen_or_percent_and_is_kept_as_a_hash(session, provider, buyer, offer):
    coupon, code = service.issue_coupon(provider, CouponDraft(later(), amount_yen=500))
    assert len(code.replace("-", "")) == 20
    assert code not in str(session.execute(text("SELECT to_jsonb(coupon) FROM coupon")).all())
    assert coupon.code_sha256 == rules.code_sha256(code)
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    (deduction,) = take(buyer, offer, coupon_code=typed)
    assert (deduction.amount_yen, deduction.basis_points) == (500, None)
    assert queries.get_coupon(provider, coupon.id).redemptions == 1


def test_a_coupon_never_takes_more_than_there_is(provider, buyer, offer):
    _, code = service.issue_coupon(provider, CouponDraft(later(), amount_yen=10**9))
    (deduction,) = take(buyer, offer, 1, coupon_code=code)
    assert deduction.amount_yen == 1


def test_both_together_never_come_to_more_than_the_price(operator, provider, buyer, offer):
    one = granted(operator, buyer)
    _, code = service.issue_coupon(provider, CouponDraft(later(), basis_points=10_000))
    first, second = take(buyer, offer, eligibility_id=one.id, coupon_code=code)
    assert (first.amount_yen, second.amount_yen) == (2_499, 7_500)


def test_of_two_wishes_none_is_granted_when_one_cannot_be(session, operator, buyer, offer):
    one = granted(operator, buyer, single_use=True)
    before = counts()
    with pytest.raises(CouponNotUsable), session.begin_nested():
        take(buyer, offer, eligibility_id=one.id, coupon_code="ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ")
    assert counts() == before
    assert take(buyer, offer, eligibility_id=one.id)


def test_a_coupon_that_does_not_fit_gives_nothing_and_does_not_say_why(provider, buyer, offer):
    rival = make.provider()
    elsewhere = make.offer_of(provider)
    drafts = {
        "another provider": (rival, CouponDraft(later(), amount_yen=5)),
        "another offer": (provider, CouponDraft(later(), amount_yen=5, offer_id=elsewhere.id)),
        "not yet": (provider, CouponDraft(later(30), amount_yen=5, valid_from=later(10))),
    }
    codes = [service.issue_coupon(*draft)[1] for draft in drafts.values()]
    ended, over = (service.issue_coupon(provider, CouponDraft(later(1), amount_yen=5)) for _ in range(2))
    service.end_coupon(provider, ended[0].id)
    for code in [*codes, ended[1], "", "x" * 10_000, "\ud800", "ＡＢＣ"]:
        before = counts()
        with pytest.raises(CouponNotUsable) as caught:
            take(buyer, offer, coupon_code=code)
        assert caught.value.members == {}
        assert counts() == before
    with clock.stopped(later(2)), pytest.raises(CouponNotUsable):
        take(buyer, offer, coupon_code=over[1])
    with pytest.raises(CouponNotUsable):
        take(buyer, offer, 0, coupon_code=over[1])
    assert take(buyer, offer, coupon_code=over[1])


def test_a_coupon_is_redeemed_as_often_as_it_says(provider, buyer, offer):
    coupon, code = service.issue_coupon(provider, CouponDraft(later(), amount_yen=5, max_redemptions=2))
    take(buyer, offer, coupon_code=code)
    take(make.buyer(), offer, coupon_code=code)
    with pytest.raises(CouponNotUsable):
        take(buyer, offer, coupon_code=code)
    assert queries.get_coupon(provider, coupon.id).redemptions == 2


def test_on_usage_a_share_is_pinned_and_taken_later_and_yen_are_not(operator, provider, buyer):
    price = Price(PriceKind.PER_UNIT, unit=UsageUnit.REQUEST, unit_yen=Decimal("0.5"))
    metered = make.offer_of(provider, price=price, discounts=PERCENT)
    one = granted(operator, buyer)
    _, percent = service.issue_coupon(provider, CouponDraft(later(), basis_points=500))
    _, yen = service.issue_coupon(provider, CouponDraft(later(), amount_yen=500))
    found = take(buyer, metered, 0, eligibility_id=one.id, coupon_code=percent)
    assert [(deduction.basis_points, deduction.amount_yen) for deduction in found] == [(2_500, 0), (500, 0)]
    with pytest.raises(CouponNotUsable):
        take(buyer, metered, 0, coupon_code=yen)


def test_giving_back_twice_gives_back_once(session, operator, provider, buyer, offer):
    """Bug of others: voiding twice ran its side effects twice, and voiding kept the credit consumed."""
    one = granted(operator, buyer, single_use=True)
    coupon, code = service.issue_coupon(provider, CouponDraft(later(), amount_yen=5))
    order_id = new_id("ord")
    taking.take(buyer, offer, 9_999, DiscountWish(one.id, code), order_id)
    noise = take(make.buyer(), offer, coupon_code=service.issue_coupon(provider, CouponDraft(later(), amount_yen=5))[1])
    assert taking.give_back(buyer, order_id) == 2
    assert taking.give_back(buyer, order_id) == 0
    session.expire_all()
    assert queries.get_coupon(provider, coupon.id).redemptions == 0
    assert queries.get_coupon(provider, noise[0].source_id).redemptions == 1
    assert len(take(buyer, offer, eligibility_id=one.id, coupon_code=code)) == 2
    assert {use.given_back_at is None for use in queries.list_uses(order_id)} == {False}


def test_every_deed_stands_on_the_record_without_words_or_codes(session, operator, provider, buyer, offer):
    one = granted(operator, buyer)
    coupon, code = service.issue_coupon(provider, CouponDraft(later(), amount_yen=5))
    order_id = new_id("ord")
    taking.take(buyer, offer, 9_999, DiscountWish(one.id, code), order_id)
    taking.give_back(buyer, order_id)
    service.end_coupon(provider, coupon.id)
    service.refuse(operator, one.id, "虚偽の申請")
    verbs = set(session.scalars(select(Entry.verb).where(Entry.subject.in_([one.id, coupon.id, order_id]))))
    assert verbs == {
        verb.value
        for verb in (
            Verb.ELIGIBILITY_APPLIED,
            Verb.ELIGIBILITY_GRANTED,
            Verb.ELIGIBILITY_REFUSED,
            Verb.COUPON_ISSUED,
            Verb.COUPON_ENDED,
            Verb.DISCOUNT_TAKEN,
            Verb.DISCOUNT_GIVEN_BACK,
        )
    }
    told = str([entry.facts for entry in session.scalars(select(Entry))])
    assert not any(word in told for word in (code, coupon.code_sha256, "虚偽", "科研費"))


@pytest.mark.parametrize(
    ("said", "pointers"),
    [
        ({}, {"/basis_points"}),
        ({"basis_points": 1, "amount_yen": 1}, {"/basis_points"}),
        ({"basis_points": 10_001}, {"/basis_points"}),
        ({"basis_points": 0}, {"/basis_points"}),
        ({"amount_yen": 0}, {"/amount_yen"}),
        ({"amount_yen": 10**12}, {"/amount_yen"}),
        ({"amount_yen": 1, "max_redemptions": 0}, {"/max_redemptions"}),
        ({"amount_yen": 1, "max_redemptions": 1_000_001}, {"/max_redemptions"}),
        ({"amount_yen": 1, "valid_until": -1}, {"/valid_until"}),
        ({"amount_yen": 1, "valid_until": 1_831}, {"/valid_until"}),
        ({"amount_yen": 1, "valid_from": 40}, {"/valid_until"}),
    ],
)
def test_an_unsound_coupon_is_not_made(provider, said, pointers):
    moments = {name: later(said.pop(name)) for name in ("valid_until", "valid_from") if name in said}
    before = counts()
    with pytest.raises(Invalid) as caught:
        service.issue_coupon(provider, CouponDraft(**{"valid_until": later()} | moments | said))
    assert {fault["pointer"] for fault in caught.value.errors} == pointers
    assert counts() == before


def test_a_coupon_is_for_ones_own_offers_and_ended_by_oneself(operator, provider, offer):
    rival = make.provider()
    with pytest.raises(NotFound):
        service.issue_coupon(rival, CouponDraft(later(), amount_yen=5, offer_id=offer.id))
    coupon, _ = service.issue_coupon(provider, CouponDraft(later(), amount_yen=5, offer_id=offer.id))
    for stranger in (rival, operator):
        with pytest.raises(NotFound):
            service.end_coupon(stranger, coupon.id)
    assert service.end_coupon(provider, coupon.id).state == "ended"
    before = counts()
    assert service.end_coupon(provider, coupon.id).state == "ended"
    assert counts() == before
    assert [one.id for one in queries.list_coupons(provider).items] == [coupon.id]
    assert queries.list_coupons(rival).items == []
    assert queries.list_coupons(operator, size=1).items


def test_codes_differ_and_are_of_plain_signs():
    codes = {rules.new_code() for _ in range(200)}
    assert len(codes) == 200
    assert all(set(code) <= set(rules.ALPHABET) | {"-"} for code in codes)


@given(net=st.integers(0, 10**15), points=st.integers(1, 10_000), yen=st.integers(1, 10**12))
def test_nothing_takes_off_more_than_there_is(net, points, yen):
    assert 0 <= rules.off(net, basis_points=points) <= net
    assert 0 <= rules.off(net, amount_yen=yen) <= net
    assert rules.off(net, basis_points=10_000) == net


def test_nothing_is_taken_off_less_than_nothing():
    with pytest.raises(ValueError, match="less than nothing"):
        rules.off(-1, amount_yen=1)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("coupon", "max_redemptions = 99"),
        ("coupon", "amount_yen = 99999"),
        ("coupon", "valid_until = now() + interval '9 years'"),
        ("eligibility", "discount_class = 'sme'"),
        ("eligibility", "evidence_sha256 = repeat('0', 64)"),
        ("discount_use", "amount_yen = 0"),
        ("discount_use", "order_id = 'ord_x'"),
    ],
)
def test_the_database_holds_what_was_agreed(session, operator, provider, buyer, offer, table, change):
    one = granted(operator, buyer)
    _, code = service.issue_coupon(provider, CouponDraft(later(), amount_yen=5))
    take(buyer, offer, eligibility_id=one.id, coupon_code=code)
    for statement in (f"UPDATE {table} SET {change}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(text(statement))


def test_the_database_redeems_no_coupon_too_often(session, provider):
    service.issue_coupon(provider, CouponDraft(later(), amount_yen=5))
    with pytest.raises(IntegrityError, match="ck_coupon_redemptions"), session.begin_nested():
        session.execute(text("UPDATE coupon SET redemptions = 2"))


def test_a_superseded_offer_keeps_its_discounts_for_who_ordered_it(provider, offer):
    draft = make.draft_for(provider, dataset_id=offer.dataset_id, price=Price(PriceKind.ONE_OFF, 8_000))
    newer = licensing.supersede_offer(provider, offer.id, draft)
    assert offer.discounts
    assert newer.discounts == []
