"""How much of a request is read at most: its body, the fields of a form, the nesting of JSON."""

import sys

from flask import Flask, Request, request
from werkzeug.exceptions import RequestEntityTooLarge

from marketplace.kit import settings
from marketplace.kit.settings import Settings


class BoundedRequest(Request):
    """A request whose form has no more fields than the setting says; RequestEntityTooLarge (413) beyond it."""

    def _load_form_data(self) -> None:
        super()._load_form_data()
        if sum(len(values) for values in self.form.listvalues()) > settings.current().form_fields_max:
            raise RequestEntityTooLarge


def attach(app: Flask, chosen: Settings) -> None:
    """Bound every body; a route may ask for less, or for ``any_size``."""
    app.request_class = BoundedRequest
    app.config["MAX_CONTENT_LENGTH"] = chosen.request_body_bytes_max
    app.config["MAX_FORM_PARTS"] = chosen.form_fields_max


def any_size() -> None:
    """Let the body of this request be as large as whoever reads it allows."""
    request.max_content_length = sys.maxsize
