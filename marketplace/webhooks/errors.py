"""What webhooks refuse."""

from marketplace.kit.errors import Conflict


class EndpointsFull(Conflict):
    """An organization has as many endpoints as it may."""

    slug = "webhook-endpoints-full"
    title, title_ja = "Too many endpoints", "Webhookの宛先が上限に達しています"
    cause = "Your organization has as many webhook endpoints as one may have."
    cure = "Remove one that is not needed, or have one endpoint take more kinds of events."
    cause_ja = "貴組織のWebhookの宛先は、既に上限の数に達しています。"
    cure_ja = "不要な宛先を削除するか、一つの宛先で受け取るイベントの種類を増やしてください。"


class EndpointStale(Conflict):
    """The endpoint has changed since it was read."""

    slug, status = "webhook-endpoint-stale", 412
    title, title_ja = "Endpoint has changed", "Webhookの宛先が変更されています"
    cause = "Somebody has changed the endpoint since the version in If-Match was read."
    cure = "Read it again, and send its new ETag in If-Match."
    cause_ja = "If-Matchの版を読み取った後に、宛先が変更されました。"
    cure_ja = "もう一度読み取り、新しいETagをIf-Matchに付けて送ってください。"
