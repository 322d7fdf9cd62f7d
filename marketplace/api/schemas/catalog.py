"""Datasets, releases, files and the public catalogue on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import WHOLE_MAX, Instant, PageQuery, Strict, Whole, line, one_of, page_of, prose
from marketplace.api.schemas.teasers import TeaserView
from marketplace.catalog.rules import TRUSTS
from marketplace.catalog.states import DatasetState, Frequency, HighValue, Licence, ProfileState, ReleaseState, Theme
from marketplace.identity.states import Assurance


class DatasetDraft(Strict):
    """What a provider says of a dataset."""

    title_ja = line(required=True)
    title_en = line(required=True)
    description_ja = prose(required=True)
    description_en = prose(required=True)
    themes = fields.List(one_of(Theme), required=True, validate=validate.Length(1, len(Theme)))
    region = line(10, required=True, metadata={"description": "JP, or a 6-digit local-government code"})
    language = line(10, required=True)
    update_frequency = one_of(Frequency, required=True)
    contact_name = line(300, length_min=0, load_default="", metadata={"description": "an office, not a person"})
    contact_url = line(2000, length_min=0, load_default="")
    contact_email = line(300, length_min=0, load_default="")
    keywords = fields.List(line(60), validate=validate.Length(max=50))
    key_columns = fields.List(
        line(300),
        validate=validate.Length(max=20),
        metadata={"description": "by which a row of its tables is known from one release to the next"},
    )
    high_value_categories = fields.List(
        one_of(HighValue),
        validate=validate.Length(max=len(HighValue)),
        metadata={"description": "where the data are of high value in the sense of regulation (EU) 2023/138"},
    )
    assessment_url = line(
        2000, length_min=0, metadata={"description": "where everybody can read its privacy impact assessment"}
    )
    licence_hint = one_of(Licence, allow_none=True)
    trust_required = one_of(
        TRUSTS, allow_none=True, metadata={"description": "how far whoever orders and fetches it must be trusted"}
    )
    assurance_required = one_of(
        Assurance, allow_none=True, metadata={"description": "`acr` of a member's token, or a program's key"}
    )


class DatasetChanges(DatasetDraft):
    """Some of a dataset's fields, to be changed."""

    def __init__(self, **kwargs: object) -> None:
        """Every field may be absent."""
        super().__init__(partial=True, **kwargs)  # type: ignore[arg-type] # marshmallow's own keywords


class DatasetView(Schema):
    """A dataset as its provider sees it."""

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    title_ja = fields.String(required=True)
    title_en = fields.String(required=True)
    description_ja = fields.String(required=True)
    description_en = fields.String(required=True)
    themes = fields.List(fields.String(), required=True)
    region = fields.String(required=True)
    language = fields.String(required=True)
    update_frequency = fields.String(required=True)
    contact_name = fields.String(required=True)
    contact_url = fields.String(required=True)
    contact_email = fields.String(required=True)
    keywords = fields.List(fields.String())
    key_columns = fields.List(fields.String())
    high_value_categories = fields.List(fields.String())
    assessment_url = fields.String()
    licence_hint = fields.String(allow_none=True)
    trust_required = fields.String(allow_none=True)
    assurance_required = fields.String(allow_none=True)
    state = one_of(DatasetState, required=True)
    version = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)
    next_release_due_at = Instant(allow_none=True, metadata={"description": "by `update_frequency`"})
    overdue = fields.Boolean(metadata={"description": "the newest release is older than that promises"})


class PublicFileView(Schema):
    """A file of a release, with what the profiler found in it."""

    name = fields.String(required=True)
    media_type = fields.String(required=True)
    sha256 = fields.String(required=True)
    size_bytes = fields.Integer(required=True)
    profile_state = one_of(ProfileState, required=True)
    profile = fields.Dict(allow_none=True)
    held_by = fields.String(
        metadata={
            "enum": ["exchange", "provider"],
            "description": "who sends the bytes; of what the provider holds, hash and size are its word",
        }
    )


