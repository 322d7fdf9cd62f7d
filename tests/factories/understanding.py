"""An announced dataset, and a citation that is shown, so that there is something at their addresses."""

from datetime import timedelta

from marketplace.catalog.lineage import service as lineage
from marketplace.catalog.lineage.rules import CitationDraft
from marketplace.catalog.lineage.states import CitationKind
from marketplace.catalog.states import Theme
from marketplace.catalog.teasers import service as teasers
from marketplace.catalog.teasers.rules import TeaserDraft
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.transaction import transaction


def understood(provider: Actor, dataset_id: str) -> dict[str, str]:
    """The ids of a teaser and of a citation of the provider's own."""
    expected = clock.today() + timedelta(days=30)
    with transaction():
        teaser = teasers.announce(
            provider, TeaserDraft("積雪", "Snow", "来冬から。", "", (Theme.LAND_WEATHER,), "JP", expected)
        )
        draft = CitationDraft(CitationKind.NEWS, "掲載記事", "https://example.jp/news")
        return {"teaser_id": teaser.id, "citation_id": lineage.cite(provider, dataset_id, draft).id}
