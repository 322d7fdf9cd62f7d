"""The base of all schemas: unknown fields are refused, integers are integers, lists are pages."""

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from marketplace.kit import clock

WHOLE_MAX = 2**53 - 1
"""The largest integer that every reader of JSON reads exactly (RFC 8259 section 6)."""


class Strict(Schema):
    """Input: what is not described is refused."""

    class Meta:
        """Refuse unknown fields."""

        unknown = RAISE


class Whole(fields.Integer):
    """A whole number: 5000 and 5000.0 are, 2.5, "7" and true are not."""

    def _validated(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            raise self.make_error("invalid", input=value)
        return int(value)


class Instant(fields.Field[Any]):
    """An instant as RFC 3339 with an offset; always written in UTC."""

    default_error_messages = {"invalid": "Not an RFC 3339 instant with an offset, such as 2026-11-22T09:00:00+09:00."}  # noqa: RUF012 - marshmallow's own shape

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002 - theirs
        return None if value is None else clock.text(value)

    def _deserialize(
        self,
        value: Any,
        attr: str | None,  # noqa: ARG002 - marshmallow's signature
        data: Mapping[str, Any] | None,  # noqa: ARG002 - marshmallow's signature
        **kwargs: Any,  # noqa: ARG002 - marshmallow's signature
    ) -> Any:
        try:
            return clock.parse(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise self.make_error("invalid") from error


def line(length_max: int = 200, *, length_min: int = 1, **kwargs: Any) -> fields.String:
    """Return a field for one line of text, without control signs."""
    sane = pattern(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*", "Must be one line without control signs.")
    return fields.String(validate=[validate.Length(length_min, length_max), sane], **kwargs)


def prose(length_max: int = 20_000, **kwargs: Any) -> fields.String:
    """Return a field for running text; NUL, which PostgreSQL cannot keep, is refused."""
    sane = pattern(r"[^\x00]*", "Must not contain NUL.")
    return fields.String(validate=[validate.Length(0, length_max), sane], **kwargs)


def identifier(prefix: str, **kwargs: Any) -> fields.String:
    """Return a field for an id with this prefix."""
    return fields.String(validate=pattern(rf"{prefix}_[0-9a-f]{{32}}", f"Not a {prefix}_… id."), **kwargs)


def pattern(whole: str, error: str) -> validate.Regexp:
    """Return a check of the whole text, written as Python and ECMA-262 (thus JSON Schema) both read it."""
    return validate.Regexp(rf"^{whole}$(?!\n)", error=error)


def one_of(words: Any, **kwargs: Any) -> fields.String:
    """Return a field for one word of a list or of an enum."""
    return fields.String(validate=validate.OneOf([str(getattr(word, "value", word)) for word in words]), **kwargs)


class PageQuery(Strict):
    """Where to begin and how many."""

    cursor = fields.String(
        validate=validate.Length(max=500), metadata={"description": "next_cursor of the page before"}
    )
    size = fields.Integer(validate=validate.Range(1, 100), metadata={"description": "items a page; 20 when absent"})


def page_of(item: type[Schema]) -> type[Schema]:
    """Return the schema of a page of ``item``."""
    return type(
        item.__name__.removesuffix("View") + "Page",
        (Schema,),
        {
            "__doc__": f"A page of {item.__name__}.",
            "items": fields.List(fields.Nested(item), required=True),
            "next_cursor": fields.String(allow_none=True, required=True),
        },
    )
