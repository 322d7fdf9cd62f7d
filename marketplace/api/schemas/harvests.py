"""Harvests, their runs and reports, and repairs on the wire."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import Instant, PageQuery, Strict, line, one_of, page_of
from marketplace.catalog.cleaning.mending import Rule
from marketplace.catalog.harvesting.states import (
    HarvestProblem,
    HarvestSchedule,
    Outcome,
    RecordReason,
    RunState,
    SourceKind,
)
from marketplace.catalog.links.states import LinkState
from marketplace.catalog.repairs.states import RepairState


class HarvestDraft(Strict):
    """A foreign catalogue to take over."""

    url = line(2000, required=True, metadata={"description": "https, on the open internet"})
    kind = one_of(SourceKind, load_default=SourceKind.CKAN.value)
    schedule = one_of(HarvestSchedule, load_default=None, allow_none=True)
    repairs = fields.Boolean(
        load_default=True, metadata={"description": "apply what a machine is sure of; else it is suggested"}
    )


class RunDraft(Strict):
    """How a run goes."""

    dry_run = fields.Boolean(load_default=False, metadata={"description": "report alone; nothing is taken over"})
    full = fields.Boolean(
        load_default=False, metadata={"description": "ask for all records, not for the changed alone"}
    )


class HarvestView(Schema):
    """A foreign catalogue that is taken over."""

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    url = fields.String(required=True, metadata={"description": "for overseers its host alone"})
    kind = one_of(SourceKind, required=True)
    schedule = one_of(HarvestSchedule, allow_none=True)
    repairs = fields.Boolean(required=True)
    failures = fields.Integer(metadata={"description": "in a row"})
    next_at = Instant(allow_none=True)
    created_at = Instant(required=True)


class MeasureView(Schema):
    """Of how many something was so where they come from, and is so here."""

    measure = fields.String(required=True)
    label_ja = fields.String(required=True)
    label_en = fields.String(required=True)
    of = fields.Integer(required=True)
    before = fields.Integer(required=True)
    after = fields.Integer(required=True)


class RunView(Schema):
    """One pass over a catalogue."""

    id = fields.String(required=True)
    harvest_id = fields.String(required=True)
    state = one_of(RunState, required=True)
    dry_run = fields.Boolean(required=True)
    full = fields.Boolean(required=True, attribute="is_full")
    announced = fields.Integer(allow_none=True, metadata={"description": "how many records the catalogue says it has"})
    created = fields.Integer(required=True)
    changed = fields.Integer(required=True)
    unchanged = fields.Integer(required=True)
    refused = fields.Integer(required=True)
    vanished = fields.Integer(required=True)
    comparison = fields.List(fields.Nested(MeasureView), required=True)
    problem = one_of(HarvestProblem, allow_none=True)
    problem_ja = fields.String(allow_none=True)
    problem_en = fields.String(allow_none=True)
    detail = fields.String()
    started_at = Instant(required=True)
    ended_at = Instant(allow_none=True)


class LineView(Schema):
    """What became of one record."""

    record_id = fields.String(required=True)
    name = fields.String(required=True)
    title = fields.String(required=True)
    outcome = one_of(Outcome, required=True)
    reason = one_of(RecordReason, allow_none=True)
    detail = fields.String()
    dataset_id = fields.String(allow_none=True)


class LineQuery(PageQuery):
    """Which lines of a report."""

    outcome = one_of(Outcome, metadata={"description": "these alone"})


class RepairQuery(PageQuery):
    """Which findings."""

    state = one_of(RepairState, metadata={"description": "these alone"})


class RepairView(Schema):
    """What was found on a description; ``field`` is null where it only tells."""

    id = fields.String(required=True)
    dataset_id = fields.String(required=True)
    rule = one_of(Rule, required=True)
    label_ja = fields.String(required=True)
    label_en = fields.String(required=True)
    field = fields.String(allow_none=True)
    before = fields.Raw(allow_none=True, metadata={"description": "as it was found"})
    after = fields.Raw(allow_none=True, metadata={"description": "as it is, or would be, read or completed"})
    confidence = fields.Integer(required=True, metadata={"description": "how sure the finding is, 0 to 100"})
    state = one_of(RepairState, required=True)
    found_at = Instant(required=True)
    decided_at = Instant(allow_none=True)


class LinkQuery(PageQuery):
    """Which links."""

    state = one_of(LinkState, metadata={"description": "these alone"})


class LinkView(Schema):
    """Where a file lies, and whether that leads somewhere."""

    url = fields.String(required=True)
    host = fields.String(required=True)
    state = one_of(LinkState, required=True)
    failures = fields.Integer(required=True, metadata={"description": "in a row, up to two"})
    outcome = fields.String(metadata={"description": "the last status, or why there was none"})
    checked_at = Instant(allow_none=True)
    next_at = Instant(required=True)


HarvestPage, RunPage, LinePage = map(page_of, (HarvestView, RunView, LineView))
RepairPage, LinkPage = map(page_of, (RepairView, LinkView))
