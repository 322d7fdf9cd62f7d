"""Impact assessments: needed by what is stated, made by the provider, signed by somebody else, open to objections."""

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.exchange import assessing, gate
from marketplace.identity.actors import Actor
from marketplace.identity.overrides.errors import PersonNeeded, SamePerson
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.transaction import transaction
from marketplace.privacy.assessments import queries, rules, service
from marketplace.privacy.assessments.errors import (
    AssessmentElsewhere,
    AssessmentIncomplete,
    AssessmentOpen,
    AssessmentUnneeded,
    ObjectionsUnanswered,
)
from marketplace.privacy.assessments.questions import questions
from marketplace.privacy.assessments.rules import Signs
from marketplace.privacy.assessments.states import MOVES, AssessmentState, Depth
from marketplace.privacy.errors import PrivacyClassNotListable
from marketplace.privacy.rules import StatementDraft
from marketplace.privacy.states import PrivacyClass
from tests.factories import market
from tests.factories.oversight import in_person
from tests.factories.privacy import CONSENTED, assessed

PERSONAL = PrivacyClass.PERSONAL
NOTE = "妥当である。"
NOBODY = Actor("org_none")


@pytest.mark.parametrize(
    ("signs", "depth", "grounds"),
    [
        (Signs(PrivacyClass.NON_PERSONAL), Depth.NONE, ()),
        (Signs(PrivacyClass.NON_PERSONAL, has_quasi_identifiers=True), Depth.SHORT, ("quasi-identifiers",)),
        (Signs(PrivacyClass.ANONYMISED), Depth.SHORT, ("processed-class",)),
        (Signs(PrivacyClass.NON_PERSONAL, has_lawful_basis=True), Depth.FULL, ("lawful-basis",)),
        (
            Signs(PrivacyClass.PERSONAL_SENSITIVE, has_quasi_identifiers=True),
            Depth.FULL,
            ("personal-class", "quasi-identifiers"),
        ),
    ],
)
def test_the_threshold_says_how_deep_and_why(signs: Signs, depth: Depth, grounds: tuple[str, ...]) -> None:
    assert rules.threshold(signs) == (depth, grounds)


def test_questions_grow_with_the_depth_and_are_put_in_both_languages() -> None:
    asked = {depth: questions(depth, PrivacyClass.ANONYMISED) for depth in Depth}
    assert [len(asked[depth]) for depth in Depth] == [0, 8, 16]
    assert len(questions(Depth.FULL, PrivacyClass.PERSONAL_SENSITIVE)) == 15
    for one in asked[Depth.FULL]:
        assert one.ja
        assert one.en.isascii()
    assert len({one.code for one in asked[Depth.FULL]}) == 16


def test_a_final_state_leads_nowhere() -> None:
    assert {state for state, moves in MOVES.items() if not moves} == {
        AssessmentState.ACCEPTED,
        AssessmentState.REJECTED,
    }


@pytest.fixture
def on(app: Flask) -> market.Listed:
    made = market.listed()
    with transaction():
        gate.state(made.provider, made.dataset_id, CONSENTED)
    return made


@pytest.fixture
def author(on: market.Listed) -> Actor:
    with transaction():
        return in_person(on.provider)


@pytest.fixture
def reviewer(app: Flask) -> Actor:
    operator = market.party(operator=True)
    with transaction():
        return in_person(operator)


def done(deed: Callable[[], object]) -> object:
    with transaction():
        return deed()


def refused(refusal: type[Exception], deed: Callable[[], object]) -> Exception:
    with pytest.raises(refusal) as caught, transaction():
        deed()
    return caught.value


def begun(on: market.Listed) -> str:
    with transaction():
        return assessing.begin(on.provider, on.dataset_id, PERSONAL).id


def submitted(on: market.Listed, author: Actor) -> str:
    made = begun(on)
    answers = {one.code: "該当する措置を講じた。" for one in questions(Depth.FULL, PERSONAL)}
    done(lambda: assessing.write(author, made, answers, "影響は小さい。", "The impact is small."))
    done(lambda: assessing.submit(author, made))
    return made


def state_of(assessment_id: str) -> str:
    return queries.get_locked(assessment_id).state


def test_an_assessment_goes_from_its_draft_to_acceptance_when_nobody_objects(
    on: market.Listed, author: Actor, reviewer: Actor
) -> None:
    made = submitted(on, author)
    done(lambda: service.review(reviewer, made, approves=True, note=NOTE))
    assert not queries.is_covered(on.dataset_id, Depth.FULL)
    assessing.conclude_unopposed()
    assert state_of(made) == AssessmentState.OBJECTION
    with clock.stopped(clock.now() + timedelta(days=settings.current().assessment_objection_days)):
        refused(AssessmentElsewhere, lambda: assessing.object_to(NOBODY, made, "遅い"))
        assessing.conclude_unopposed()
    assert state_of(made) == AssessmentState.ACCEPTED
    assert queries.is_covered(on.dataset_id, Depth.FULL)
    verbs = db.session.scalars(select(Entry.verb).where(Entry.subject == made).order_by(Entry.id)).all()
    assert verbs == [
        Verb.ASSESSMENT_OPENED,
        Verb.ASSESSMENT_SUBMITTED,
        Verb.ASSESSMENT_REVIEWED,
        Verb.ASSESSMENT_CONCLUDED,
    ]
    assert NOTE not in str(db.session.scalars(select(Entry.facts).where(Entry.subject == made)).all())


