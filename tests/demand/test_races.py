"""Many at one request at once, decided by its row: no pledge is lost, nobody follows what was merged away."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

from flask import Flask
from sqlalchemy import select, text

from marketplace.demand import queries, service
from marketplace.demand.errors import RequestEnded, RequestsTooMany
from marketplace.demand.models import DataRequest, RequestNotice
from marketplace.demand.rules import AnswerDraft
from marketplace.demand.states import AnswerKind
from marketplace.exchange import demanding
from marketplace.kit import settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import market
from tests.factories.demand import draft, stated

_PLEDGED = """
SELECT count(*) FILTER (WHERE amount_yen > 0), sum(amount_yen), sum(shown_yen) FROM data_request_pledge
"""


def race(app: Flask, *deeds: Callable[[], object]) -> None:
    """Do all of these at once, each in a transaction of its own."""
    gate = Barrier(len(deeds), timeout=120)

    def attempt(deed: Callable[[], object]) -> None:
        with app.app_context():
            gate.wait()
            with suppress(RequestEnded, RequestsTooMany), transaction():
                deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        list(pool.map(attempt, deeds))
    db.session.expire_all()


def test_pledges_that_come_at_once_are_all_in_the_sum_that_is_shown(own_database: Flask) -> None:
    request_id, backers = stated(market.buyer()).id, [market.buyer() for _ in range(6)]
    race(
        own_database,
        *(lambda who=who, n=n: service.pledge(who, request_id, 10**n) for n, who in enumerate(backers)),
    )
    with transaction():
        row = queries.get_request(request_id)
        # The third and the sixth to come find three pledges that were not shown before.
        assert (row.pledged_organizations, row.pledged_yen) == (6, 111_111)


def test_pledges_that_are_taken_back_while_others_come_leave_the_sum_of_those_that_stand(own_database: Flask) -> None:
    request_id, early = stated(market.buyer()).id, [market.buyer() for _ in range(3)]
    late = [market.buyer() for _ in range(3)]
    for who in early:
        with transaction():
            service.pledge(who, request_id, 1_000)
    race(
        own_database,
        *(lambda who=who: service.withdraw_pledge(who, request_id) for who in early),
        *(lambda who=who: service.pledge(who, request_id, 20_000) for who in late),
    )
    with transaction():
        row = queries.get_request(request_id)
        standing, total, shown = db.session.execute(text(_PLEDGED)).one()
        assert (standing, total) == (3, 60_000)
        # What is shown is the last step, or nothing while fewer stood; never something between.
        assert row.pledged_yen in {None, int(shown)}
        assert row.pledged_organizations is None or row.pledged_organizations >= 3


def test_whoever_follows_or_pledges_while_requests_are_merged_is_with_the_other_or_refused(own_database: Flask) -> None:
    asker = market.buyer()
    one, into = stated(asker).id, stated(market.buyer()).id
    crowd = [market.buyer() for _ in range(5)]
    race(
        own_database,
        *(lambda who=who: service.pledge(who, one, 1_000) for who in crowd),
        lambda: demanding.merge(asker, one, into),
    )
    with transaction():
        pledges = text("SELECT request_id, organization_id FROM data_request_pledge")
        pledged = {tuple(row) for row in db.session.execute(pledges)}
        followers = set(queries.list_followers(queries.get_request(into)))
        told = set(db.session.scalars(select(RequestNotice.organization_id)))
        assert {request_id for request_id, _ in pledged} <= {into}
        came = {organization_id for _, organization_id in pledged}
        assert came | {asker.organization_id} <= followers
        # Whoever was there in time was told, and whoever was not was refused.
        assert told == came


def test_of_two_who_merge_crosswise_one_is_refused(own_database: Flask) -> None:
    first, second = market.buyer(), market.buyer()
    one, other = stated(first).id, stated(second).id
    race(
        own_database,
        lambda: demanding.merge(first, one, other),
        lambda: demanding.merge(second, other, one),
    )
    with transaction():
        rows = {row.id: row for row in db.session.scalars(select(DataRequest))}
        assert sorted(row.state for row in rows.values()) == ["merged", "open"]


def test_of_two_that_close_and_answer_at_once_both_are_told_or_one_is_refused(own_database: Flask) -> None:
    asker, on = market.buyer(), market.listed()
    request_id = stated(asker).id
    listing = AnswerDraft(AnswerKind.LISTING, dataset_id=on.dataset_id)
    provider = on.provider
    race(
        own_database,
        lambda: demanding.answer(provider, request_id, listing),
        lambda: demanding.close(asker, request_id, ""),
    )
    with transaction():
        row = queries.get_request(request_id)
        answered = len(queries.list_answers(row))
        assert (row.state, answered) in {("closed", 0), ("closed", 1)}
        assert (row.answered_at is not None) == bool(answered)
        assert len(queries.list_notices(asker).items) == answered


def test_an_organization_that_states_many_at_once_has_no_more_than_it_may(own_database: Flask) -> None:
    who, most = market.buyer(), settings.current().data_requests_open_max
    with transaction():
        for _ in range(most - 1):
            service.state_request(who, draft())
    race(own_database, *(lambda: service.state_request(who, draft()) for _ in range(4)))
    with transaction():
        assert queries.count_live(who.organization_id) == most


def test_letters_are_sent_once_by_two_workers(own_database: Flask) -> None:
    asker, crowd = market.buyer(), [market.buyer() for _ in range(3)]
    request_id = stated(asker).id
    with transaction():
        for who in crowd:
            service.follow(who, request_id)
    with transaction():
        demanding.close(asker, request_id, "")
    gate = Barrier(2, timeout=120)

    def work(_n: int) -> None:
        with own_database.app_context():
            gate.wait()
            demanding.tell()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    db.session.expire_all()
    with transaction():
        assert db.session.scalars(select(RequestNotice.mailed_at).where(RequestNotice.mailed_at.is_(None))).all() == []
