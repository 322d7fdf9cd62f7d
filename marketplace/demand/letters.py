"""What is written of a data request, in both languages."""

from collections.abc import Sequence

from marketplace.demand.models import DataRequest
from marketplace.demand.states import EVENT_LABELS, Event
from marketplace.identity.login.letters import Letter

TITLE_SHOWN = 80
LISTED_SHOWN = 20


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


def of_new_requests(titles: Sequence[tuple[str, str]], page: str, leave: str) -> Letter:
    """Tell a provider what others need that it could answer: titles with their addresses."""
    number = len(titles)
    lines = "\n".join(
        f"・{' '.join(title.split())[:TITLE_SHOWN]}\n  {address}" for title, address in titles[:LISTED_SHOWN]
    )
    return Letter(
        f"新しいデータのリクエスト {number} 件 / {number} new data requests",
        f"貴組織の掲載データと分野・地域が近い、新しいリクエストがあります（{number} 件）。"
        f"要旨・見積り・掲載データで回答できます。\n\n{lines}\n\nすべてのリクエスト:\n{page}\n\n"
        f"このお知らせをやめる（サインイン不要、貴組織全体）:\n{leave}\n\n"
        f"Others need data of themes and regions that you list ({number}): you may answer with a teaser, a quote or a"
        f" dataset. The list stands above. All requests:\n{page}\n\n"
        f"To end these letters for your organization, without signing in:\n{leave}\n",
    )


def of_new_listings(name: str, titles: Sequence[tuple[str, str, str]], leave: str) -> Letter:
    """Tell whoever saved a search what came that it finds: titles in both languages with their addresses."""
    short, number = " ".join(name.split())[:TITLE_SHOWN], len(titles)
    lines_ja = "\n".join(f"・{' '.join(ja.split())}\n  {address}" for ja, _en, address in titles[:LISTED_SHOWN])
    lines_en = "\n".join(f"- {' '.join(en.split())}\n  {address}" for _ja, en, address in titles[:LISTED_SHOWN])
    return Letter(
        f"保存した検索「{short}」に新着 {number} 件 / {number} new for your search",
        f"保存した検索「{short}」に合うデータが新しく掲載されました（{number} 件）。\n\n{lines_ja}\n\n"
        f"このお知らせをやめる（サインイン不要）:\n{leave}\n\n"
        f"New data for your saved search “{short}” ({number}).\n\n{lines_en}\n\n"
        f"To hear no more of it, without signing in:\n{leave}\n",
    )
