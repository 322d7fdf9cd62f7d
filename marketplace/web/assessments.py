"""Impact assessments for everybody: their summaries, objecting while one is open to that, and beginning one."""

from typing import Any

from flask import Response, request

from marketplace.exchange import assessing
from marketplace.identity.actors import Actor
from marketplace.identity.login import sessions as login
from marketplace.identity.permissions import Permission
from marketplace.kit import clock
from marketplace.kit.errors import Conflict, Invalid, Refusal
from marketplace.kit.transaction import transaction
from marketplace.privacy.assessments import queries
from marketplace.privacy.assessments.rules import WORDS_MAX
from marketplace.privacy.assessments.states import AssessmentState
from marketplace.privacy.states import PrivacyClass
from marketplace.web import forms, sessions
from marketplace.web.addresses import see, sign_in
from marketplace.web.endpoint import blueprint, guarded, may, session
from marketplace.web.language import link
from marketplace.web.privacy_desk import ASSESSMENTS, show_all, summary
from marketplace.web.rendering import path_part, render, render_private
from marketplace.web.sign_in import trouble_of

blp = blueprint("assessments")
PUBLIC = "/assessments"


@blp.get(PUBLIC)
@guarded(Permission.CATALOG_READ)
def list_summaries() -> Response:
    """List the published summaries of assessments."""
    page = queries.list_public(cursor=request.args.get("cursor"))
    following = link(PUBLIC, [("cursor", page.next_cursor)]) if page.next_cursor else None
    return render("assessments.html", assessments=[summary(one) for one in page.items], following=following)


@blp.get(f"{PUBLIC}/<assessment_id>")
@guarded(Permission.CATALOG_READ)
def show_summary(assessment_id: str) -> Response:
    """Show the published summary of an assessment with its objections counted, and the form for another one."""
    return _page(assessment_id)


@blp.post(f"{ASSESSMENTS}/<assessment_id>/object")
@guarded(Permission.ASSESSMENTS_OBJECT)
def object_to(assessment_id: str) -> Response:
    """Object to a listing while its assessment is open to that; the first objection of an organization stays."""
    form = forms.read("words")
    try:
        with transaction():
            assessing.object_to(_actor(), assessment_id, form["words"])
    except (Conflict, Invalid) as refusal:
        return _page(assessment_id, refusal)
    return see(link(f"{PUBLIC}/{path_part(assessment_id)}"))


@blp.post(f"{ASSESSMENTS}/begin")
@guarded(Permission.PRIVACY_ANSWER)
def begin() -> Response:
    """Begin the assessment of a dataset of one's own, as deep as the threshold asks."""
    form, made = forms.read("dataset_id", "privacy_class"), list[str]()
    wanted = form["privacy_class"]
    chosen = PrivacyClass(wanted) if wanted in set(PrivacyClass) else PrivacyClass.NON_PERSONAL
    try:
        with transaction():
            made.append(assessing.begin(_actor(), form["dataset_id"], chosen).id)
    except (Conflict, Invalid) as refusal:
        return show_all(refusal)
    return see(link(f"{ASSESSMENTS}/{made[0]}"))


def _actor() -> Actor:
    return login.actor_of(session())


def _page(assessment_id: str, refusal: Refusal | None = None) -> Response:
    found, visitor = queries.get_public(assessment_id), sessions.current()
    is_open = found.state == AssessmentState.OBJECTION
    is_open = is_open and found.objections_until is not None and clock.now() < found.objections_until
    shown: dict[str, Any] = {
        "assessments": [summary(found)],
        "following": None,
        "alone": True,
        "is_open": is_open,
        "objects": is_open and may(login.actor_of(visitor) if visitor else None, Permission.ASSESSMENTS_OBJECT),
        "signed_in": visitor is not None,
        "sign_in": sign_in(f"{PUBLIC}/{path_part(found.id)}"),
        "action": f"{ASSESSMENTS}/{path_part(found.id)}/object",
        "words_max": WORDS_MAX,
        "trouble": trouble_of(refusal),
    }
    if visitor is None:
        return render("assessments.html", **shown)
    return render_private("assessments.html", status=refusal.status if refusal else 200, **shown)
