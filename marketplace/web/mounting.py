"""Mounting the pages on an application."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask

from marketplace.web import (
    account,
    agents,
    announcements,
    assessments,
    authorize,
    catalog,
    checkout,
    citations,
    consent,
    demand,
    desk,
    device,
    documentation,
    email,
    groups,
    home,
    joining,
    notices,
    passkeys,
    privacy_desk,
    problems,
    providers,
    ratings,
    recovery,
    register,
    repairs,
    reports,
    sessions,
    sign_in,
    teasers,
    terms,
    trials,
    watches,
    webhooks,
)
from marketplace.web.description import EXTENSION, Description

PAGES = (
    home, catalog, teasers, ratings, demand, watches, terms, register, reports, problems, documentation, checkout,
    sign_in, passkeys, providers, recovery, joining, account, email, desk, groups, notices, authorize, consent, device,
    repairs, privacy_desk, assessments, agents, webhooks, announcements, citations, trials,
)  # fmt: skip


def attach(app: Flask, describe: Callable[[], dict[str, Any]]) -> None:
    """Give the application its pages; ``describe`` returns the OpenAPI description once all routes are there."""
    app.extensions[EXTENSION] = Description(describe)
    shared = Blueprint("web", __name__, template_folder="templates", static_folder="static", static_url_path="/static")
    for blueprint in (shared, *(page.blp for page in PAGES)):
        app.register_blueprint(blueprint)
    app.after_request(sessions.send)
