"""Data requests: stated, found alike, followed, pledged for, answered, merged, and what became of them told."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.audit.models import Entry
from marketplace.demand import queries, rules, service, showing
from marketplace.demand.errors import AnsweredAlready, OwnRequest, RequestEnded, RequestsTooMany
from marketplace.demand.models import DataRequest, RequestAnswer, RequestFollower, RequestNotice, RequestPledge
from marketplace.demand.rules import AnswerDraft
from marketplace.demand.states import AnswerKind, RequestState
from marketplace.exchange import demanding
from marketplace.identity.actors import Actor
from marketplace.identity.errors import MyNumberRefused
from marketplace.identity.models import Organization
from marketplace.identity.rules import individual_check_digit
from marketplace.identity.states import MemberRole
from marketplace.kit import clock, jobs, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.mail import Mail
from marketplace.kit.transaction import transaction
from tests.factories import market
from tests.factories.demand import PROBLEM, draft, stated, teaser
from tests.factories.identity import MemberFactory

pytestmark = pytest.mark.usefixtures("app")


def verbs(request: DataRequest) -> list[str]:
    written = select(Entry.verb).where(Entry.subject == request.id).order_by(Entry.id)
    return list(db.session.scalars(written))


def told(who: Actor) -> list[str]:
    return [one.event for one in queries.list_notices(who).items]


def pledged(who: Actor, request: DataRequest, amount_yen: int) -> None:
    with transaction():
        service.pledge(who, request.id, amount_yen)


def test_a_request_says_what_is_needed_and_hides_who_asks() -> None:
    who = market.buyer()
    request = stated(who, budget_yen=300_000)
    seen, own = showing.request(request), showing.request(request, who)
    assert (seen["requester"], own["requester"]["id"]) == (None, who.organization_id)
    assert (seen["state"], seen["budget_yen"], seen["pledges"]) == ("open", 300_000, None)
    assert own["standing"] == {"is_requester": True, "follows": False, "pledge_yen": None}
    assert verbs(request) == ["demand.request.stated"]
    [entry] = db.session.scalars(select(Entry).where(Entry.subject == request.id))
    assert PROBLEM not in str(entry.facts)
    assert showing.request(stated(who, shows_name=True))["requester"]["id"] == who.organization_id


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"title": "  "}, "/title"),
        ({"problem": "a\x00b"}, "/problem"),
        ({"problem": "あ" * 4001}, "/problem"),
        ({"region": "011003"}, "/region"),
        ({"budget_yen": 0}, "/budget_yen"),
        ({"budget_yen": 10**12}, "/budget_yen"),
        ({"deadline": clock.today() - timedelta(days=1)}, "/deadline"),
        ({"deadline": clock.today() + timedelta(days=800)}, "/deadline"),
        ({"period_from": clock.today(), "period_to": clock.today() - timedelta(days=1)}, "/period_to"),
    ],
)
def test_what_cannot_be_a_request_is_refused(changes: dict, pointer: str) -> None:
    who = market.buyer()
    with pytest.raises(Invalid) as refused, transaction():
        service.state_request(who, draft(**changes))
    assert [error["pointer"] for error in refused.value.errors] == [pointer]
    assert queries.list_own(who).items == []


def test_an_individual_number_is_taken_in_by_no_text() -> None:
    number = f"12345678901{individual_check_digit('12345678901')}"
    someone = market.buyer()
    with pytest.raises(MyNumberRefused), transaction():
        service.state_request(someone, draft(problem=f"対象者 {number} の移動"))
    request = stated(market.buyer())
    someone = market.seller()
    with pytest.raises(MyNumberRefused), transaction():
        service.answer(someone, request.id, teaser(f"例 {number}"))
    assert db.session.scalars(select(RequestAnswer)).all() == []


def test_an_organization_has_so_many_live_requests_and_no_more() -> None:
    who = market.buyer()
    most = settings.current().data_requests_open_max
    with transaction():
        for _ in range(most):
            service.state_request(who, draft())
    with pytest.raises(RequestsTooMany) as refused, transaction():
        service.state_request(who, draft())
    assert refused.value.members == {"most": most}
    with transaction():
        demanding.close(who, queries.list_own(who).items[0].id, "")
        service.state_request(who, draft())


def test_alike_requests_are_found_by_the_words_that_they_share() -> None:
    first = stated(market.buyer())
    near = stated(market.buyer(), title="札幌市大通の歩行者数（時間帯別）", problem="催しの効果を通りごとに比べたい。")
    stated(market.buyer(), title="家庭ごみの収集量", problem="町丁目ごとの月別の重量がほしい。")
    ended = stated(market.buyer())
    with transaction():
        service.close(Actor(ended.organization_id), ended.id, "")
    found = queries.list_alike(first.tokens, but=first.id)
    assert [(one.id, share >= rules.ALIKE_PERCENT_MIN) for one, share in found] == [(near.id, True)]
    assert queries.list_alike([]) == []
    assert [one.id for one in queries.list_requests(queries.RequestFilter("歩行者数 大通")).items] == [
        near.id,
        first.id,
    ]
    assert queries.list_requests(queries.RequestFilter(theme="ENVI")).items == []
    assert len(queries.list_requests(queries.RequestFilter(region="01")).items) == 3
    closed = queries.list_requests(queries.RequestFilter(state=RequestState.CLOSED)).items
    assert [one.id for one in closed] == [ended.id]


def test_whoever_follows_is_told_once_by_notice_and_by_mail() -> None:
    who, follower, provider = market.buyer(), market.buyer(), market.seller()
    organization = db.session.get_one(Organization, follower.organization_id)
    MemberFactory(organization=organization, role=MemberRole.BUYER.value, email="kaite@example.jp")
    MemberFactory(organization=organization, role=MemberRole.FINANCE.value, email="keiri@example.jp")
    request = stated(who)
    with transaction():
        service.follow(follower, request.id)
    with transaction():
        service.follow(follower, request.id)
        demanding.answer(provider, request.id, teaser())
    assert request.state == "answered"
    jobs.run_pending("demand.tell")
    demanding.tell()
    letters = db.session.scalars(select(Mail).where(Mail.recipient.in_(["kaite@example.jp", "keiri@example.jp"]))).all()
    assert [one.recipient for one in letters] == ["kaite@example.jp"]
    assert request.title in letters[0].subject
    assert f"/requests/{request.id}" in letters[0].body
    with transaction():
        demanding.meet(who, request.id)
    assert told(follower) == ["met", "answered"]
    assert told(who) == ["answered"]
    assert told(provider) == []
    assert verbs(request) == [f"demand.request.{deed}" for deed in ("stated", "followed", "answered", "met")]


def test_nobody_follows_pledges_for_or_answers_its_own_request() -> None:
    who = market.party(buyer=True, provider=True)
    request = stated(who)
    for deed in (
        lambda: service.follow(who, request.id),
        lambda: service.pledge(who, request.id, 1000),
        lambda: service.answer(who, request.id, teaser()),
    ):
        with pytest.raises(OwnRequest), transaction():
            deed()
    assert verbs(request) == ["demand.request.stated"]
    assert db.session.scalars(select(RequestFollower)).all() == []


def test_pledges_are_shown_when_enough_organizations_stand_behind_them_and_behind_each_change() -> None:
    request, backers = stated(market.buyer()), [market.buyer() for _ in range(6)]
    for backer in backers[:2]:
        pledged(backer, request, 100_000)
        assert showing.request(request)["pledges"] is None
    pledged(backers[2], request, 50_000)
    first = showing.request(request)["pledges"]
    assert (first["organizations"], first["amount_yen"]) == (3, 250_000)
    pledged(backers[3], request, 7_777)
    pledged(backers[0], request, 1)
    assert showing.request(request)["pledges"] == first, "two changed: their difference would tell too much"
    pledged(backers[4], request, 1_000)
    second = showing.request(request)["pledges"]
    assert (second["organizations"], second["amount_yen"]) == (5, 100_000 + 50_000 + 7_777 + 1 + 1_000)
    assert showing.request(request, backers[3])["standing"]["pledge_yen"] == 7_777
    for backer in backers[:3]:
        with transaction():
            service.withdraw_pledge(backer, request.id)
    assert showing.request(request)["pledges"] is None
    with transaction():
        service.unfollow(backers[0], request.id)
    assert not showing.request(request, backers[0])["standing"]["follows"]
    assert showing.request(request)["followers"] == 4


def test_a_pledge_said_again_changes_nothing_and_none_is_taken_of_nothing() -> None:
    request, backer = stated(market.buyer()), market.buyer()
    pledged(backer, request, 5_000)
    pledged(backer, request, 5_000)
    assert verbs(request) == ["demand.request.stated", "demand.request.followed", "demand.request.pledged"]
    for amount_yen in (0, -1, 10**12):
        with pytest.raises(Invalid), transaction():
            service.pledge(backer, request.id, amount_yen)
    assert db.session.scalars(select(RequestPledge.amount_yen)).all() == [5_000]


def test_the_price_of_a_quote_is_for_its_two_sides() -> None:
    who, provider, other = market.buyer(), market.seller(), market.buyer()
    request = stated(who)
    quote = AnswerDraft(AnswerKind.QUOTE, "月額", 120_000, clock.today() + timedelta(days=30))
    with transaction():
        demanding.answer(provider, request.id, quote)
    seen = {name: queries.list_answers(request, reader)[0]["amount_yen"] for name, reader in (
        ("requester", who), ("provider", provider), ("other", other), ("nobody", None),
        ("operator", market.party(operator=True)),
    )}  # fmt: skip
    assert seen == {"requester": 120_000, "provider": 120_000, "other": None, "nobody": None, "operator": 120_000}


def test_a_listing_is_a_dataset_of_ones_own_that_the_public_sees() -> None:
    on, request = market.listed(), stated(market.buyer())
    own = AnswerDraft(AnswerKind.LISTING, dataset_id=on.dataset_id)
    someone = market.seller()
    with pytest.raises(Invalid), transaction():
        service.answer(someone, request.id, own)
    assert queries.get_request(request.id).state == "open"
    with transaction():
        service.answer(on.provider, request.id, own)
    with pytest.raises(AnsweredAlready), transaction():
        service.answer(on.provider, request.id, own)
    [answer] = queries.list_answers(request)
    assert answer["dataset_title_ja"].startswith("大通地区の人流データ")
    with transaction():
        service.withdraw_answer(on.provider, request.id, answer["id"])
    with transaction():
        service.answer(on.provider, request.id, own)
    someone = market.seller()
    with pytest.raises(NotFound), transaction():
        service.withdraw_answer(someone, request.id, queries.list_answers(request)[0]["id"])


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        (AnswerDraft(AnswerKind.TEASER, " "), "/words"),
        (AnswerDraft(AnswerKind.TEASER, "要旨", amount_yen=1), "/amount_yen"),
        (AnswerDraft(AnswerKind.QUOTE, "見積り", valid_until=clock.today()), "/amount_yen"),
        (AnswerDraft(AnswerKind.QUOTE, "見積り", 1, clock.today() - timedelta(days=2)), "/valid_until"),
        (AnswerDraft(AnswerKind.LISTING, "掲載"), "/dataset_id"),
    ],
)
def test_an_answer_holds_what_its_kind_needs(wrong: AnswerDraft, pointer: str) -> None:
    request = stated(market.buyer())
    someone = market.seller()
    with pytest.raises(Invalid) as refused, transaction():
        service.answer(someone, request.id, wrong)
    assert [error["pointer"] for error in refused.value.errors] == [pointer]


def test_alike_requests_are_merged_with_all_that_hangs_on_them() -> None:
    first, second = market.buyer(), market.buyer()
    one, into = stated(first), stated(second)
    both, mine = market.buyer(), market.buyer()
    on = market.listed()
    listing = AnswerDraft(AnswerKind.LISTING, dataset_id=on.dataset_id)
    pledged(both, one, 300)
    pledged(both, into, 200)
    pledged(mine, one, 100)
    pledged(second, one, 50)
    with transaction():
        service.answer(on.provider, one.id, teaser())
        service.answer(on.provider, one.id, listing)
        service.answer(on.provider, into.id, listing)
    someone = market.buyer()
    with pytest.raises(NotFound), transaction():
        service.merge(someone, one.id, into.id, lambda _request: None)
    with transaction():
        demanding.merge(first, one.id, into.id)
    held = db.session.execute(select(RequestPledge.request_id, RequestPledge.organization_id, RequestPledge.amount_yen))
    expected = {(into.id, both.organization_id, 300), (into.id, mine.organization_id, 100)}
    assert {tuple(row) for row in held} == expected
    assert queries.list_followers(into) == sorted(
        {second.organization_id, first.organization_id, both.organization_id, mine.organization_id}
    )
    assert [answer["kind"] for answer in queries.list_answers(into)] == ["teaser", "listing"]
    assert (one.state, one.merged_into_id, into.state) == ("merged", into.id, "answered")
    assert (told(both), told(first), told(second)) == (["merged"], [], ["merged"])
    someone = market.buyer()
    with pytest.raises(RequestEnded) as refused, transaction():
        service.follow(someone, one.id)
    assert refused.value.members == {"merged_into_id": into.id}


def test_the_operator_merges_and_closes_what_is_not_its_own() -> None:
    operator, who, follower = market.party(operator=True), market.buyer(), market.buyer()
    one, into = stated(who), stated(market.buyer())
    with pytest.raises(Invalid), transaction():
        demanding.merge(operator, one.id, one.id)
    with transaction():
        demanding.merge(operator, one.id, into.id)
        service.follow(follower, into.id)
    with transaction():
        demanding.close(operator, into.id, "利用規約に反するため")
    with pytest.raises(NotFound):
        queries.get_request(into.id, follower)
    assert queries.get_request(into.id, Actor(into.organization_id)).closing_words == "利用規約に反するため"
    assert queries.list_requests(queries.RequestFilter(state=RequestState.CLOSED)).items == []
    assert told(follower) == ["closed"]


def test_strangers_end_no_request() -> None:
    request, stranger = stated(market.buyer()), market.buyer()
    for deed in (lambda: demanding.meet(stranger, request.id), lambda: demanding.close(stranger, request.id, "")):
        with pytest.raises(NotFound), transaction():
            deed()
    assert queries.get_request(request.id).state == "open"


def test_a_request_expires_the_day_after_its_deadline_and_takes_nothing_more(app: Flask) -> None:
    who, follower = market.buyer(), market.buyer()
    request = stated(who, deadline=clock.today() + timedelta(days=2))
    with transaction():
        service.follow(follower, request.id)
    with clock.stopped(clock.now() + timedelta(days=2)):
        demanding.expire()
        assert queries.get_request(request.id).state == "open"
    with clock.stopped(clock.now() + timedelta(days=3)):
        demanding.expire()
        demanding.expire()
    db.session.expire_all()
    assert queries.get_request(request.id).state == "expired"
    assert (told(who), told(follower)) == (["expired"], ["expired"])
    assert len(db.session.scalars(select(RequestNotice)).all()) == 2
    provider = market.seller()
    for deed in (
        lambda: service.pledge(follower, request.id, 1),
        lambda: service.answer(provider, request.id, teaser()),
        lambda: service.meet(who, request.id),
    ):
        with pytest.raises(RequestEnded), transaction():
            deed()


def test_an_answer_that_met_a_request_is_marked() -> None:
    who = market.buyer()
    request, other = stated(who), stated(who)
    someone = market.seller()
    with transaction():
        _request, answer = demanding.answer(someone, request.id, teaser())
    with pytest.raises(NotFound), transaction():
        demanding.meet(who, other.id, answer.id)
    with transaction():
        demanding.meet(who, request.id, answer.id)
    assert queries.list_answers(request)[0]["chosen_at"] is not None
    assert [one.state for one in queries.list_own(who).items] == ["open", "met"]


def test_likeness_and_bands_and_rounding() -> None:
    assert (rules.likeness([], []), rules.likeness(["a"], ["a"]), rules.likeness(["a", "b"], ["b", "c"])) == (
        0,
        100,
        50,
    )
    assert [rules.band(count) for count in (4, 5, 9, 10, 1234)] == [0, 5, 5, 10, 1000]
    assert [rules.rounded(yen) for yen in (7, 99, 104, 105, 12_345, 995)] == [7, 99, 100, 110, 12_000, 1000]
