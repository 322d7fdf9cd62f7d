"""What assessments refuse."""

from marketplace.kit.errors import Conflict


class AssessmentMissing(Conflict):
    """A listing needs an assessment that there is not."""

    slug = "assessment-missing"
    title, title_ja = "Privacy impact assessment missing", "プライバシー影響評価がありません"
    cause = (
        "What this dataset holds of people asks for a privacy impact assessment of the depth in `depth`, accepted "
        "after its time for objections, and made of what is stated of the dataset now."
    )
    cure = "Open one at `/v1/datasets/{id}/assessments`, answer its questions, and have it reviewed."
    cause_ja = (
        "このデータセットには、depth に示す深さのプライバシー影響評価が必要です。"
        "現在の申告内容に基づき、意見申出期間を経て承認されたものに限ります。"
    )
    cure_ja = "/v1/datasets/{id}/assessments で評価を始め、質問に答えて審査を受けてください。"


class AssessmentUnneeded(Conflict):
    """An assessment is to be opened for a dataset that needs none."""

    slug = "assessment-unneeded"
    title, title_ja = "No assessment is needed", "評価は不要です"
    cause = "By its class and by what was found and stated, this dataset passes without an assessment."
    cure = "Publish and offer it; read `/v1/datasets/{id}/assessments` for the grounds."
    cause_ja = "区分、検査結果および申告内容から、このデータセットに評価は必要ありません。"
    cure_ja = "そのまま公開・出品できます。判断の理由は /v1/datasets/{id}/assessments で確認できます。"


class AssessmentOpen(Conflict):
    """Another assessment of the dataset is under way."""

    slug = "assessment-open"
    title, title_ja = "An assessment is under way", "評価が進行中です"
    cause = "One assessment of a dataset is made at a time, and `assessment_id` names the one under way."
    cure = "Go on with that one."
    cause_ja = "一つのデータセットの評価は同時に一つだけです。assessment_id が進行中のものを示します。"
    cure_ja = "進行中の評価を続けてください。"


class AssessmentElsewhere(Conflict):
    """The assessment is not in a state that allows the deed."""

    slug = "assessment-elsewhere"
    title, title_ja = "Not at this stage", "この段階ではできません"
    cause = "The assessment has come to another stage, which `state` names, or its time for objections is not over."
    cure = "Read it again and do what its stage asks for."
    cause_ja = "評価は state に示す別の段階にあるか、意見申出期間が終わっていません。"
    cure_ja = "もう一度読み取り、その段階に応じた操作をしてください。"


class AssessmentIncomplete(Conflict):
    """An assessment is to be submitted with questions unanswered."""

    slug = "assessment-incomplete"
    title, title_ja = "Questions are unanswered", "未回答の質問があります"
    cause = "Every question of the assessment and a summary in both languages are needed; `missing` names what is not."
    cure = "Answer what `missing` names, and submit again."
    cause_ja = "すべての質問への回答と、両言語の概要が必要です。missing が足りないものを示します。"
    cure_ja = "missing に示すものを補って、もう一度提出してください。"


class ObjectionsUnanswered(Conflict):
    """An assessment is to be concluded while an objection has no response."""

    slug = "objections-unanswered"
    title, title_ja = "Objections without a response", "回答していない意見があります"
    cause = "Each objection gets a response before the assessment is concluded."
    cure = "Respond at `/v1/assessments/{id}/objections/{objection_id}/response`."
    cause_ja = "評価を終える前に、申し出のあった意見のすべてに回答する必要があります。"
    cure_ja = "/v1/assessments/{id}/objections/{objection_id}/response で回答してください。"
