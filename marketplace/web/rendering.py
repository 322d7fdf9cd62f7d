"""From a template to a response, in the reader's language."""

from typing import Any
from urllib.parse import quote

from flask import Response, make_response, render_template

from marketplace.kit import settings
from marketplace.web import figures, forms, language, prices


def render(template: str, *, status: int = 200, **context: Any) -> Response:
    """Return a page. Templates find the words of the language and the figures in their context."""
    chosen = language.chosen()
    body = render_template(
        f"web/{template}",
        language=chosen,
        languages=language.NAMES,
        asked=language.asked(),
        say=language.say,
        link=language.link,
        switch=language.switch,
        figures=figures,
        prices=prices,
        path_part=path_part,
        form_token=forms.token,
        base_url=settings.current().base_url,
        **context,
    )
    response = make_response(body, status)
    response.headers["Content-Language"] = chosen
    response.headers["Cache-Control"] = "no-cache"
    response.vary.update(["Accept", "Accept-Language"])
    return response


def render_private(template: str, *, status: int = 200, **context: Any) -> Response:
    """Return a page made for one person: nobody keeps it."""
    response = render(template, status=status, **context)
    response.headers["Cache-Control"] = "no-store"
    return response


def path_part(text: str) -> str:
    """Return any text as one segment of a path."""
    return quote(text, safe="")
