"""What disputes refuse."""

from marketplace.kit.errors import NotFound


class DisputeNotFound(NotFound):
    """No such dispute for this caller."""

    slug = "dispute-not-found"
    title, title_ja = "Dispute not found", "異議が見つかりません"
    cause = "No dispute with this id has your organization as a party."
    cure = "List your disputes and take the id from there."
    cause_ja = "貴組織が当事者である、このIDの異議はありません。"
    cure_ja = "異議の一覧を取得し、そこからIDを選んでください。"
