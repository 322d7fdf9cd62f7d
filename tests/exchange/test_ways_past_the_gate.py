"""Each way by which data come to be published leads through the gate."""

import re
from collections.abc import Iterator
from dataclasses import replace
from threading import Barrier, Thread

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.catalog import queries as catalog
from marketplace.catalog import service
from marketplace.catalog.models import File, Release
from marketplace.catalog.sources import queries as sources
from marketplace.catalog.sources import service as pulls
from marketplace.catalog.sources.rules import SourceDraft
from marketplace.catalog.sources.states import Schedule
from marketplace.catalog.uploads.rules import UploadDraft
from marketplace.exchange import gate, listing, origins, pulling, uploading
from marketplace.exchange.origins import OriginDraft
from marketplace.identity.actors import Actor
from marketplace.kit import jobs, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Refusal
from marketplace.kit.settings import Settings
from marketplace.kit.transaction import transaction
from marketplace.privacy import queries
from marketplace.privacy.assessments.errors import AssessmentMissing
from marketplace.privacy.detectors import Kind, Level
from marketplace.privacy.errors import FindingsUnanswered, InspectionPending, MyNumberFound
from marketplace.privacy.rules import StatementDraft
from marketplace.privacy.states import Answer
from tests.factories import market
from tests.factories.oversight import in_person
from tests.factories.privacy import drafted, finding
from tests.house.project import PACKAGE
from tests.loopback import Origin, answer, reached

PEOPLE = "氏名,電話番号\n佐藤 花子,090-1234-5678\n鈴木 一郎,080-2345-6789\n".encode()
HOST = "https://93.184.216.34"


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    with reached(monkeypatch) as made:
        made.respond = answer(PEOPLE)
        yield made


@pytest.fixture
def strict(app: Flask) -> Iterator[None]:
    """An exchange that asks for an answer where a file cannot be read, as it does by default."""
    before = settings.current()
    settings.install(replace(before, unread_files=Settings().unread_files))
    yield
    settings.install(before)


def opened(on: market.Listed, label: str = "次の版") -> str:
    with transaction():
        return service.open_release(on.provider, on.dataset_id, label).id


def refused(on: market.Listed, release_id: str, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal), transaction():
        listing.publish(on.provider, release_id)
    assert catalog.get_release(release_id).state == "draft"


def put(on: market.Listed, release_id: str, content: bytes, name: str = "名簿.csv") -> None:
    stored = listing.receive([content], None, None)
    with transaction():
        listing.attach(on.provider, release_id, name, "text/csv", stored)
    jobs.run_pending("catalog.profile")


def answered(on: market.Listed, release_id: str) -> None:
    first, second = in_person(on.provider), in_person(on.provider)
    with transaction():
        for one in queries.findings_of(release_id):
            gate.answer(first, one.id, one.sha256, Answer.FALSE_ALARM, "架空の人物である")
            if one.level == Level.HIGH:
                gate.second(second, one.id, agrees=True)


def callers(deed: str) -> set[str]:
    called = re.compile(rf"(?<!def ){deed}\(")
    texts = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    return {str(path.relative_to(PACKAGE)) for path, text in texts.items() if called.search(text)}


def test_there_is_one_way_to_publication_and_each_way_of_bytes_into_a_release_asks_for_refused_ones() -> None:
    assert callers("publish_release") == {"exchange/listing.py"}
    assert "gate.require_publishable(" in (PACKAGE / "exchange" / "listing.py").read_text(encoding="utf-8")
    for ways in (callers("attach_file"), callers("declare_file")):
        assert ways
        for way in ways:
            assert "refuse_blocked(" in (PACKAGE / way).read_text(encoding="utf-8"), way
    assert callers("store.receive") == {"exchange/disposing.py"}


def test_a_new_release_of_what_is_listed_is_looked_through_anew_and_inherits_no_answer(app: Flask) -> None:
    on = market.listed()
    first = opened(on, "一")
    put(on, first, PEOPLE)
    refused(on, first, FindingsUnanswered)
    answered(on, first)
    with transaction():
        listing.publish(on.provider, first)
    same = opened(on, "二")
    put(on, same, PEOPLE)
    refused(on, same, FindingsUnanswered)
    changed = opened(on, "三")
    put(on, changed, PEOPLE.replace("電話番号".encode(), "生年月日".encode()))
    refused(on, changed, FindingsUnanswered)


def test_a_file_in_pieces_is_looked_through(app: Flask) -> None:
    on = market.listed()
    release_id = opened(on)
    with transaction():
        draft = UploadDraft(release_id, "名簿.csv", "text/csv", len(PEOPLE))
        upload_id = uploading.begin(on.provider, draft).id
    for at in range(0, len(PEOPLE), 40):
        uploading.go_on(on.provider, upload_id, at, [PEOPLE[at : at + 40]])
    with pytest.raises(Refusal), transaction():
        listing.publish(on.provider, release_id)
    jobs.run_pending("catalog.profile")
    refused(on, release_id, FindingsUnanswered)


