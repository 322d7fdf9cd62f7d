"""What is said of the people in data: findings and answers, statements, inspections."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import PageQuery, Strict, identifier, line, one_of, page_of, pattern, prose
from marketplace.identity.rules import REASON_LENGTH_MAX
from marketplace.privacy.detectors import Kind, Level
from marketplace.privacy.rules import COLUMNS_MAX, ITEMS_MAX, TEXT_MAX
from marketplace.privacy.states import Answer, Basis, FindingState, Standard


class PrivacyFindingQuery(PageQuery):
    """Which findings."""

    dataset_id = identifier("ds")
    release_id = identifier("rel")
    state = one_of(FindingState)
    level = one_of(Level)


class FindingAnswer(Strict):
    """What a person of the provider says to a finding, of the bytes that they have seen."""

    sha256 = fields.String(required=True, validate=pattern("[0-9a-f]{64}", "Not a SHA-256 in hexadecimal."))
    answer = one_of(Answer, required=True)
    reason = prose(REASON_LENGTH_MAX, required=True)


class FindingSecond(Strict):
    """Whether a second person agrees to an answer."""

    agrees = fields.Boolean(required=True, truthy={True}, falsy={False})


class PrivacyFindingView(Schema):
    """One kind found in one column: how often and in which rows, never a value."""

    id = fields.String()
    dataset_id = fields.String()
    file_id = fields.String()
    sha256 = fields.String()
    kind = one_of(Kind)
    level = one_of(Level)
    column_name = fields.String()
    place = fields.Integer()
    table_name = fields.String()
    hits = fields.Integer()
    cells = fields.Integer()
    share_mille = fields.Integer()
    row_numbers = fields.List(fields.Integer())
    state = one_of(FindingState)
    answer = one_of(Answer, allow_none=True)
    reason = fields.String(allow_none=True)
    answered_at = fields.AwareDateTime(allow_none=True)
    answered_by_member = fields.String(allow_none=True)
    seconded_at = fields.AwareDateTime(allow_none=True)
    seconded_by_member = fields.String(allow_none=True)
    seconded_by_organization = fields.String(allow_none=True)


PrivacyFindingPage = page_of(PrivacyFindingView)


def _names(most: int) -> fields.List[str]:
    return fields.List(line(), load_default=[], validate=validate.Length(max=most))


class PrivacyStatementDraft(Strict):
    """What a provider states of the people in a dataset."""

    basis = one_of(Basis, load_default=None, allow_none=True)
    basis_reference = prose(TEXT_MAX, load_default="")
    items = _names(ITEMS_MAX)
    method_ja = prose(TEXT_MAX, load_default="")
    method_en = prose(TEXT_MAX, load_default="")
    standards = fields.List(one_of(Standard), load_default=[])
    quasi_identifiers = _names(COLUMNS_MAX)
    sensitive_columns = _names(COLUMNS_MAX)


class PrivacyStatementView(Schema):
    """A statement, for its provider and overseers."""

    dataset_id = fields.String()
    version = fields.Integer()
    basis = one_of(Basis, allow_none=True)
    basis_reference = fields.String()
    items = fields.List(fields.String())
    method_ja = fields.String()
    method_en = fields.String()
    standards = fields.List(one_of(Standard))
    quasi_identifiers = fields.List(fields.String())
    sensitive_columns = fields.List(fields.String())
    stated_at = fields.AwareDateTime()


class InspectionView(Schema):
    """What came of looking through one file; `alike` counts rows that are alike in the quasi-identifiers."""

    file_id = fields.String()
    name = fields.String()
    sha256 = fields.String()
    problem = fields.String(allow_none=True)
    rows_read = fields.Integer()
    findings_total = fields.Integer()
    inspected_at = fields.AwareDateTime()
    alike = fields.Dict(allow_none=True)
    measured_at = fields.AwareDateTime(allow_none=True)


class GateView(Schema):
    """How far the files of a release have come at the gate."""

    release_id = fields.String()
    inspections = fields.List(fields.Nested(InspectionView))
    waiting = fields.List(fields.String())
    open = fields.Integer()
    blocked = fields.Integer()
