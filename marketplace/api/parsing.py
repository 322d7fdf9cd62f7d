"""Request bodies in JSON: strict, bounded, and refused before anything looks into them."""

from typing import Any

from flask import Request
from flask_smorest.arguments import FlaskParser
from marshmallow import missing

from marketplace.api.problems import BadRequest, UnsupportedMediaType
from marketplace.kit import settings
from marketplace.kit.nesting import is_deeper


class JsonParser(FlaskParser):  # type: ignore[misc] # flask-smorest is untyped
    """Reads JSON as RFC 8259 has it: no NaN, no half surrogate pairs, no bottomless nesting."""

    # A filter that is misspelt must not be a filter that is left out: the schema refuses it, as in a body.
    DEFAULT_UNKNOWN_BY_LOCATION = FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION | {"query": None}

    def _raw_load_json(self, req: Request) -> Any:
        """Return the decoded body, ``missing`` for an empty one.

        Raises UnsupportedMediaType, BadRequest, or werkzeug's 413 beyond the setting, however it is sent.
        """
        import orjson

        body = req.get_data(cache=True)
        if not body:
            return missing
        if not req.is_json:
            raise UnsupportedMediaType
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"The body is not JSON: {error}.") from error
        levels_max = settings.current().json_depth_max
        if is_deeper(value, levels_max):
            raise BadRequest(f"The JSON is nested deeper than {levels_max} levels.")
        return value
