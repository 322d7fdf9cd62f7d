"""What is refused of repairs."""

from marketplace.kit.errors import Conflict


class RepairCleared(Conflict):
    """A decision about a finding whose cause has gone."""

    slug = "repair-cleared"
    title, title_ja = "Nothing left to repair", "修復の対象がなくなりました"
    cause = "What was found there has changed since: the finding holds no longer."
    cure = "Read the repairs of the dataset again."
    cause_ja = "見つかった箇所がその後変わり、この指摘は当てはまらなくなりました。"
    cure_ja = "データセットの修復の一覧をもう一度読み取ってください。"
