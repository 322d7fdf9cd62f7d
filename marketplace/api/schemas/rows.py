"""Queries for rows on the wire."""

from marshmallow import fields, validate

from marketplace.api.schemas.base import Strict, Whole, identifier, one_of
from marketplace.delivery.rows.query import FORMATS, OPERATORS

COLUMN_NAME = validate.Length(1, 1000)


class PredicateDraft(Strict):
    """What a column must be."""

    column = fields.String(required=True, validate=COLUMN_NAME)
    operator = one_of(OPERATORS, required=True)
    value = fields.Raw(
        allow_none=True,
        metadata={"description": "of the column's type; a list for `in`, and nothing for `is_null` and `not_null`"},
    )


class DirectionDraft(Strict):
    """A column to sort by; rows without a value in it come last."""

    column = fields.String(required=True, validate=COLUMN_NAME)
    direction = one_of(("asc", "desc"), metadata={"description": "asc when absent"})


class RowQuery(Strict):
    """Which columns of which rows of a table, in which order."""

    columns = fields.List(
        fields.String(validate=COLUMN_NAME),
        validate=validate.Length(1, 4096),
        metadata={"description": "names from the file's profile; all columns when absent"},
    )
    where = fields.List(
        fields.Nested(PredicateDraft),
        validate=validate.Length(max=50),
        metadata={"description": "conditions that all must hold"},
    )
    order = fields.List(
        fields.Nested(DirectionDraft),
        validate=validate.Length(max=10),
        metadata={"description": "rows that are alike follow each other as in the file, as do all when absent"},
    )
    limit = Whole(validate=validate.Range(1, 2**31 - 1), metadata={"description": "rows of a page; 1000 when absent"})
    cursor = fields.String(
        validate=validate.Length(max=500), metadata={"description": "next_cursor of the page before"}
    )
    release_id = identifier("rel", metadata={"description": "the cursor's, or the newest release when absent"})
    format = one_of(FORMATS, metadata={"description": "instead of Accept; json when both are absent"})
