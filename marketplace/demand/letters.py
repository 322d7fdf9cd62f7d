"""What is written of a data request, in both languages."""

from marketplace.demand.models import DataRequest
from marketplace.demand.states import EVENT_LABELS, Event
from marketplace.identity.login.letters import Letter

TITLE_SHOWN = 80


def of_event(request: DataRequest, event: Event, address: str) -> Letter:
    """Tell the requester or a follower what became of a request, and where to read it."""
    ja, en = EVENT_LABELS[event]
    title = " ".join(request.title.split())[:TITLE_SHOWN]
    return Letter(
        f"データのリクエスト「{title}」について / About the data request {request.id}",
        f"データのリクエスト「{title}」は、{ja}。\n詳しくは次のページをご覧ください。\n\n{address}\n\n"
        f"このお知らせは、リクエストを出した組織とフォローしている組織にお送りしています。"
        f"同じページでフォローをやめることができます。\n\n"
        f"Of the data request “{title}”: {en}.\nRead more at\n\n{address}\n\n"
        f"This goes to the organization that stated the request and to those that follow it; the same page lets you"
        f" stop following.\n",
    )
