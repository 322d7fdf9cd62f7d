"""Request bodies in JSON: strict, bounded, and refused before anything looks into them."""

from typing import Any

from flask import Request
from webargs import missing
from webargs.core import is_json
from webargs.flaskparser import FlaskParser

from marketplace.api.problems import BadRequest, UnsupportedMediaType
from marketplace.kit import settings


class JsonParser(FlaskParser):
    """Reads JSON as RFC 8259 has it: no NaN, no half surrogate pairs, no bottomless nesting."""

    def _raw_load_json(self, req: Request) -> Any:
        """Return the decoded body, ``missing`` for an empty one.

        Raises UnsupportedMediaType, BadRequest, or werkzeug's 413 beyond the setting, however it is sent.
        """
        import orjson

        req.max_content_length = settings.current().request_body_bytes_max
        body = req.get_data(cache=True)
        if not body:
            return missing
        if not is_json(req.mimetype):
            raise UnsupportedMediaType
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"The body is not JSON: {error}.") from error
