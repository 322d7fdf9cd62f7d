"""Lineage and citations on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, Strict, identifier, line, one_of, page_of, prose
from marketplace.catalog.lineage.rules import SOURCES_MAX, WORDS_LENGTH_MAX
from marketplace.catalog.lineage.states import CitationKind, CitationState


class OriginOfData(Strict):
    """A dataset here, or something elsewhere with its address and title."""

    dataset_id = identifier("ds", load_default=None, allow_none=True)
    url = line(2000, load_default=None, allow_none=True)
    title = line(300, length_min=0, load_default="")
    words = prose(WORDS_LENGTH_MAX, load_default="", metadata={"description": "what was taken of it, and how"})


class LineageDraft(Strict):
    """What a dataset was made of, all of it anew."""

    sources = fields.List(fields.Nested(OriginOfData), required=True, validate=validate.Length(max=SOURCES_MAX))


class DerivationView(Schema):
    """One end of a derivation."""

    dataset_id = fields.String(allow_none=True, required=True)
    url = fields.String(allow_none=True, required=True)
    title_ja = fields.String(required=True)
    title_en = fields.String(required=True)
    words = fields.String()


class ChainNode(DerivationView):
    """A dataset of the chain: those it was made of lie at depths below zero, those made of it above."""

    depth = fields.Integer(required=True)


class ChainStep(Schema):
    """That a dataset was made of another one here, or of something elsewhere."""

    source_dataset_id = fields.String(allow_none=True, required=True)
    dataset_id = fields.String(required=True)
    url = fields.String(allow_none=True, required=True)
    title = fields.String(required=True)
    words = fields.String(required=True)


class ChainView(Schema):
    """All that one sees of where a dataset comes from and what became of it; `is_cut` where there is more."""

    nodes = fields.List(fields.Nested(ChainNode), required=True)
    steps = fields.List(fields.Nested(ChainStep), required=True)
    is_cut = fields.Boolean(required=True)


class LineageView(Schema):
    """What a dataset was made of, and what was made of it, as far as one sees both; `chain` goes on from there."""

    sources = fields.List(fields.Nested(DerivationView), required=True)
    derived = fields.List(fields.Nested(DerivationView), required=True)
    chain = fields.Nested(ChainView, required=True)


class DeclaredLineageView(Schema):
    """What a provider said that a dataset was made of."""

    dataset_id = fields.String(required=True)
    version = fields.Integer(required=True)
    sources = fields.List(fields.Dict(), required=True)


class CitationDraft(Strict):
    """What somebody made of a dataset."""

    kind = one_of(CitationKind, required=True)
    title = line(300, required=True)
    url = line(2000, required=True)


class CitationView(Schema):
    """A citation and who added it."""

    id = fields.String(required=True)
    dataset_id = fields.String(required=True)
    kind = one_of(CitationKind, required=True)
    state = one_of(CitationState, required=True)
    title = fields.String(required=True)
    url = fields.String(required=True)
    added_by = fields.Dict(required=True)
    created_at = Instant(required=True)
    decided_at = Instant(allow_none=True)


class CitationList(Schema):
    """The newest citations of a dataset."""

    items = fields.List(fields.Nested(CitationView), required=True)


class Decision(Strict):
    """What becomes of a citation."""

    state = one_of([CitationState.SHOWN, CitationState.DECLINED, CitationState.REMOVED], required=True)


CitationPage = page_of(CitationView)
