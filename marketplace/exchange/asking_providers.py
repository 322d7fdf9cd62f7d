"""Asking providers: what was stated lately → who could answer it → one letter and one webhook a day for each."""

from collections.abc import Sequence
from typing import Any

from marketplace.demand import letters, telling
from marketplace.demand.models import DataRequest
from marketplace.exchange import news
from marketplace.identity import queries as identity
from marketplace.identity import roles
from marketplace.kit import jobs, mail, settings
from marketplace.kit.transaction import transaction


@jobs.task("demand.digest", cron="31 23 * * *")
def tell() -> None:
    """Tell providers of new requests that they could answer, each once a day; at 08:31 in Japan."""
    while due := telling.list_due():
        for organization_id in due:
            with transaction():
                _tell(organization_id, telling.take(organization_id))


def _tell(organization_id: str, requests: Sequence[DataRequest]) -> None:
    if not requests:
        return
    shown = [_shown(one) for one in requests]
    news.requests_stated(organization_id, shown)
    if not telling.wants_letters(organization_id):
        return
    base = settings.current().base_url
    leave = f"{base}/data-requests/unsubscribe?organization={organization_id}&key={telling.key_of(organization_id)}"
    letter = letters.of_new_requests([(one["title"], one["url"]) for one in shown], f"{base}/requests", leave)
    for address in identity.list_addresses(organization_id, roles.LISTING):
        mail.send(address, letter.subject, letter.body, leave)


def _shown(request: DataRequest) -> dict[str, Any]:
    base = settings.current().base_url
    return {
        "id": request.id,
        "title": request.title,
        "theme": request.theme,
        "region": request.region,
        "deadline": request.deadline.isoformat(),
        "budget_yen": request.budget_yen,
        "url": f"{base}/requests/{request.id}",
        "api_url": f"{base}/v1/data-requests/{request.id}",
    }
