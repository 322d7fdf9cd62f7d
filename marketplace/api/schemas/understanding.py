"""Dictionaries, samples, coverage, history and quality on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, Strict, line, one_of, prose
from marketplace.catalog import dictionary
from marketplace.catalog.quality_words import Advice, Part


class ColumnNote(Strict):
    """What a provider says of one column."""

    name = line(300, required=True, metadata={"description": "as it stands in the file"})
    label_ja = line(dictionary.LABEL_LENGTH_MAX, length_min=0, load_default="")
    label_en = line(dictionary.LABEL_LENGTH_MAX, length_min=0, load_default="")
    description_ja = prose(dictionary.DESCRIPTION_LENGTH_MAX, load_default="")
    description_en = prose(dictionary.DESCRIPTION_LENGTH_MAX, load_default="")
    unit = line(
        dictionary.UNIT_LENGTH_MAX,
        length_min=0,
        load_default="",
        metadata={"description": "such as 人, km2, ℃ or 千円; read from the header where nothing is said"},
    )
    personal = fields.Boolean(
        load_default=None, allow_none=True, metadata={"description": "whether its values are of persons"}
    )


class NotesDraft(Strict):
    """What a provider says of its columns, all of them anew."""

    columns = fields.List(fields.Nested(ColumnNote), required=True, validate=validate.Length(max=dictionary.NOTES_MAX))


class NotesView(Schema):
    """What was said of the columns of a dataset."""

    dataset_id = fields.String(required=True)
    version = fields.Integer(required=True)
    columns = fields.List(fields.Dict(), required=True)


class UnitView(Schema):
    """A unit of measure."""

    code = fields.String(allow_none=True, metadata={"description": "UCUM; null for a unit that is not known here"})
    ja = fields.String(required=True)
    en = fields.String(required=True)
    source = one_of(("declared", "header"), required=True)


class ColumnView(Schema):
    """A column: what is said of it, and what was found in it."""

    name = fields.String(required=True)
    label_ja = fields.String()
    label_en = fields.String()
    description_ja = fields.String()
    description_en = fields.String()
    unit = fields.Nested(UnitView, allow_none=True)
    type = fields.String(allow_none=True)
    format = fields.String(allow_none=True)
    nulls = fields.Integer(allow_none=True)
    null_share = fields.String(allow_none=True, metadata={"description": "of one, with six decimals"})
    distinct_estimate = fields.Integer(allow_none=True)
    min = fields.String(allow_none=True)
    max = fields.String(allow_none=True)
    examples = fields.List(fields.String(), allow_none=True)
    distribution = fields.Dict(
        allow_none=True,
        metadata={
            "description": "frequent values, or a histogram between the hundredths of rows at both ends; a null count"
            " is of fewer than ten rows, and what fewer than ten rows have is not told"
        },
    )
    masked = fields.List(
        fields.String(), metadata={"description": "detectors that fired: then no value of the column is shown"}
    )


class DictionaryView(Schema):
    """The data dictionary of the newest release of a dataset."""

    dataset_id = fields.String(required=True)
    columns = fields.List(fields.Nested(ColumnView), required=True)


class SampleQuery(Strict):
    """Which file, and how many rows at most."""

    file_name = fields.String(validate=validate.Length(1, 255))
    rows = fields.Integer(validate=validate.Range(1, 1000), metadata={"description": "at most what is shown at all"})


class SampleView(Schema):
    """The first rows of a file, each a list of cells in the order of the columns."""

    release_id = fields.String(allow_none=True, required=True)
    file_name = fields.String(allow_none=True, required=True)
    columns = fields.List(fields.String(), required=True)
    masked = fields.Dict(keys=fields.String(), values=fields.List(fields.String()), required=True)
    rows = fields.List(fields.List(fields.String(allow_none=True)), required=True)
    rows_total = fields.Integer(allow_none=True, required=True)


class CoverageView(Schema):
    """The time and the part of the earth that a release speaks of."""

    temporal = fields.Dict(allow_none=True, metadata={"description": "first and last day, and the column that says so"})
    region = fields.String(required=True)
    bbox = fields.List(
        fields.String(), allow_none=True, metadata={"description": "west, south, east and north in degrees"}
    )
    points = fields.List(
        fields.List(fields.String()), metadata={"description": "longitude and latitude of the rows of the sample"}
    )
    grid = fields.Dict(
        allow_none=True,
        metadata={
            "description": "where geometries lie: `degrees`, the size of a cell (0.01 or more), and `cells`: column, "
            "row and number of features, null where fewer than ten; null where people lie"
        },
    )


class AdviceView(Schema):
    """What would win points that are missing."""

    code = one_of(Advice, required=True)
    ja = fields.String(required=True)
    en = fields.String(required=True)
    call = fields.String(required=True, metadata={"description": "by which call of the API it is done"})
    fields_ = fields.List(fields.String(), data_key="fields", attribute="fields", required=True)
    page = fields.String(allow_none=True, required=True, metadata={"description": "where a suggestion may wait"})


class PartView(Schema):
    """One part of the score."""

    part = one_of(Part, required=True)
    label_ja = fields.String(required=True)
    label_en = fields.String(required=True)
    points = fields.Integer(required=True)
    points_max = fields.Integer(required=True)
    improve = fields.List(fields.Nested(AdviceView), required=True)


class QualityView(Schema):
    """Points of a hundred, by part."""

    score = fields.Integer(required=True)
    parts = fields.List(fields.Nested(PartView), required=True)


class ChangesView(Schema):
    """What changed in the columns. Renames are a guess."""

    added = fields.List(fields.String(), required=True)
    removed = fields.List(fields.String(), required=True)
    renamed = fields.List(fields.Dict(), required=True)
    retyped = fields.List(fields.Dict(), required=True)
    breaks = fields.Boolean(
        required=True, metadata={"description": "whether what read the former release may fail on this one"}
    )


class PastView(Schema):
    """A release as the history shows it."""

    release_id = fields.String(required=True)
    label = fields.String(required=True)
    notes = fields.String(required=True)
    published_at = Instant(required=True)
    due_at = Instant(allow_none=True)
    on_time = fields.Boolean(
        allow_none=True, metadata={"description": "by a tenth of its period; null where nothing was promised"}
    )
    rows = fields.Integer(allow_none=True)
    changes = fields.Nested(ChangesView, allow_none=True)


class HistoryView(Schema):
    """The newest releases of a dataset, newest first."""

    items = fields.List(fields.Nested(PastView), required=True)
    on_time = fields.Integer(required=True)
    promised = fields.Integer(required=True)


class ChangesQuery(Strict):
    """Which two releases."""

    before = fields.String(validate=validate.Length(max=100))
    after = fields.String(validate=validate.Length(max=100))


class ComparedView(Schema):
    """What changed between two releases."""

    before = fields.String(allow_none=True, required=True)
    after = fields.String(allow_none=True, required=True)
    changes = fields.Nested(ChangesView, required=True)
