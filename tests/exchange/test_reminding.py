"""Who can do what waits at the gate hears of it by letter: once, once more when it is overdue, and of what was decided."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from flask import Flask
from sqlalchemy import delete, select

from marketplace.exchange import assessing, gate, reminding
from marketplace.identity.actors import Actor
from marketplace.identity.models import Organization
from marketplace.identity.states import MemberRole
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.mail import Mail
from marketplace.kit.transaction import transaction
from marketplace.privacy import queries
from marketplace.privacy.assessments.states import AssessmentState
from marketplace.privacy.detectors import Kind, Level
from marketplace.privacy.states import Answer
from tests.factories import market
from tests.factories.identity import MemberFactory, PersonFactory
from tests.factories.oversight import in_person
from tests.factories.privacy import CONSENTED, assessed, drafted, finding

WEEK = timedelta(days=7, minutes=1)


def member(who: Actor, role: MemberRole) -> str:
    """The address of a new member in a role."""
    address = f"{role.value}-{PersonFactory().id}@example.jp"
    with transaction():
        organization = db.session.get_one(Organization, who.organization_id)
        MemberFactory(organization=organization, role=role.value, email=address)
    return address


def letters() -> list[tuple[str, str]]:
    """To whom and under which subject something was written since the last time, in no order."""
    rows = db.session.execute(select(Mail.recipient, Mail.subject, Mail.body)).all()
    for row in rows:
        assert "氏名" not in row.body
        assert "/organization/" in row.body
    db.session.execute(delete(Mail))
    db.session.commit()
    return sorted((row.recipient, row.subject.split(" / ")[0]) for row in rows)


@pytest.fixture
def operator(app: Flask) -> Actor:
    return market.party(operator=True)


def told() -> list[tuple[str, str]]:
    reminding.remind()
    return letters()


def test_findings_are_told_to_editors_once_and_again_when_they_are_overdue(app: Flask, operator: Actor) -> None:
    on = market.listed()
    editor, reviewer = member(on.provider, MemberRole.CATALOGUE_EDITOR), member(operator, MemberRole.REVIEWER)
    member(on.provider, MemberRole.FINANCE)
    drafted(on.provider, on.dataset_id, finding(Level.MEDIUM))
    assert told() == [(editor, "検出結果が回答を待っています")]
    assert told() == []
    with clock.stopped(clock.now() + WEEK):
        assert told() == [(editor, "【期限超過】検出結果が回答を待っています")]
        assert told() == []
    assert reviewer


def test_what_takes_a_second_person_goes_to_the_operator_where_the_provider_has_none(
    app: Flask, operator: Actor
) -> None:
    on = market.listed()
    editor, reviewer = member(on.provider, MemberRole.CATALOGUE_EDITOR), member(operator, MemberRole.REVIEWER)
    file = drafted(on.provider, on.dataset_id, finding(Level.HIGH))
    told()
    one = queries.findings_of(file.release_id)[0]
    with transaction():
        gate.answer(in_person(on.provider), one.id, one.sha256, Answer.FALSE_ALARM, "店舗の名簿")
    waits = "検出結果への回答が二人目の確認を待っています"
    assert told() == sorted([(editor, waits), (reviewer, waits)])
    with transaction():
        gate.second(in_person(operator), one.id, agrees=False)
    assert letters() == [(editor, "検出結果への回答が差し戻されました")]
    with transaction():
        gate.answer(in_person(on.provider), one.id, one.sha256, Answer.FALSE_ALARM, "店舗の名簿")
    with transaction():
        gate.second(in_person(operator), one.id, agrees=True)
    assert letters() == [(editor, "検出結果はすべて確認され、版を公開できます")]


def test_a_refused_file_is_told_to_its_provider_once(app: Flask, operator: Actor) -> None:
    on = market.listed()
    editor = member(on.provider, MemberRole.CATALOGUE_EDITOR)
    drafted(on.provider, on.dataset_id, finding(Level.BLOCKED, Kind.MY_NUMBER))
    assert told() == [(editor, "マイナンバーを含むファイルを受け付けませんでした")]
    with clock.stopped(clock.now() + WEEK):
        assert told() == []


def test_assessments_are_told_to_reviewers_and_decisions_to_the_provider(app: Flask, operator: Actor) -> None:
    on, buyer = market.listed(), market.buyer()
    with transaction():
        gate.state(on.provider, on.dataset_id, CONSENTED)
    editor, reviewer = member(on.provider, MemberRole.CATALOGUE_EDITOR), member(operator, MemberRole.REVIEWER)
    made, judge = assessed(on.dataset_id, state=AssessmentState.SUBMITTED), in_person(operator)
    assert told() == [(reviewer, "プライバシー影響評価が審査を待っています")]
    with clock.stopped(clock.now() + WEEK):
        assert told() == [(reviewer, "【期限超過】プライバシー影響評価が審査を待っています")]
    with transaction():
        assessing.review(judge, made, approves=True, note="妥当である。")
    assert letters() == [(editor, "プライバシー影響評価が審査を通り、意見申出期間に入りました")]
    with transaction():
        assessing.object_to(buyer, made, "再識別が心配である。")
    with transaction():
        assessing.object_to(buyer, made, "もう一度")
    opposed = "プライバシー影響評価に意見が申し出られました"
    assert letters() == sorted([(editor, opposed), (reviewer, opposed)])
    with clock.stopped(clock.now() + timedelta(days=settings.current().assessment_objection_days)):
        assert told() == [(reviewer, "プライバシー影響評価が結論を待っています")]


def test_what_nobody_objected_to_is_told_as_accepted(app: Flask, operator: Actor) -> None:
    on = market.listed()
    editor = member(on.provider, MemberRole.CATALOGUE_EDITOR)
    assessed(on.dataset_id, state=AssessmentState.OBJECTION)
    with clock.stopped(clock.now() + timedelta(days=15)):
        assert told() == []
        assessing.conclude_unopposed()
        assert letters() == [(editor, "プライバシー影響評価が承認されました")]


def test_of_two_workers_at_once_one_tells(own_database: Flask) -> None:
    on = market.listed()
    member(on.provider, MemberRole.CATALOGUE_EDITOR)
    drafted(on.provider, on.dataset_id, finding(Level.MEDIUM))
    db.session.commit()
    start = Barrier(2)

    def run() -> None:
        with own_database.app_context():
            start.wait()
            reminding.remind()

    threads = [Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(letters()) == 1
