"""Sources of releases on the wire."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import Instant, Strict, line, one_of
from marketplace.catalog.sources.states import PullProblem, PullResult, Schedule


class SourceDraft(Strict):
    """Where the next releases of a dataset are fetched."""

    url = line(2000, required=True, metadata={"description": "https, on the open internet"})
    schedule = one_of(Schedule, required=True)
    file_name = line(255, required=True, metadata={"description": "of the file in each release"})
    media_type = line(200, required=True)
    publish = fields.Boolean(
        load_default=False, metadata={"description": "publish each new release by itself; else it stays a draft"}
    )


class SourceView(Schema):
    """A source: when it was asked last and is asked next, and what became of it."""

    dataset_id = fields.String(required=True)
    url = fields.String(required=True, metadata={"description": "for overseers its host alone"})
    schedule = one_of(Schedule, required=True)
    file_name = fields.String(required=True)
    media_type = fields.String(required=True)
    publish = fields.Boolean(required=True)
    last_result = one_of(PullResult, allow_none=True)
    problem = one_of(PullProblem, allow_none=True)
    problem_ja = fields.String(allow_none=True)
    problem_en = fields.String(allow_none=True)
    detail = fields.String(metadata={"description": "the status, or the slug of the refusal"})
    failures = fields.Integer(metadata={"description": "in a row"})
    asked_at = Instant(allow_none=True)
    next_at = Instant(required=True)
    release_id = fields.String(allow_none=True, metadata={"description": "made of what was fetched last"})
