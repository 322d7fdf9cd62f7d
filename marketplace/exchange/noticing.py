"""Noticing: what is listed anew → the saved searches that find it → letters and webhooks, each dataset once."""

from marketplace.catalog import listings
from marketplace.catalog.errors import IndexBroken
from marketplace.demand import letters, watching
from marketplace.demand.watch_models import CatalogWatch
from marketplace.demand.watching import Listed
from marketplace.exchange import facilities, listing, news
from marketplace.identity import queries as identity
from marketplace.identity import roles
from marketplace.kit import jobs, mail, settings
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.transaction import transaction


@jobs.task("catalog.watches", cron="*/15 * * * *", slow=True)
def look() -> None:
    """Look through what was listed since the last time for all saved searches, and tell what they find."""
    try:
        listing.index()
        while _look_on():
            pass
    except IndexBroken:
        return  # it is made anew, and what was listed waits
    while untold := watching.list_untold():
        for watch_id in untold:
            with transaction():
                _tell(watch_id)


def _look_on() -> bool:
    """Look through some listings; what was found and how far one has looked are kept together."""
    with transaction():
        found = watching.take_listed()
        last = ""
        while found and (some := watching.list_live(last)):
            for watch in some:
                watching.note_hits(watch, _matching(watch, found))
            last = some[-1].id
        return bool(found)


def _matching(watch: CatalogWatch, found: list[Listed]) -> list[str]:
    new = [one.dataset_id for one in found if one.came_at >= watch.created_at]
    if not new:
        return []
    try:
        return sorted(facilities.current().index.matching(watch.words, watch.filters, new))
    except Invalid:
        return []  # a filter that there is no longer


def _tell(watch_id: str) -> None:
    watch = watching.read(watch_id)
    documents = listings.find_listings(watching.take_untold(watch_id))
    if not documents or watch.ended_at is not None:
        return
    shown = sorted(documents.values(), key=lambda one: str(one["id"]))
    news.search_matched(watch.organization_id, watch.id, watch.name, shown)
    base = settings.current().base_url
    leave = f"{base}/saved-searches/unsubscribe?watch={watch.id}&key={watching.key_of(watch.id)}"
    titles = [
        (one["title_ja"] or one["title_en"], one["title_en"] or one["title_ja"], f"{base}/catalog/{one['id']}")
        for one in shown
    ]
    letter = letters.of_new_listings(watch.name, titles, leave)
    for address in _addresses(watch):
        mail.send(address, letter.subject, letter.body, leave)


def _addresses(watch: CatalogWatch) -> list[str]:
    """Return the address of whoever saved a search, as long as they are a member; of the buyers where a program did."""
    if watch.member_id is None:
        return list(identity.list_addresses(watch.organization_id, roles.BUYING))
    try:
        member = identity.get_member(watch.organization_id, watch.member_id)
    except NotFound:
        return []
    return [member.email] if member.email else []
