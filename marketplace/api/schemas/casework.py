"""What is said of cases, saved searches and proposed overrides."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from marketplace.api.schemas.base import Instant, PageQuery, Strict, identifier, line, one_of, page_of, prose
from marketplace.api.schemas.deliveries import UsageCorrectionDraft
from marketplace.api.schemas.givingback import RefundDraft
from marketplace.api.schemas.oversight import EntrySearch
from marketplace.audit.cases.rules import RULES
from marketplace.audit.cases.states import CaseState
from marketplace.identity.overrides.states import OverrideDeed, OverrideState

RULE_NAMES = [rule.name for rule in RULES]
WORDS_MAX = 4000


class RuleView(Schema):
    """One anomaly rule, in both languages."""

    name = fields.String(required=True)
    title = fields.String(required=True)
    title_ja = fields.String(required=True)
    explanation = fields.String(required=True)
    explanation_ja = fields.String(required=True)
    verbs = fields.List(fields.String(), required=True, metadata={"description": "the deeds that it reads"})


class RulesView(Schema):
    """All anomaly rules."""

    items = fields.List(fields.Nested(RuleView), required=True)


class CaseView(Schema):
    """A finding of a rule, with the entries of the record that show it, and what became of it."""

    id = fields.String(required=True)
    rule = fields.String(required=True)
    subject = fields.String(
        required=True, metadata={"description": "the id it is about; two organizations are two ids with a space"}
    )
    span = fields.String(required=True, metadata={"description": "the month, night, day, offer or payout"})
    state = one_of(CaseState, required=True)
    opened_at = Instant(required=True)
    evidence = fields.List(fields.String(), required=True, metadata={"description": "ids of entries, at most 20"})
    figures = fields.Dict(required=True)
    assignee_id = fields.String(required=True, allow_none=True)
    closed_at = Instant(required=True, allow_none=True)
    closed_reason = fields.String(required=True, allow_none=True)


class CaseQuery(PageQuery):
    """Which cases."""

    state = one_of(CaseState)
    rule = one_of(RULE_NAMES)
    subject = line(100, metadata={"description": "an id that the case is about, also one of two"})
    assignee_id = identifier("mem")


class Assignment(Strict):
    """Who works on a case: a member of the operator's."""

    member_id = identifier("mem", required=True)


class CaseNoteDraft(Strict):
    """A note in a case."""

    words = prose(WORDS_MAX, required=True)


class CaseNoteView(Schema):
    """A note in a case; the record has the hash of its words."""

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    member_id = fields.String(required=True, allow_none=True)
    client_id = fields.String(required=True, allow_none=True)
    written_at = Instant(required=True)
    words = fields.String(required=True)


class CaseClosing(Strict):
    """Why a case is closed."""

    reason = line(1000, required=True)


class SearchDraft(Strict):
    """A search to keep under a name."""

    name = line(100, required=True)
    query = fields.Nested(EntrySearch, required=True)


class SearchView(Schema):
    """A saved search; its `id` is what `search_id` takes."""

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    member_id = fields.String(required=True, allow_none=True)
    client_id = fields.String(required=True, allow_none=True)
    name = fields.String(required=True)
    query = fields.Dict(required=True)
    saved_at = Instant(required=True)


ARGUMENTS: dict[OverrideDeed, type[Strict]] = {
    OverrideDeed.REFUND: RefundDraft,
    OverrideDeed.CORRECTION: UsageCorrectionDraft,
    OverrideDeed.REINSTATEMENT: Strict,
}


class OverrideDraft(Strict):
    """What is proposed: the deed, the thing, and what the deed's own address takes as its body."""

    deed = one_of(OverrideDeed, required=True)
    about = fields.String(
        required=True,
        validate=validate.Length(1, 50),
        metadata={"description": "invoice (refund), delivery (correction) or organization (reinstatement)"},
    )
    arguments = fields.Dict(keys=fields.String(), load_default=dict)
    reason = line(1000, required=True)

    @validates_schema
    def check_arguments(self, data: dict[str, Any], **_given: Any) -> None:
        """Refuse what the deed's own address would refuse."""
        if trouble := ARGUMENTS[OverrideDeed(data["deed"])]().validate(data["arguments"]):
            raise ValidationError({"arguments": trouble})


class OverrideView(Schema):
    """A proposed override and what became of it."""

    id = fields.String(required=True)
    deed = one_of(OverrideDeed, required=True)
    about = fields.String(required=True)
    arguments = fields.Dict(required=True)
    reason = fields.String(required=True)
    state = one_of(OverrideState, required=True)
    organization_id = fields.String(required=True)
    member_id = fields.String(required=True)
    client_id = fields.String(required=True, allow_none=True)
    proposed_at = Instant(required=True)
    expires_at = Instant(required=True)
    ended_at = Instant(required=True, allow_none=True)
    approver_member_id = fields.String(required=True, allow_none=True)
    approver_client_id = fields.String(required=True, allow_none=True)


class OverrideQuery(PageQuery):
    """Which proposals."""

    state = one_of(OverrideState)


CasePage = page_of(CaseView)
CaseNotePage = page_of(CaseNoteView)
SearchPage = page_of(SearchView)
OverridePage = page_of(OverrideView)
