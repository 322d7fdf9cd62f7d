"""Findings in drafts, statements, and the people who answer."""

import secrets
from datetime import timedelta

from marketplace.catalog import service as catalog
from marketplace.catalog.models import File
from marketplace.catalog.states import ProfileState
from marketplace.exchange import assessing, gate, listing
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.privacy import queries
from marketplace.privacy.assessments.models import PrivacyAssessment
from marketplace.privacy.assessments.states import AssessmentState, Depth
from marketplace.privacy.detectors import Finding, Kind, Level
from marketplace.privacy.rules import StatementDraft
from marketplace.privacy.states import Answer, FindingState, PrivacyClass, Standard
from tests.factories.catalog import profiled
from tests.factories.identity import OrganizationFactory
from tests.factories.oversight import in_person

PUBLISHED = StatementDraft(
    items=("年代", "性別", "購入額"),
    method_ja="暗号化した通信によるファイルの提供",
    method_en="Files over encrypted connections",
    standards=tuple(Standard),
)
CONSENTED = StatementDraft(basis="consent", basis_reference="利用同意書 第2版（2026年4月）")


def finding(level: Level = Level.HIGH, kind: Kind = Kind.NAME, place: int = 1) -> Finding:
    return Finding(kind, level, "氏名", place, 3, 3, (1, 2, 3))


def drafted(provider: Actor, dataset_id: str, *findings: Finding, content: bytes = b"", name: str = "a.csv") -> File:
    """A file in a new draft release, in which this was found."""
    stored = listing.receive([content or f"氏名\n{secrets.token_hex(8)}\n".encode()], None, None)
    with transaction():
        release = catalog.open_release(provider, dataset_id, secrets.token_hex(6))
        file = listing.attach(provider, release.id, name, "text/csv", stored)
        profiled(
            file.id,
            {"format": "csv", "delimiter": ",", "rows": 3, "columns": [{"name": "氏名"}]},
            ProfileState.PROFILED,
            *findings,
        )
        return file


def assessed(
    dataset_id: str,
    depth: Depth = Depth.FULL,
    state: AssessmentState = AssessmentState.ACCEPTED,
    privacy_class: PrivacyClass = PrivacyClass.PERSONAL,
) -> str:
    """The id of an assessment of what is stated of a dataset now, that has come so far."""
    statement = queries.find_statement(dataset_id)
    now = clock.now()
    assessment = PrivacyAssessment(
        id=new_id("pia"), dataset_id=dataset_id, depth=depth.value, privacy_class=privacy_class.value, state=state.value,
        answers={}, summary_ja="影響は小さい。", summary_en="Small.", review_note="妥当である。", opened_at=now, submitted_at=now,
        statement_version=statement.version if statement else 0, author_person="per_1", author_member="mem_1",
        reviewed_at=now, reviewer_person="per_2", reviewer_member="mem_2", objections_until=now + timedelta(days=14),
        concluded_at=now if state in {AssessmentState.ACCEPTED, AssessmentState.REJECTED} else None,
    )  # fmt: skip
    with transaction():
        db.session.add(assessment)
    return assessment.id


def found(provider: Actor, dataset_id: str) -> dict[str, str]:
    """A finding that waits for its answer, and a statement of the dataset."""
    file = drafted(provider, dataset_id, finding())
    with transaction():
        gate.state(provider, dataset_id, StatementDraft(items=("人数",), method_ja="ファイル", method_en="Files"))
    open_ = assessed(dataset_id, state=AssessmentState.OBJECTION)
    rival = OrganizationFactory(buyer=True).id
    with transaction():
        objection = assessing.object_to(Actor(rival), open_, "再識別が心配である。").id
    finding_id = queries.findings_of(file.release_id)[0].id
    return {"finding_id": finding_id, "assessment_id": open_, "objection_id": objection}


def cleared(provider: Actor, release_id: str) -> None:
    """Have two people of the provider say of all that was found in a release that it is about nobody: the tests' people are made up."""
    first, second = in_person(provider), in_person(provider)
    for one in queries.findings_of(release_id):
        if one.state == FindingState.OPEN:
            gate.answer(first, one.id, one.sha256, Answer.FALSE_ALARM, "架空の人物である")
        if one.state == FindingState.ANSWERED:
            gate.second(second, one.id, agrees=True)
