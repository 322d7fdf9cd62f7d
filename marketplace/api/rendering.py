"""Writing JSON answers: in UTF-8, their fields in the order in which they are described."""

from typing import Any

import orjson
from flask import Response
from flask.json.provider import DefaultJSONProvider


class JsonProvider(DefaultJSONProvider):
    """Flask's JSON through orjson; what orjson refuses (integers beyond 64 bits, say) goes the slower way."""

    sort_keys = False

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Return an answer that holds one value, or a table of named ones, as JSON."""
        value = self._prepare_response_obj(args, kwargs)
        return Response(self._encoded(value), mimetype=self.mimetype)

    def _encoded(self, value: Any) -> bytes:
        try:
            return orjson.dumps(value, default=self.default)
        except orjson.JSONEncodeError:
            return self.dumps(value).encode()
