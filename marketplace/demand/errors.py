"""What demand refuses."""

from marketplace.kit.errors import Conflict


class RequestEnded(Conflict):
    """A data request that is met, closed, expired or merged takes nothing more."""

    slug = "request-ended"
    title, title_ja = "Data request ended", "リクエストは終了しています"
    cause = "The data request was met, closed or merged, or its deadline has passed."
    cure = "Read it again: `merged_into_id` names the one it went into; otherwise state a new one."
    cause_ja = "このリクエストは解決・取下げ・統合されたか、期限が過ぎています。"
    cure_ja = (
        "もう一度読み取ってください。統合先は `merged_into_id` にあります。なければ新しいリクエストを出してください。"
    )


class RequestsTooMany(Conflict):
    """An organization has as many live data requests as it may have."""

    slug = "requests-too-many"
    title, title_ja = "Too many open data requests", "募集中のリクエストが多すぎます"
    cause = "Your organization has as many open data requests as it may have at a time (`most`)."
    cure = "Close those that you need no longer, or merge those that are alike."
    cause_ja = "募集中のリクエストが、一つの組織に許される上限（`most`）に達しています。"
    cure_ja = "不要になったものを取り下げるか、似たものを統合してください。"


class OwnRequest(Conflict):
    """An organization follows, pledges for or answers its own data request."""

    slug = "own-request"
    title, title_ja = "Your own data request", "自組織のリクエストです"
    cause = "The data request is your own organization's: it is told of it anyway, and its budget is in it."
    cure = "Follow, pledge for and answer the requests of others."
    cause_ja = "自組織のリクエストです。結果は必ず通知され、予算はリクエスト自体に記載されています。"
    cure_ja = "フォロー、支払意思の表明、回答は、他の組織のリクエストに対して行ってください。"


class AnsweredAlready(Conflict):
    """A provider answers with the same dataset again, or more often than it may."""

    slug = "answered-already"
    title, title_ja = "Answered already", "すでに回答しています"
    cause = "Your organization has answered this data request with this dataset, or as often as it may (`most`)."
    cure = "Withdraw an answer that no longer holds, and answer again."
    cause_ja = "このデータセットで回答済みか、一つのリクエストに許される回答数（`most`）に達しています。"
    cure_ja = "有効でなくなった回答を取り下げてから、もう一度回答してください。"


class SearchSaved(Conflict):
    """An organization saves the same search again."""

    slug = "search-saved"
    title, title_ja = "Search saved already", "すでに保存されている検索です"
    cause = "Your organization has saved a search with the same words and filters."
    cure = "Use the one that there is (`GET /v1/saved-searches`), or end it first."
    cause_ja = "同じ語句と絞り込みの検索が、すでに貴組織で保存されています。"
    cure_ja = "既存のもの（`GET /v1/saved-searches`）を使うか、先に終了してください。"


class SearchesTooMany(Conflict):
    """An organization has as many saved searches as it may have."""

    slug = "searches-too-many"
    title, title_ja = "Too many saved searches", "保存した検索が多すぎます"
    cause = "Your organization has as many saved searches as it may have at a time (`most`)."
    cure = "End those that you need no longer."
    cause_ja = "保存した検索が、一つの組織に許される上限（`most`）に達しています。"
    cure_ja = "不要になったものを終了してください。"
