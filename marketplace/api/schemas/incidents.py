"""What is said of incidents."""

from typing import Any

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, PageQuery, Strict, identifier, line, one_of, page_of, pattern, prose
from marketplace.incidents.rules import REPORT_LENGTH_MAX, SCOPE_IDS_MAX, SUMMARY_LENGTH_MAX
from marketplace.incidents.states import Addressee, IncidentKind, IncidentState, NoticeState, Stage, Target

_SCOPE = validate.Length(max=SCOPE_IDS_MAX)


def _sha256(**kwargs: object) -> fields.String:
    return fields.String(validate=pattern("[0-9a-f]{64}", "Not a SHA-256 in hexadecimal."), **kwargs)  # type: ignore[arg-type] # marshmallow's own


def _ids(prefix: str) -> fields.List[Any]:
    return fields.List(identifier(prefix), load_default=[], validate=_SCOPE)


def _words(length_max: int) -> fields.String:
    field = prose(length_max, required=True)
    field.validators.append(validate.Length(min=1))
    return field


class IncidentQuery(PageQuery):
    """Which incidents."""

    state = one_of(IncidentState)


class IncidentDraft(Strict):
    """What is known of an incident. Scopes that are named must all hold, each for one of its ids."""

    kind = one_of(IncidentKind, required=True)
    summary_ja = _words(SUMMARY_LENGTH_MAX)
    summary_en = _words(SUMMARY_LENGTH_MAX)
    began_at = Instant(required=True)
    noticed_at = Instant(required=True)
    ended_at = Instant(load_default=None, allow_none=True)
    dataset_ids = _ids("ds")
    release_ids = _ids("rel")
    sha256s = fields.List(_sha256(), load_default=[], validate=_SCOPE)
    organization_ids = _ids("org")
    client_ids = _ids("cli")
    suspends = fields.List(one_of(Target), load_default=[])
    personal_data = fields.Boolean(load_default=False, truthy={True}, falsy={False})
    deliberate = fields.Boolean(load_default=False, truthy={True}, falsy={False})
    drill = fields.Boolean(load_default=False, truthy={True}, falsy={False})


class IncidentReportDraft(Strict):
    """That a report was made to the authority: under which reference, and the hash of what was handed in."""

    stage = one_of(Stage, required=True)
    reference = line(required=True)
    evidence_sha256 = _sha256(required=True)


class IncidentEnd(Strict):
    """What an incident came to: cause, effect, what is done so that it does not come again."""

    report = _words(REPORT_LENGTH_MAX)


class IncidentDutyView(Schema):
    """A report that is owed to the authority."""

    stage = one_of(Stage, required=True)
    due_at = Instant(required=True)
    done_at = Instant(required=True, allow_none=True)
    reference = fields.String(required=True, allow_none=True)
    evidence_sha256 = fields.String(required=True, allow_none=True)
    overdue_at = Instant(required=True, allow_none=True)


class IncidentCounts(Schema):
    """How much an incident touches; ``receivers`` are the buyers who have received any byte of it."""

    grants = fields.Integer(required=True)
    buyers = fields.Integer(required=True)
    providers = fields.Integer(required=True)
    receivers = fields.Integer(required=True)
    deliveries = fields.Integer(required=True)
    receipts = fields.Integer(required=True)
    contents = fields.Integer(required=True)
    bytes_received = fields.Integer(required=True)