def test_what_is_stated_anew_is_assessed_anew(on: market.Listed) -> None:
    assessed(on.dataset_id)
    assert queries.is_covered(on.dataset_id, Depth.SHORT)
    done(lambda: gate.state(on.provider, on.dataset_id, StatementDraft(basis="law", basis_reference="条例第5条")))
    assert not queries.is_covered(on.dataset_id, Depth.SHORT)


def test_a_draft_is_submitted_whole_and_by_a_person(on: market.Listed, author: Actor) -> None:
    made = begun(on)
    assert len(refused(AssessmentIncomplete, lambda: assessing.submit(author, made)).members["missing"]) == 16
    refused(PersonNeeded, lambda: assessing.submit(on.provider, made))
    refused(Invalid, lambda: assessing.write(author, made, {"nonsense": "a"}, "", ""))
    refused(Invalid, lambda: assessing.write(author, made, {"purpose": "あ" * 4_001}, "", ""))
    assert state_of(made) == AssessmentState.DRAFT


def test_the_reviewer_is_another_person_than_the_author(on: market.Listed, author: Actor, reviewer: Actor) -> None:
    made = submitted(on, author)
    person = queries.get_locked(made).author_person
    with transaction():
        same = in_person(reviewer, str(person))
    refused(SamePerson, lambda: service.review(same, made, approves=True, note=NOTE))
    refused(
        PersonNeeded,
        lambda: service.review(
            Actor(reviewer.organization_id, capacities=reviewer.capacities), made, approves=True, note=NOTE
        ),
    )
    refused(AssessmentElsewhere, lambda: assessing.write(author, made, {}, "", ""))
    assert state_of(made) == AssessmentState.SUBMITTED
    with pytest.raises(IntegrityError), db.session.begin_nested():
        db.session.execute(
            text(
                "UPDATE privacy_assessment SET state = 'objection', reviewer_person = author_person, objections_until = now() WHERE id = :id"
            ),
            {"id": made},
        )


def test_what_is_sent_back_can_be_mended_and_submitted_again(on: market.Listed, author: Actor, reviewer: Actor) -> None:
    made = submitted(on, author)
    done(lambda: service.review(reviewer, made, approves=False, note="流れの説明が足りない。"))
    assert state_of(made) == AssessmentState.DRAFT
    done(lambda: assessing.submit(author, made))
    refused(AssessmentElsewhere, lambda: service.conclude(reviewer, made, accepts=True))


@pytest.mark.parametrize("accepts", [True, False])
def test_each_objection_gets_its_response_before_the_end(on: market.Listed, reviewer: Actor, accepts: bool) -> None:
    made = assessed(on.dataset_id, state=AssessmentState.OBJECTION)
    buyer = market.buyer()
    first = done(lambda: assessing.object_to(buyer, made, "再識別が心配である。"))
    again = done(lambda: assessing.object_to(buyer, made, "別の意見"))
    assert again.words == first.words == "再識別が心配である。"
    refused(AssessmentElsewhere, lambda: service.conclude(reviewer, made, accepts=accepts))
    with clock.stopped(clock.now() + timedelta(days=15)):
        assessing.conclude_unopposed()
        assert state_of(made) == AssessmentState.OBJECTION
        refused(ObjectionsUnanswered, lambda: service.conclude(reviewer, made, accepts=accepts))
        refused(NotFound, lambda: service.respond(reviewer, made, "obj_none", "回答"))
        done(lambda: service.respond(reviewer, made, first.id, "集計単位を広げた。"))
        done(lambda: service.conclude(reviewer, made, accepts=accepts))
    assert queries.is_covered(on.dataset_id, Depth.FULL) is accepts
    assert len(queries.objections_to(made)) == 1


def test_some_assessments_are_not_begun(on: market.Listed) -> None:
    other = market.listed()
    refused(AssessmentUnneeded, lambda: assessing.begin(other.provider, other.dataset_id, PrivacyClass.NON_PERSONAL))
    refused(PrivacyClassNotListable, lambda: assessing.begin(on.provider, on.dataset_id, PrivacyClass.PSEUDONYMISED))
    refused(NotFound, lambda: assessing.begin(other.provider, on.dataset_id, PERSONAL))
    made = begun(on)
    assert refused(AssessmentOpen, lambda: assessing.begin(on.provider, on.dataset_id, PERSONAL)).members == {
        "assessment_id": made
    }


def test_a_draft_and_what_is_listed_to_a_group_alone_are_nobodys_to_read(on: market.Listed, author: Actor) -> None:
    made = submitted(on, author)
    with pytest.raises(NotFound):
        queries.get_public(made)
    refused(NotFound, lambda: assessing.object_to(author, made, "意見"))
    with pytest.raises(NotFound):
        queries.get_visible(Actor("org_none"), made)
    assert made not in [one.id for one in queries.list_public().items]
    shown = assessed(market.listed().dataset_id, state=AssessmentState.OBJECTION)
    assert shown in [one.id for one in queries.list_public().items]


def test_of_two_who_begin_at_once_one_begins(own_database: Flask) -> None:
    on = market.listed()
    done(lambda: gate.state(on.provider, on.dataset_id, CONSENTED))
    start, outcomes = Barrier(2), []

    def begin() -> None:
        with own_database.app_context():
            start.wait()
            try:
                done(lambda: assessing.begin(on.provider, on.dataset_id, PERSONAL))
                outcomes.append("begun")
            except AssessmentOpen:
                outcomes.append("open")

    threads = [Thread(target=begin) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["begun", "open"]
