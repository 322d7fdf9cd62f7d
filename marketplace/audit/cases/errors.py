"""What case files refuse."""

from marketplace.kit.errors import Conflict


class CaseMoved(Conflict):
    """The case is not in a state that allows this."""

    slug = "case-moved"
    title, title_ja = "The case is not in that state", "事案がその状態にありません"
    cause = "A case is somebody's before it is closed, and what is closed stays closed; `state` says which it is."
    cure = "Read the case again; assign it to somebody, who then closes it. More of the same opens a case of its own."
    cause_ja = "事案は担当者を決めてから終結します。終結した事案は変更できません。state が現在の状態です。"
    cure_ja = "事案をもう一度読み取り、担当者を決めてから終結してください。同様の事象が続けば、別の事案が立ちます。"
