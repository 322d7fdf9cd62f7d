"""What incidents refuse."""

from marketplace.kit.errors import Conflict


class IncidentClosed(Conflict):
    """An incident that is over is changed no more."""

    slug = "incident-closed"
    title, title_ja = "Incident closed", "インシデントは終結しています"
    cause = "The incident was closed with its report, and what is on the record of it stays as it is."
    cure = "Open another incident, and name this one in its summary."
    cause_ja = "このインシデントは報告書をもって終結しており、記録は変更できません。"
    cure_ja = "新しいインシデントを開き、概要でこのインシデントに触れてください。"


class IncidentUntold(Conflict):
    """An organization that an incident touches has had no notice of it."""

    slug = "incident-untold"
    title, title_ja = "Affected organizations not told", "未通知の関係組織があります"
    cause = "The organizations in `organization_ids` are affected and have no notice yet."
    cure = "Send the notices (`POST /v1/incidents/{id}/notices`), then close the incident."
    cause_ja = "影響を受ける `organization_ids` の組織に、まだ通知していません。"
    cure_ja = "通知を送り（`POST /v1/incidents/{id}/notices`）、その後に終結してください。"


class IncidentUnreported(Conflict):
    """A report that the law asks for has not been noted."""

    slug = "incident-unreported"
    title, title_ja = "Reports to the authority missing", "当局への報告が未了です"
    cause = "Personal data are concerned, and the reports in `stages` to the authority were not noted yet."
    cure = "Make the reports, and note each with its reference (`POST /v1/incidents/{id}/reports`)."
    cause_ja = "個人データに関わる事態ですが、`stages` の報告がまだ記録されていません。"
    cure_ja = "報告を行い、受付番号とともに記録してください（`POST /v1/incidents/{id}/reports`）。"


class IncidentReported(Conflict):
    """The report of a stage was noted before, with another reference, or none is due."""

    slug = "incident-reported"
    title, title_ja = "No such report due", "該当する報告はありません"
    cause = "This report was noted already, or the incident concerns no personal data and owes none."
    cure = "Read the incident: its `duties` say what was reported, when, and under which reference."
    cause_ja = "この報告はすでに記録されているか、個人データに関わらないため報告を要しません。"
    cure_ja = "インシデントの `duties` で、報告の状況と受付番号を確認してください。"


class SalesHalted(Conflict):
    """New orders of a dataset rest because of an incident."""

    slug = "sales-halted"
    title, title_ja = "Sales halted", "販売を一時停止しています"
    cause = "The operator has halted new orders of this dataset while an incident is being looked into."
    cure = "Wait until the dataset can be ordered again; the operator tells everybody who is affected."
    cause_ja = "インシデントの調査のため、運営者がこのデータセットの新規注文を停止しています。"
    cure_ja = "販売の再開をお待ちください。影響を受ける方には運営者から通知します。"
