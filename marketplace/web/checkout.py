"""Where a payer comes back to from the payment page.

These pages read nothing and cause nothing: whoever knows or guesses an address learns nothing from it, and
what became of a payment is told by the gateway's signed events alone.
"""

from flask import Response

from marketplace.identity.permissions import Permission
from marketplace.web.endpoint import blueprint, guarded
from marketplace.web.rendering import render

blp = blueprint("checkout")


@blp.get("/checkout/<payment_id>/done")
@guarded(Permission.SYSTEM_READ)
def done(payment_id: str) -> Response:  # noqa: ARG001 - the page is the same for every payment
    """Tell somebody who has paid where to see the order."""
    return _page("done")


@blp.get("/checkout/<payment_id>/cancelled")
@guarded(Permission.SYSTEM_READ)
def cancelled(payment_id: str) -> Response:  # noqa: ARG001 - the page is the same for every payment
    """Tell somebody who turned back how to go on."""
    return _page("cancelled")


def _page(came_from: str) -> Response:
    response = render("checkout.html", came_from=came_from)
    response.headers["Cache-Control"] = "no-store"
    return response
