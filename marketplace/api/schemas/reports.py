"""Annual reports on the wire."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import one_of
from marketplace.disclosure.states import Principle, Showing, Unit


class AnnualReportsView(Schema):
    """The years of which there is a public report, newest first."""

    years = fields.List(fields.Integer(), required=True)


class AnnualPartView(Schema):
    """One bar or point of a figure; null where it is hidden."""

    ja = fields.String(required=True)
    en = fields.String(required=True)
    showing = one_of(Showing, required=True)
    value = fields.Integer(required=True, allow_none=True)


class AnnualFigureView(AnnualPartView):
    """A figure with how it was counted; of a share, `of` is the whole."""

    key = fields.String(required=True)
    how_ja = fields.String(required=True)
    how_en = fields.String(required=True)
    unit = one_of(Unit, required=True)
    of = fields.Integer(required=True, allow_none=True)
    is_line = fields.Boolean(required=True)
    parts = fields.List(fields.Nested(AnnualPartView), required=True)
    parts_hidden = fields.Boolean(required=True)


class AnnualSectionView(Schema):
    """The figures of one principle."""

    principle = one_of(Principle, required=True)
    figures = fields.List(fields.Nested(AnnualFigureView), required=True)


class AnnualReportView(Schema):
    """The report on one calendar year in Japan."""

    year = fields.Integer(required=True)
    computed_at = fields.String(required=True)
    threshold = fields.Integer(required=True)
    public = fields.Boolean(required=True)
    sections = fields.List(fields.Nested(AnnualSectionView), required=True)
