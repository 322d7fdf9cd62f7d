"""The gate before publication: what is found stops a release until people have answered for it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Barrier, Thread

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.catalog import queries as catalog
from marketplace.catalog import service
from marketplace.catalog.errors import ReleaseSealed
from marketplace.catalog.models import File
from marketplace.exchange import gate, listing
from marketplace.identity.actors import Actor
from marketplace.identity.overrides.errors import PersonNeeded, SamePerson
from marketplace.kit import jobs, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.settings import Settings
from marketplace.kit.transaction import transaction
from marketplace.licensing import service as licensing
from marketplace.licensing.rules import TermsDraft
from marketplace.privacy import queries
from marketplace.privacy import service as privacy
from marketplace.privacy.assessments.errors import AssessmentMissing
from marketplace.privacy.assessments.states import Depth
from marketplace.privacy.detectors import Kind, Level
from marketplace.privacy.errors import (
    AnonymisationUnpublished,
    BasisMissing,
    FindingSettled,
    FindingsTooMany,
    FindingsUnanswered,
    InspectionPending,
    MyNumberFound,
    PrivacyClassNotListable,
    RowsTooUnique,
)
from marketplace.privacy.models import PrivacyFinding
from marketplace.privacy.rules import StatementDraft
from marketplace.privacy.service import Looked
from marketplace.privacy.states import Answer, FindingState, PrivacyClass
from tests.factories import market
from tests.factories.oversight import in_person
from tests.factories.privacy import CONSENTED, PUBLISHED, assessed, drafted, finding

REASON = "店舗の代表者として公表済みの氏名である。"


@pytest.fixture
def admitted(app: Flask) -> Iterator[None]:
    """An exchange that admits offers of personal information."""
    before = settings.current()
    settings.install(replace(app.config["MUSUBI_SETTINGS"], personal_data_offers=True))
    yield
    settings.install(before)


@pytest.fixture
def strict(app: Flask) -> Iterator[None]:
    """An exchange that asks for an answer where a file cannot be read, as it does by default."""
    before = settings.current()
    settings.install(replace(app.config["MUSUBI_SETTINGS"], unread_files=Settings().unread_files))
    yield
    settings.install(before)


def only_finding(file: File) -> PrivacyFinding:
    return queries.findings_of(file.release_id)[0]


def answered(actor: Actor, one: PrivacyFinding, said: Answer = Answer.FALSE_ALARM) -> PrivacyFinding:
    with transaction():
        return gate.answer(actor, one.id, one.sha256, said, REASON)


def refuses_to_publish(actor: Actor, release_id: str, refusal: type[Exception]) -> Exception:
    with pytest.raises(refusal) as caught, transaction():
        listing.publish(actor, release_id)
    assert catalog.get_release(release_id).state == "draft"
    return caught.value


def verbs_of(subject: str) -> list[str]:
    return list(db.session.scalars(select(Entry.verb).where(Entry.subject == subject).order_by(Entry.id)))


def test_a_clean_file_passes(app: Flask) -> None:
    on = market.listed()
    file = drafted(on.provider, on.dataset_id)
    with transaction():
        assert listing.publish(on.provider, file.release_id).state == "published"


def test_a_file_that_nobody_looked_through_is_not_published(app: Flask) -> None:
    on = market.listed()
    stored = listing.receive([b"a,b\n1,2\n"], None, None)
    with transaction():
        release = service.open_release(on.provider, on.dataset_id, "新版")
        file = listing.attach(on.provider, release.id, "a.csv", "text/csv", stored)
        service.record_profile(
            file.id, {"format": "csv", "delimiter": ",", "columns": []}, market.ProfileState.PROFILED
        )
    refuses_to_publish(on.provider, release.id, InspectionPending)
    gate.inspect_left()
    jobs.run_pending("privacy.inspect")
    with transaction():
        assert listing.publish(on.provider, release.id).state == "published"
    gate.inspect(file.id)
    assert verbs_of(file.id).count(Verb.FILE_INSPECTED) == 1


def test_the_job_looks_through_what_it_profiles_in_one_transaction(app: Flask) -> None:
    on = market.listed()
    people = "氏名,電話番号\n佐藤 花子,090-1234-5678\n鈴木 一郎,080-2345-6789\n".encode()
    stored = listing.receive([people], None, None)
    with transaction():
        release = service.open_release(on.provider, on.dataset_id, "名簿")
        file = listing.attach(on.provider, release.id, "名簿.csv", "text/csv", stored)
    jobs.run_pending("catalog.profile")
    assert {one.kind for one in queries.findings_of(release.id)} == {Kind.NAME, Kind.TELEPHONE}
    told = refuses_to_publish(on.provider, release.id, FindingsUnanswered).members["findings"]
    assert [one["file_id"] for one in told] == [file.id, file.id]
    assert "佐藤" not in str(db.session.scalars(select(Entry.facts).where(Entry.subject == file.id)).all())
    assert [(one.name, one.place) for one in queries.columns_found([file.id])[file.id]] == [
        ("氏名", 1),
        ("電話番号", 2),
    ]


def test_my_numbers_block_the_file_and_its_bytes_wherever_they_come_again(app: Flask) -> None:
    on, content = market.listed(), b"number\n1\n"
    stored = listing.receive([content], None, None)
    file = drafted(on.provider, on.dataset_id, finding(Level.BLOCKED, Kind.MY_NUMBER), content=content)
    refuses_to_publish(on.provider, file.release_id, MyNumberFound)
    with pytest.raises(FindingSettled):
        answered(in_person(on.provider), only_finding(file))
    other = market.listed()
    with transaction():
        release_id = service.open_release(other.provider, other.dataset_id, "再送").id
    with pytest.raises(MyNumberFound), transaction():
        listing.attach(other.provider, release_id, "別名.csv", "text/csv", stored)
    assert catalog.count_files(release_id) == 0


def test_a_medium_finding_takes_the_answer_of_one_person_with_a_reason(app: Flask) -> None:
    on = market.listed()
    file = drafted(on.provider, on.dataset_id, finding(Level.MEDIUM))
    one = only_finding(file)
    with pytest.raises(PersonNeeded):
        answered(on.provider, one)
    with pytest.raises(Invalid), transaction():
        gate.answer(in_person(on.provider), one.id, one.sha256, Answer.FALSE_ALARM, " ")
    with pytest.raises(FindingSettled), transaction():
        gate.answer(in_person(on.provider), one.id, "0" * 64, Answer.FALSE_ALARM, REASON)
    assert only_finding(file).state == FindingState.OPEN
    assert answered(in_person(on.provider), one).state == FindingState.SETTLED
    with pytest.raises(FindingSettled):
        answered(in_person(on.provider), one)
    with transaction():
        assert listing.publish(on.provider, file.release_id).state == "published"
    facts = db.session.scalar(select(Entry.facts).where(Entry.subject == one.id, Entry.verb == Verb.FINDING_ANSWERED))
    assert REASON not in str(facts)


@pytest.mark.parametrize("of_the_operator", [True, False])
def test_a_high_finding_takes_a_second_person_of_the_provider_or_of_the_operator(
    app: Flask, of_the_operator: bool
) -> None:
    on = market.listed()
    file = drafted(on.provider, on.dataset_id, finding())
    first = in_person(on.provider)
    one = answered(first, only_finding(file))
    assert one.state == FindingState.ANSWERED
    refuses_to_publish(on.provider, file.release_id, FindingsUnanswered)
    operator = market.party(operator=True)
    with transaction():
        elsewhere = in_person(operator, str(one.answered_by_person))
        second = in_person(operator if of_the_operator else on.provider)
    for wrong, refusal in (
        (first, SamePerson),
        (elsewhere, SamePerson),
        (on.provider, PersonNeeded),
    ):
        with pytest.raises(refusal), transaction():
            gate.second(wrong, one.id, agrees=True)
    with transaction():
        assert gate.second(second, one.id, agrees=True).state == FindingState.SETTLED
    with transaction():
        assert listing.publish(on.provider, file.release_id).state == "published"
    assert verbs_of(one.id) == [Verb.FINDING_ANSWERED, Verb.FINDING_SECONDED]


def test_an_answer_that_a_second_person_does_not_share_is_open_again(app: Flask) -> None:
    on = market.listed()
    file = drafted(on.provider, on.dataset_id, finding())
    one = answered(in_person(on.provider), only_finding(file))
    with transaction():
        again = gate.second(in_person(on.provider), one.id, agrees=False)
    assert (again.state, again.answer, again.reason) == (FindingState.OPEN, None, None)
    with pytest.raises(FindingSettled), transaction():
        gate.second(in_person(on.provider), one.id, agrees=True)


def test_no_high_finding_settles_by_one_person_even_by_hand(app: Flask) -> None:
    on = market.listed()
    one = answered(in_person(on.provider), only_finding(drafted(on.provider, on.dataset_id, finding())))
    with pytest.raises(IntegrityError), db.session.begin_nested():
        db.session.execute(
            text(
                "UPDATE privacy_finding SET state = 'settled', seconded_by_person = answered_by_person WHERE id = :id"
            ),
            {"id": one.id},
        )


def test_findings_of_others_are_not_there(app: Flask) -> None:
    on, rival = market.listed(), in_person(market.seller())
    file = drafted(on.provider, on.dataset_id, finding())
    one = answered(in_person(on.provider), only_finding(file))
    for deed in (
        lambda: gate.answer(rival, one.id, one.sha256, Answer.FALSE_ALARM, REASON),
        lambda: gate.second(rival, one.id, agrees=True),
        lambda: gate.remove_file(rival, file.release_id, file.name),
        lambda: gate.state(rival, on.dataset_id, PUBLISHED),
        lambda: queries.get_visible_finding(rival, one.id),
    ):
        with pytest.raises(NotFound), transaction():
            deed()
    operator = in_person(market.party(operator=True))
    with pytest.raises(NotFound), transaction():
        gate.answer(operator, one.id, one.sha256, Answer.FALSE_ALARM, REASON)
    assert queries.list_findings(rival).items == []
    assert len(queries.list_findings(on.provider, state=FindingState.ANSWERED, level=Level.HIGH).items) == 1


def test_a_note_asks_for_nothing_and_too_much_can_never_be_answered(app: Flask) -> None:
    on = market.listed()
    noted = drafted(on.provider, on.dataset_id, finding(Level.NOTE))
    with pytest.raises(FindingSettled):
        answered(in_person(on.provider), only_finding(noted))
    with transaction():
        listing.publish(on.provider, noted.release_id)
    stored = listing.receive([b"x\n1\n"], None, None)
    with transaction():
        release = service.open_release(on.provider, on.dataset_id, "多")
        file = listing.attach(on.provider, release.id, "a.csv", "text/csv", stored)
        service.record_profile(file.id, {}, market.ProfileState.PROFILED)
        privacy.record_inspection(file.id, Looked((), 600, 1, "too-many-findings"), unread=Level.NOTE)
    refuses_to_publish(on.provider, release.id, FindingsTooMany)


def test_a_file_that_cannot_be_read_waits_for_a_person_unless_the_exchange_lets_it_pass(
    app: Flask, strict: None
) -> None:
    on = market.listed()
    stored = listing.receive([b"%PDF-1.7\n\x00\xe2\xe3scanned"], None, None)
    with transaction():
        release = service.open_release(on.provider, on.dataset_id, "紙")
        listing.attach(on.provider, release.id, "a.pdf", "application/pdf", stored)
    jobs.run_pending("catalog.profile")
    refuses_to_publish(on.provider, release.id, FindingsUnanswered)
    (one,) = queries.findings_of(release.id)
    assert (one.kind, one.level) == (Kind.UNREAD, Level.MEDIUM)
    answered(in_person(on.provider), one)
    with transaction():
        assert listing.publish(on.provider, release.id).state == "published"


def test_removing_a_file_from_a_draft_frees_its_name_and_takes_its_findings(app: Flask) -> None:
    on = market.listed()
    file = drafted(on.provider, on.dataset_id, finding())
    file_id, release_id = file.id, file.release_id
    with transaction():
        gate.remove_file(on.provider, release_id, "a.csv")
    assert queries.findings_of(release_id) == []
    assert verbs_of(file_id)[-1] == Verb.FILE_REMOVED
    with pytest.raises(NotFound), transaction():
        gate.remove_file(on.provider, release_id, "a.csv")
    with pytest.raises(ReleaseSealed), transaction():
        gate.remove_file(on.provider, on.release_id, market.NAME)
    stored = listing.receive([b"x\n1\n"], None, None)
    with transaction():
        listing.attach(on.provider, release_id, "a.csv", "text/csv", stored)


def test_jobs_for_files_that_are_gone_end_quietly(app: Flask) -> None:
    for job in (gate.inspect, gate.measure, listing.profile):
        job("fil_none")


def test_of_an_answer_and_a_replacement_at_once_the_new_file_inherits_nothing(own_database: Flask) -> None:
    on = market.listed()
    person = in_person(on.provider)
    for _round in range(4):
        file = drafted(on.provider, on.dataset_id, finding(Level.MEDIUM))
        db.session.commit()
        one, release_id, sha256 = only_finding(file).id, file.release_id, file.sha256
        db.session.commit()
        start, told = Barrier(2), []

        def raced(deed: Callable[[], object], start: Barrier = start, told: list[str] = told) -> None:
            with own_database.app_context():
                start.wait()
                try:
                    with transaction():
                        deed()
                except NotFound:
                    told.append("too late")

        def replace_it(release_id: str = release_id, sha256: str = sha256) -> None:
            gate.remove_file(on.provider, release_id, "a.csv")
            stored = listing.receive([sha256.encode()], None, None)
            new = listing.attach(on.provider, release_id, "a.csv", "text/csv", stored)
            service.record_profile(new.id, {"columns": []}, market.ProfileState.PROFILED)
            privacy.record_inspection(new.id, Looked((finding(Level.MEDIUM),), 1, 1))

        def answer_it(one: str = one, sha256: str = sha256) -> None:
            gate.answer(person, one, sha256, Answer.FALSE_ALARM, REASON)

        threads = [Thread(target=raced, args=(deed,)) for deed in (answer_it, replace_it)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        db.session.expire_all()
        assert told in ([], ["too late"])
        assert [left.state for left in queries.findings_of(release_id)] == [FindingState.OPEN]
        refuses_to_publish(on.provider, release_id, FindingsUnanswered)


def terms(provider: Actor, privacy_class: PrivacyClass) -> str:
    known = "その他(個人関連情報)" if privacy_class is PrivacyClass.OTHER else privacy_class.value
    document = {"template": "standard-commercial", "personal_data": known, "notices": "項目: 年代、性別。方法: 配信"}
    with transaction():
        return licensing.write_terms(provider, TermsDraft(document)).id


def offers(on: market.Listed, privacy_class: PrivacyClass) -> object:
    draft = replace(market.offer_draft(on.provider, on.dataset_id), terms_id=terms(on.provider, privacy_class))
    with transaction():
        return listing.make_offer(on.provider, draft)


def stated(on: market.Listed, draft: StatementDraft) -> None:
    with transaction():
        gate.state(on.provider, on.dataset_id, draft)


@pytest.mark.parametrize(
    "privacy_class",
    [PrivacyClass.PSEUDONYMISED, PrivacyClass.OTHER, PrivacyClass.PERSONAL, PrivacyClass.PERSONAL_SENSITIVE],
)
def test_some_classes_are_offered_to_nobody_whatever_is_stated(app: Flask, privacy_class: PrivacyClass) -> None:
    on = market.listed()
    stated(on, replace(PUBLISHED, basis="consent", basis_reference="同意書"))
    with pytest.raises(PrivacyClassNotListable):
        offers(on, privacy_class)


@pytest.mark.usefixtures("admitted")
def test_pseudonymised_data_is_refused_even_where_personal_information_is_admitted(app: Flask) -> None:
    on = market.listed()
    stated(on, CONSENTED)
    with pytest.raises(PrivacyClassNotListable):
        offers(on, PrivacyClass.PSEUDONYMISED)


@pytest.mark.parametrize("privacy_class", [PrivacyClass.ANONYMISED, PrivacyClass.DEIDENTIFIED])
def test_anonymised_data_needs_its_published_items_and_all_five_standards(
    app: Flask, privacy_class: PrivacyClass
) -> None:
    on = market.listed()
    with pytest.raises(AnonymisationUnpublished):
        offers(on, privacy_class)
    stated(on, replace(PUBLISHED, standards=PUBLISHED.standards[:4]))
    with pytest.raises(AnonymisationUnpublished):
        offers(on, privacy_class)
    stated(on, PUBLISHED)
    with pytest.raises(AssessmentMissing) as caught:
        offers(on, privacy_class)
    assert caught.value.members == {"depth": "short", "grounds": ["processed-class"]}
    assessed(on.dataset_id, Depth.SHORT)
    offers(on, privacy_class)
    assert queries.find_statement(on.dataset_id).version == 2


@pytest.mark.usefixtures("admitted")
def test_personal_information_needs_a_stated_basis(app: Flask) -> None:
    on = market.listed()
    with pytest.raises(BasisMissing):
        offers(on, PrivacyClass.PERSONAL)
    stated(on, CONSENTED)
    assessed(on.dataset_id, Depth.SHORT)
    with pytest.raises(AssessmentMissing):
        offers(on, PrivacyClass.PERSONAL)
    assessed(on.dataset_id, Depth.FULL)
    offers(on, PrivacyClass.PERSONAL)
    stated(on, CONSENTED)
    with pytest.raises(AssessmentMissing):
        offers(on, PrivacyClass.PERSONAL)


def test_what_was_answered_with_a_lawful_basis_is_not_offered_as_something_else(app: Flask) -> None:
    on = market.listed()
    answered(
        in_person(on.provider),
        only_finding(drafted(on.provider, on.dataset_id, finding(Level.MEDIUM))),
        Answer.LAWFUL_BASIS,
    )
    with pytest.raises(BasisMissing):
        offers(on, PrivacyClass.NON_PERSONAL)


@pytest.mark.parametrize(
    ("draft", "pointer"),
    [
        (StatementDraft(basis="hope", basis_reference="願望"), "/basis"),
        (StatementDraft(basis="law"), "/basis_reference"),
        (StatementDraft(standards=("all",)), "/standards"),
        (StatementDraft(items=("a", "a"), method_ja="a", method_en="a"), "/items"),
        (StatementDraft(items=("a",), method_en="a"), "/method_ja"),
        (StatementDraft(quasi_identifiers=("",)), "/quasi_identifiers"),
        (StatementDraft(sensitive_columns=tuple(map(str, range(21)))), "/sensitive_columns"),
        (StatementDraft(method_ja="あ" * 2_001), "/method_ja"),
    ],
)
def test_a_statement_that_says_nothing_clear_is_refused(app: Flask, draft: StatementDraft, pointer: str) -> None:
    on = market.listed()
    with pytest.raises(Invalid) as caught:
        stated(on, draft)
    assert [error["pointer"] for error in caught.value.errors] == [pointer]
    assert queries.find_statement(on.dataset_id) is None


def test_rows_that_are_too_unique_hold_a_release_back_until_they_are_generalised(app: Flask) -> None:
    on = market.listed()
    stated(on, StatementDraft(quasi_identifiers=("年代",), sensitive_columns=("病名",)))
    assessed(on.dataset_id, Depth.SHORT)
    release = {}
    for label, content in (
        ("細", "年代,病名\n30代,風邪\n40代,風邪\n"),
        ("粗", "年代,病名\n" + "成人,風邪\n成人,骨折\n" * 2),
    ):
        stored = listing.receive([content.encode()], None, None)
        with transaction():
            release[label] = service.open_release(on.provider, on.dataset_id, label).id
            listing.attach(on.provider, release[label], "a.csv", "text/csv", stored)
        jobs.run_pending("catalog.profile")
        refuses_to_publish(on.provider, release[label], RowsTooUnique)
        jobs.run_pending("privacy.measure")
    (figures,) = refuses_to_publish(on.provider, release["細"], RowsTooUnique).members["files"]
    assert (figures["alike"]["k"], figures["alike"]["unique_mille"], figures["alike"]["l"]) == (1, 1000, {"病名": 1})
    with transaction():
        assert listing.publish(on.provider, release["粗"]).state == "published"
    stated(on, StatementDraft(quasi_identifiers=("年代", "病名")))
    jobs.run_pending("privacy.measure")
    refuses_to_publish(on.provider, release["細"], AssessmentMissing)
    assessed(on.dataset_id, Depth.SHORT)
    assert refuses_to_publish(on.provider, release["細"], RowsTooUnique).members["files"][0]["alike"]["version"] == 2
