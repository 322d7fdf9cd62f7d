"""The notices of incidents to one's organization, on its desk: reading them, and taking note."""

from flask import Response, request

from marketplace.catalog import queries as catalog
from marketplace.identity import queries as identity
from marketplace.identity.login import sessions as login
from marketplace.identity.permissions import PERMISSIONS, Permission
from marketplace.incidents import queries, service
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.web import forms
from marketplace.web.addresses import see
from marketplace.web.endpoint import blueprint, guarded, session
from marketplace.web.language import link
from marketplace.web.rendering import render_private

blp = blueprint("notices")
NOTICES = "/organization/notices"
CONTENTS_SHOWN = 100


@blp.get(NOTICES)
@guarded(Permission.INCIDENT_NOTICES_READ)
def show() -> Response:
    """List the notices to one's organization, newest first; overseers see those to all."""
    actor = login.actor_of(session())
    page = queries.list_notices(actor, cursor=request.args.get("cursor"), size=20)
    rule = PERMISSIONS[Permission.INCIDENT_NOTICES_ACKNOWLEDGE]
    return render_private(
        "notices.html",
        organization=identity.get_organization(actor.organization_id),
        page=page,
        shares=queries.shares_of(page.items),
        incidents=queries.incidents_of(page.items),
        manages=actor.role in rule.roles and bool(rule.capacities & actor.capacities),
        as_text=clock.text,
    )


@blp.get(f"{NOTICES}/<notice_id>")
@guarded(Permission.INCIDENT_NOTICES_READ)
def show_one(notice_id: str) -> Response:
    """List the grants that a notice is about, with the files and bytes of them that arrived."""
    actor = login.actor_of(session())
    notice, incident = queries.get_notice(actor, notice_id)
    page = queries.list_noticed_grants(actor, notice_id, cursor=request.args.get("cursor"))
    file_ids = {file_id for one in page.items for content in one.contents for file_id in content["file_ids"]}
    return render_private(
        "notice.html",
        organization=identity.get_organization(actor.organization_id),
        notice=notice,
        incident=incident,
        page=page,
        contents_shown=CONTENTS_SHOWN,
        datasets=catalog.find_datasets({one.dataset_id for one in page.items}),
        names=catalog.file_names(file_ids),
    )


@blp.post(f"{NOTICES}/acknowledge")
@guarded(Permission.INCIDENT_NOTICES_ACKNOWLEDGE)
def acknowledge() -> Response:
    """Take note of a notice."""
    form = forms.read("notice_id")
    with transaction():
        service.acknowledge(login.actor_of(session()), form["notice_id"])
    return see(link(NOTICES))
