"""What stands of a finding, and what people read of each kind."""

from enum import StrEnum

from marketplace.catalog.cleaning.mending import Rule
from marketplace.catalog.states import Label


class RepairState(StrEnum):
    """Whether a finding is in force: applied by itself, or accepted or refused by the provider.

    ``cleared`` is one whose cause has gone.
    """

    SUGGESTED = "suggested"
    APPLIED = "applied"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    CLEARED = "cleared"


REPAIR_STATE_LABELS = {
    RepairState.SUGGESTED: Label("提案", "suggested"),
    RepairState.APPLIED: Label("自動で適用済み", "applied by itself"),
    RepairState.ACCEPTED: Label("採用", "accepted"),
    RepairState.REFUSED: Label("不採用", "refused"),
    RepairState.CLEARED: Label("解消", "cleared"),
}
IN_FORCE = (RepairState.APPLIED, RepairState.ACCEPTED)
RULE_LABELS = {
    Rule.FREQUENCY: Label("自由記述の更新頻度を符号に直しました", "The frequency, written freely, as a code"),
    Rule.LICENCE: Label("ライセンスの表記を符号に直しました", "The licence, written freely, as a code"),
    Rule.REGION: Label(
        "地名から地方公共団体コードを補いました", "The local-government code of the place that is named"
    ),
    Rule.THEMES: Label("題名と内容から分野を提案します", "Themes that title and contents speak of"),
    Rule.TAGS: Label("題名と内容からキーワードを提案します", "Keywords that title and contents speak of"),
    Rule.DESCRIPTION: Label(
        "短い説明を、記録にある事実で補いました", "A short description, with what the record itself knows"
    ),
    Rule.PERIOD: Label("題名から対象期間を読み取りました", "The time that the title speaks of"),
    Rule.FORMATS: Label("ファイル形式の表記をそろえました", "File formats under their usual names"),
    Rule.LICENCE_CONFLICT: Label(
        "カタログのライセンスと、ファイルや説明の中のライセンスが食い違っています",
        "The catalogue names another licence than the file, or the description, does",
    ),
    Rule.DUPLICATE: Label("同じ内容とみられるデータセットがあります", "Another dataset seems to be the same"),
    Rule.DEAD_LINKS: Label("開けないリンクがあります", "Links that lead nowhere"),
    Rule.OVERDUE: Label("予定された更新が遅れています", "The promised update is late"),
    Rule.ENCODING: Label(
        "UTF-8 でない文字コードのファイルがあります。採用すると、UTF-8 の写しの版を下書きで用意します",
        "Files are in another encoding than UTF-8. Accept, and a release of copies in UTF-8 is drafted",
    ),
    Rule.DATES: Label(
        "和暦の日付の列があります。採用すると、ISO 8601 の日付にした写しの版を下書きで用意します",
        "Columns hold days of Japanese eras. Accept, and a release of copies with days of ISO 8601 is drafted",
    ),
}
