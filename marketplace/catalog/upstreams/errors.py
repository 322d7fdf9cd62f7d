"""What an upstream is not asked for, and what becomes of it when it answers badly."""

from marketplace.kit.errors import Invalid, NotFound, Refusal, Unavailable


class PathNotOffered(NotFound):
    """The provider offers no such path; nothing was asked."""

    slug = "path-not-offered"
    title, title_ja = "Path not offered", "提供されていないパスです"
    cause = "The provider offers some paths of its API through the exchange, and this is none of them."
    cure = "Use a path of `paths`; `{…}` stands for one segment, a final `*` for one or more."
    cause_ja = "提供者が取引所を通じて提供しているAPIのパスに、このパスは含まれていません。"
    cure_ja = "paths に示されたパスを使ってください。{…} は一つの区切り、末尾の * は一つ以上の区切りを表します。"


class UpstreamFoundNothing(NotFound):
    """The provider's API was asked, and has nothing there."""

    slug = "upstream-found-nothing"
    title, title_ja = "The provider has nothing there", "提供者のAPIに該当するものがありません"
    cause = "The provider's API was asked and answered with 404 or 410. You were not charged."
    cure = "Compare path and parameters with the description at `/v1/datasets/{id}/upstream/openapi`."
    cause_ja = "提供者のAPIが404または410で応答しました。料金は発生していません。"
    cure_ja = "/v1/datasets/{id}/upstream/openapi の説明と、パスおよびパラメーターを照らし合わせてください。"


class UpstreamInputRefused(Invalid):
    """The provider's API was asked, and does not understand what was asked."""

    slug = "upstream-input-refused"
    title, title_ja = "The provider refuses the request", "提供者のAPIが要求を受け付けません"
    cause = "The provider's API was asked and answered with 400 or 422. You were not charged."
    cure = "Compare path and parameters with the description at `/v1/datasets/{id}/upstream/openapi`."
    cause_ja = "提供者のAPIが400または422で応答しました。料金は発生していません。"
    cure_ja = "/v1/datasets/{id}/upstream/openapi の説明と、パスおよびパラメーターを照らし合わせてください。"


class UpstreamFailed(Refusal):
    """The provider's API cannot be reached, or answers with what is not passed on."""

    slug, status = "upstream-failed", 502
    title, title_ja = "The provider's API failed", "提供者のAPIから応答を得られません"
    cause = "The provider's API does not answer, or not with what may be passed on. You were not charged."
    cure = "Try again later; if it stays so, write to the provider: the contact stands in the dataset's record."
    cause_ja = "提供者のAPIが応答しないか、そのまま渡せない応答をしました。料金は発生していません。"
    cure_ja = "時間をおいて再試行してください。続く場合は、データセットの記録にある提供者の連絡先に連絡してください。"


class UpstreamTimeout(Refusal):
    """The provider's API takes longer than is waited for."""

    slug, status = "upstream-timeout", 504
    title, title_ja = "The provider's API is too slow", "提供者のAPIの応答が遅すぎます"
    cause = "The provider's API had not answered completely when the time for it was over. You were not charged."
    cure = "Ask for less at once, or try again later."
    cause_ja = "提供者のAPIの応答が、制限時間内に完了しませんでした。料金は発生していません。"
    cure_ja = "一度に求める量を減らすか、時間をおいて再試行してください。"


class UpstreamBusy(Unavailable):
    """As many requests are under way as may be at once."""

    slug = "upstream-busy"
    title, title_ja = "Too many requests at once", "提供者のAPIへの要求が混み合っています"
    cause = "As many requests to providers are under way as the exchange allows at once; yours was not begun."
    cure = "Send the same request again after the seconds in Retry-After."
    cause_ja = "提供者のAPIへ同時に送れる要求の上限に達しています。この要求は開始されていません。"
    cure_ja = "Retry-Afterの秒数の後に、同じ要求を送ってください。"