class IncidentView(Schema):
    """An incident, what it touches and what is owed."""

    id = fields.String(required=True)
    kind = one_of(IncidentKind, required=True)
    state = one_of(IncidentState, required=True)
    drill = fields.Boolean(required=True)
    personal_data = fields.Boolean(required=True)
    deliberate = fields.Boolean(required=True)
    summary_ja = fields.String(required=True)
    summary_en = fields.String(required=True)
    began_at = Instant(required=True)
    ended_at = Instant(required=True, allow_none=True)
    noticed_at = Instant(required=True)
    dataset_ids = fields.List(fields.String(), required=True)
    release_ids = fields.List(fields.String(), required=True)
    sha256s = fields.List(fields.String(), required=True)
    organization_ids = fields.List(fields.String(), required=True)
    client_ids = fields.List(fields.String(), required=True)
    suspends = fields.List(one_of(Target), required=True)
    opened_at = Instant(required=True)
    assessed_at = Instant(required=True)
    affected = fields.Nested(IncidentCounts, required=True)
    affected_sha256 = fields.String(required=True)
    duties = fields.List(fields.Nested(IncidentDutyView), required=True)
    lifted_at = Instant(required=True, allow_none=True)
    closed_at = Instant(required=True, allow_none=True)
    report = fields.String(required=True, allow_none=True)
    report_sha256 = fields.String(required=True, allow_none=True)


class IncidentContentView(Schema):
    """Which bytes of one content arrived under a grant: the union, as PostgreSQL writes ranges of bytes.

    ``file_ids`` are the files that it is, or was made of.
    """

    sha256 = fields.String(required=True)
    bytes = fields.Integer(required=True)
    ranges = fields.String(required=True)
    file_ids = fields.List(fields.String(), required=True)


class IncidentGrantView(Schema):
    """A grant that an incident touches."""

    grant_id = fields.String(required=True)
    organization_id = fields.String(required=True)
    provider_organization_id = fields.String(required=True)
    dataset_id = fields.String(required=True)
    deliveries = fields.Integer(required=True)
    bytes_received = fields.Integer(required=True)
    contents = fields.List(fields.Nested(IncidentContentView), required=True)
    suspended = fields.Boolean(required=True)


class IncidentDeliveryView(Schema):
    """Who received which bytes of which content when."""

    delivery_id = fields.String(required=True)
    grant_id = fields.String(required=True)
    organization_id = fields.String(required=True)
    client_id = fields.String(required=True, allow_none=True)
    dataset_id = fields.String(required=True)
    release_id = fields.String(required=True)
    file_id = fields.String(required=True, allow_none=True)
    sha256 = fields.String(required=True)
    start_byte = fields.Integer(required=True)
    bytes_received = fields.Integer(required=True)
    state = fields.String(required=True)
    opened_at = Instant(required=True)
    closed_at = Instant(required=True, allow_none=True)
    receipt = fields.Boolean(required=True)


class IncidentNoticeView(Schema):
    """A notice, without the name and address of whoever gets it; counts say what is known by now."""

    id = fields.String(required=True)
    incident_id = fields.String(required=True)
    addressee = one_of(Addressee, required=True)
    organization_id = fields.String(required=True, allow_none=True)
    recipient = fields.String(required=True)
    state = one_of(NoticeState, required=True)
    grants = fields.Integer(required=True)
    deliveries = fields.Integer(required=True)
    bytes_received = fields.Integer(required=True)
    queued_at = Instant(required=True)
    due_at = Instant(required=True)
    sent_at = Instant(required=True, allow_none=True)
    acknowledged_at = Instant(required=True, allow_none=True)
    acknowledged_by = fields.String(required=True, allow_none=True)
    overdue_at = Instant(required=True, allow_none=True)


class IncidentNoticeDetail(IncidentNoticeView):
    """A notice with what it tells of the incident."""

    kind = one_of(IncidentKind, required=True)
    drill = fields.Boolean(required=True)
    personal_data = fields.Boolean(required=True)
    summary_ja = fields.String(required=True)
    summary_en = fields.String(required=True)
    began_at = Instant(required=True)
    noticed_at = Instant(required=True)


IncidentPage = page_of(IncidentView)
IncidentGrantPage = page_of(IncidentGrantView)
IncidentDeliveryPage = page_of(IncidentDeliveryView)
IncidentNoticePage = page_of(IncidentNoticeView)