class OriginDraft(Strict):
    """A file that stays with its provider."""

    url = line(2000, required=True, metadata={"description": "https, on the open internet, without a query"})
    sha256 = line(64, required=True, metadata={"description": "of its bytes, in lower-case hex"})
    size_bytes = Whole(required=True, validate=validate.Range(0, WHOLE_MAX))
    media_type = line(200, required=True)


class FileView(PublicFileView):
    """A file as its provider sees it."""

    id = fields.String(required=True)


class ReleaseDraft(Strict):
    """A new release of a dataset."""

    label = line(80, required=True, metadata={"description": "such as 2026-11 or v3"})
    notes = prose(5000, load_default="")


class ReleaseView(Schema):
    """A release, and its files where they are asked for."""

    id = fields.String(required=True)
    dataset_id = fields.String(required=True)
    label = fields.String(required=True)
    notes = fields.String(required=True)
    state = one_of(ReleaseState, required=True)
    created_at = Instant(required=True)
    published_at = Instant(allow_none=True)
    files = fields.List(fields.Nested(FileView))


class CatalogQuery(PageQuery):
    """A search: words in Japanese or English, any number of facet values, and spans of time and space."""

    q = fields.String(load_default="", validate=validate.Length(max=1000))
    theme = fields.List(fields.String())
    format = fields.List(fields.String())
    licence = fields.List(fields.String())
    price_class = fields.List(fields.String())
    region = fields.List(
        fields.String(),
        metadata={"description": "local-government codes; a prefecture has its cities in it, a city its wards"},
    )
    publisher = fields.List(fields.String())
    frequency = fields.List(fields.String())
    year = fields.List(fields.String(), metadata={"description": "that the data speaks of"})
    privacy_class = fields.List(fields.String())
    delivery = fields.List(
        fields.String(), metadata={"description": "`exchange`, `provider`, or `source`: where the record came from"}
    )
    quality = fields.List(fields.String(), metadata={"description": "a band of points, such as `80-100`"})
    covers_from = line(10, metadata={"description": "data of this day or later, such as 2026-04-01"})
    covers_until = line(10, metadata={"description": "data of this day or earlier"})
    bbox = line(100, metadata={"description": "west,south,east,north in degrees: data that touches it"})
    planned = fields.String(
        load_default="beside",
        validate=validate.OneOf(["beside", "only", "none"]),
        metadata={"description": "announced datasets: a few `beside` the first page, `only` those, or `none`"},
    )
    explain = fields.Boolean(load_default=False, metadata={"description": "say of each dataset why it stands there"})


class SuggestionQuery(Strict):
    """What was typed so far."""

    q = fields.String(load_default="", validate=validate.Length(max=100))
    size = fields.Integer(load_default=10, validate=validate.Range(1, 50))


class SuggestionView(Schema):
    """A text to look for."""

    text = fields.String(required=True)
    kind = fields.String(required=True, metadata={"enum": ["tag", "publisher", "title"]})
    datasets = fields.Integer(allow_none=True, required=True, metadata={"description": "how many have the tag"})


class SuggestionList(Schema):
    """Suggestions, the likeliest first."""

    items = fields.List(fields.Nested(SuggestionView), required=True)


class PlannedView(Schema):
    """Announced datasets (要旨) that a search finds, newest first: there are no data yet, and nothing can be bought."""

    items = fields.List(fields.Nested(TeaserView), required=True)
    total = fields.Integer(required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class CatalogPage(Schema):
    """Found datasets in order of relevance, with counts per facet value."""

    items = fields.List(fields.Dict(), required=True)
    facets = fields.Dict(keys=fields.String(), values=fields.Dict(), required=True)
    total = fields.Integer(required=True)
    next_cursor = fields.String(allow_none=True, required=True)
    planned = fields.Nested(PlannedView)


class CkanImport(Strict):
    """A CKAN `package_show` record to be listed as a draft."""

    package = fields.Dict(required=True)


DatasetPage = page_of(DatasetView)
ReleasePage = page_of(ReleaseView)
PublicFilePage = page_of(PublicFileView)