def test_what_is_pulled_and_published_by_itself_waits_for_people(origin: Origin, app: Flask) -> None:
    on = market.listed()
    with transaction():
        wanted = SourceDraft("https://data.example.jp/a.csv", Schedule.DAILY, "名簿.csv", "text/csv", publish=True)
        pulls.set_source(on.provider, on.dataset_id, wanted)
    pulling.pull(on.dataset_id)
    jobs.run_pending("catalog.profile")
    pulling.publish_awaiting()
    found = sources.find_source(on.dataset_id)
    assert found is not None
    assert (found.problem, found.detail) == ("release", "findings-unanswered")
    states = db.session.scalars(select(Release.state).where(Release.dataset_id == on.dataset_id))
    assert sorted(states) == ["draft", "published"]


def test_refused_bytes_come_by_no_pull(origin: Origin, app: Flask) -> None:
    on, body = market.listed(), b"number\n7\n"
    drafted(on.provider, on.dataset_id, finding(Level.BLOCKED, Kind.MY_NUMBER), content=body)
    origin.respond = answer(body)
    with transaction():
        wanted = SourceDraft("https://data.example.jp/b.csv", Schedule.DAILY, "b.csv", "text/csv", publish=True)
        pulls.set_source(on.provider, on.dataset_id, wanted)
    pulling.pull(on.dataset_id)
    found = sources.find_source(on.dataset_id)
    assert found is not None
    assert (found.problem, found.detail) == ("release", "my-number-found")
    assert db.session.scalars(select(File).where(File.name == "b.csv")).all() == []


def declared(provider: Actor, release_id: str, sha256: str, name: str = "a.csv") -> None:
    origins.declare(provider, release_id, name, OriginDraft(f"{HOST}/{name}", sha256, 10, "text/csv"))


def test_a_file_that_stays_with_its_provider_is_answered_for_by_a_person(strict: None) -> None:
    on = market.listed()
    release_id = opened(on)
    declared(on.provider, release_id, "0e" * 32)
    refused(on, release_id, FindingsUnanswered)
    answered(on, release_id)
    with transaction():
        assert listing.publish(on.provider, release_id).state == "published"


def test_a_file_that_was_declared_before_is_asked_for_within_the_hour(strict: None) -> None:
    on = market.listed()
    release_id = opened(on)
    with transaction():
        service.declare_file(on.provider, release_id, "a.csv", "text/csv", "0d" * 32, 10, f"{HOST}/a.csv")
    refused(on, release_id, InspectionPending)
    gate.inspect_left()
    jobs.run_pending("privacy.inspect")
    refused(on, release_id, FindingsUnanswered)


def test_refused_bytes_are_not_declared_elsewhere(app: Flask) -> None:
    on = market.listed()
    file = drafted(on.provider, on.dataset_id, finding(Level.BLOCKED, Kind.MY_NUMBER), content=b"number\n8\n")
    release_id = opened(on)
    with pytest.raises(MyNumberFound):
        declared(on.provider, release_id, file.sha256)
    assert catalog.count_files(release_id) == 0


def test_what_has_no_file_here_is_not_offered_without_its_assessment(app: Flask) -> None:
    on = market.listed()
    with transaction():
        gate.state(on.provider, on.dataset_id, StatementDraft(quasi_identifiers=("年齢", "町")))
    draft = market.offer_draft(on.provider, on.dataset_id)
    with pytest.raises(AssessmentMissing), transaction():
        listing.make_offer(on.provider, draft)


def test_of_a_file_and_the_publication_of_its_release_at_once_no_file_slips_by(own_database: Flask) -> None:
    on = market.listed()
    for turn in range(5):
        file = drafted(on.provider, on.dataset_id, content=f"値\n{turn}\n".encode())
        release_id = file.release_id
        stored = listing.receive([PEOPLE, str(turn).encode()], None, None)
        db.session.commit()
        start = Barrier(2)

        def attach(release_id: str = release_id, stored: object = stored, start: Barrier = start) -> None:
            with own_database.app_context():
                start.wait()
                try:
                    with transaction():
                        listing.attach(on.provider, release_id, "名簿.csv", "text/csv", stored)
                except Refusal:
                    return

        def publish(release_id: str = release_id, start: Barrier = start) -> None:
            with own_database.app_context():
                start.wait()
                try:
                    with transaction():
                        listing.publish(on.provider, release_id)
                except Refusal:
                    return

        threads = [Thread(target=attach), Thread(target=publish)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        db.session.expire_all()
        is_published = catalog.get_release(release_id).state == "published"
        assert catalog.count_files(release_id) == (1 if is_published else 2)
        db.session.commit()
