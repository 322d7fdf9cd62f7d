"""For what something waits at the gate, and how what was decided is called in letters."""

from marketplace.kit.labels import Labelled


class Occasion(Labelled):
    """What waits, by what has to happen next."""

    ANSWER = "answer", "検出結果が回答を待っています", "Findings wait for an answer"
    SECOND = "second", "検出結果への回答が二人目の確認を待っています", "Answers to findings wait for a second person"
    REFUSED = (
        "refused",
        "マイナンバーを含むファイルを受け付けませんでした",
        "A file was refused for My Numbers",
    )
    REVIEW = "review", "プライバシー影響評価が審査を待っています", "An impact assessment waits for its review"
    CONCLUDE = (
        "conclude",
        "プライバシー影響評価が結論を待っています",
        "An impact assessment waits for its conclusion",
    )

    @property
    def is_of_assessment(self) -> bool:
        """Whether an assessment waits, and not what was found in files."""
        return self in {Occasion.REVIEW, Occasion.CONCLUDE}


class Decision(Labelled):
    """What was decided."""

    AGREED = (
        "agreed",
        "検出結果はすべて確認され、版を公開できます",
        "All findings of a release are settled",
    )
    NOT_AGREED = "notAgreed", "検出結果への回答が差し戻されました", "An answer to a finding was sent back"
    SIGNED_OFF = (
        "signedOff",
        "プライバシー影響評価が審査を通り、意見申出期間に入りました",
        "An impact assessment was signed off and is open to objections",
    )
    SENT_BACK = "sentBack", "プライバシー影響評価が差し戻されました", "An impact assessment was sent back"
    OBJECTED = (
        "objected",
        "プライバシー影響評価に意見が申し出られました",
        "Somebody objected to an impact assessment",
    )
    ACCEPTED = "accepted", "プライバシー影響評価が承認されました", "An impact assessment was accepted"
    REJECTED = "rejected", "プライバシー影響評価が承認されませんでした", "An impact assessment was rejected"
