"""The front page."""

from flask import Response

from marketplace.catalog import listings
from marketplace.identity.permissions import Permission
from marketplace.web.endpoint import blueprint, guarded
from marketplace.web.rendering import render

blp = blueprint("home")
NEWEST = 6


@blp.get("/")
@guarded(Permission.CATALOG_READ)
def show() -> Response:
    """Say what this exchange is, and show what came last."""
    # From the listings, not from the derived index: the front page stands while the index is rebuilt.
    return render("home.html", newest=listings.list_listings(size=NEWEST).items, total=listings.count_listings())
