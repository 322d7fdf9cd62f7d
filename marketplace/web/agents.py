"""The budget of an organization's agents: set here by a person, since a program could raise its own."""

from flask import Response

from marketplace.identity import queries
from marketplace.identity.login import sessions as login
from marketplace.identity.permissions import PERMISSIONS, Permission
from marketplace.kit.errors import Invalid, Refusal
from marketplace.kit.transaction import transaction
from marketplace.metering import agents
from marketplace.web import forms
from marketplace.web.addresses import see
from marketplace.web.endpoint import blueprint, guarded, session
from marketplace.web.language import link
from marketplace.web.rendering import render_private
from marketplace.web.sign_in import trouble_of

blp = blueprint("agents")
PATH = "/organization/agents"
MIB = 2**20
_DIGITS_MAX = 12


@blp.get(PATH)
@guarded(Permission.AGENTS_READ)
def show() -> Response:
    """Show what agents may fetch in a day, and what they were given today."""
    return _page()


@blp.post(PATH)
@guarded(Permission.AGENTS_BOUND)
def set_budget() -> Response:
    """Set what agents may fetch in a day."""
    form = forms.read("mib_per_day", "yen_per_day")
    try:
        size = _whole(form["mib_per_day"], "mib_per_day", agents.BYTES_MAX // MIB) * MIB
        yen = _whole(form["yen_per_day"], "yen_per_day", agents.YEN_MAX)
        with transaction():
            agents.set_budget(login.actor_of(session()), size, yen)
    except Invalid as refusal:
        return _page(refusal)
    return see(link(PATH))


def _whole(given: str, name: str, most: int) -> int:
    said = given.strip().replace(",", "")
    if not (said.isascii() and said.isdigit() and len(said) <= _DIGITS_MAX and int(said) <= most):
        raise Invalid(errors=[{"pointer": f"/{name}", "detail": f"must be a whole number from 0 to {most:,}"}])
    return int(said)


def _page(refusal: Refusal | None = None) -> Response:
    actor = login.actor_of(session())
    rule = PERMISSIONS[Permission.AGENTS_BOUND]
    return render_private(
        "agents.html",
        status=refusal.status if refusal else 200,
        organization=queries.get_organization(actor.organization_id),
        budget=agents.find_budget(actor.organization_id),
        manages=actor.role in rule.roles and bool(rule.capacities & actor.capacities),
        trouble=trouble_of(refusal),
        mib=MIB,
    )
