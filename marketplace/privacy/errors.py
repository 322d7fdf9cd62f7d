"""What privacy refuses."""

from marketplace.kit.errors import Conflict, Invalid


class PrivacyClassNotListable(Invalid):
    """Data of this privacy class may not be offered to third parties here."""

    slug = "privacy-class-not-listable"
    title, title_ja = "Privacy class may not be listed", "この類別のデータは出品できません"
    cause = "Data of the stated privacy class may not be provided to third parties through the exchange."
    cure = "Provide anonymously processed or non-personal data, and state its class in the terms."
    cause_ja = "示された区分のパーソナルデータは、この取引所を通じて第三者に提供できません。"
    cure_ja = "匿名加工情報または非個人情報を提供し、その区分を利用条件に示してください。"


class MyNumberFound(Conflict):
    """A file holds individual numbers: it can be published by nobody and under no answer."""

    slug = "my-number-found"
    title, title_ja = "The file holds My Numbers", "ファイルに個人番号（マイナンバー）があります"
    cause = (
        "Individual numbers may be provided only for the purposes that the My Number Act lists; trade is none of them."
    )
    cure = (
        "Remove the file, delete the column at its source, and upload it anew. If the digits are something "
        "else, name their column for what they are."
    )
    cause_ja = "個人番号は、番号法が限定する場合を除いて提供できず、データの取引はこれに当たりません。"
    cure_ja = (
        "ファイルを削除し、元データからその列を除いて、改めてアップロードしてください。別の番号である場合は、"
        "列名でそれを示してください。"
    )


class InspectionPending(Conflict):
    """A file has not been looked through yet."""

    slug = "inspection-pending"
    title, title_ja = "The inspection is not finished", "検査が終わっていません"
    cause = "Files are looked through for personal data before they are published; `files` names those that still wait."
    cure = "Wait a moment, and publish again."
    cause_ja = "ファイルは公開前に個人情報の有無を検査します。files が検査待ちのものを示します。"
    cure_ja = "しばらく待って、もう一度公開してください。"


class FindingsUnanswered(Conflict):
    """The inspection found what somebody must answer for before publication."""

    slug = "findings-unanswered"
    title, title_ja = "Findings wait for an answer", "回答待ちの検出結果があります"
    cause = (
        "The inspection found descriptions of people, or a file that it could not read; `findings` lists what "
        "waits for an answer or for a second person."
    )
    cure = "Answer each at `/v1/privacy/findings/{id}/answer`, or remove the file and upload one without them."
    cause_ja = (
        "検査で個人に関する記述、または検査できないファイルが見つかりました。findings が、回答または二人目の"
        "確認を待つものを示します。"
    )
    cure_ja = (
        "/v1/privacy/findings/{id}/answer で回答するか、ファイルを削除し、該当部分を除いたものをアップロード"
        "してください。"
    )


class FindingsTooMany(Conflict):
    """A file has more findings than anybody can answer one by one."""

    slug = "findings-too-many"
    title, title_ja = "Too many findings", "検出結果が多すぎます"
    cause = "A file has more findings than are kept; what is not kept cannot be answered."
    cure = "Remove the file, and upload one with fewer columns about people."
    cause_ja = "ファイルの検出結果が保存できる数を超えました。保存されないものには回答できません。"
    cure_ja = "ファイルを削除し、個人に関する列を減らしてアップロードしてください。"


class FindingSettled(Conflict):
    """The finding was answered, or is none that takes an answer."""

    slug = "finding-settled"
    title, title_ja = "The finding takes no answer", "この検出結果には回答できません"
    cause = "The finding was answered already, needs no answer, or speaks of other bytes than those you have seen."
    cure = "Read it again; its `state` and `sha256` say what became of it."
    cause_ja = "この検出結果は回答済みか、回答が不要か、ご覧になったものとは別の内容のファイルについてのものです。"
    cure_ja = "もう一度読み取ってください。state と sha256 が現在の状態を示します。"


class AnonymisationUnpublished(Conflict):
    """Anonymously processed information is to be offered whose items and processing were not published."""

    slug = "anonymisation-unpublished"
    title, title_ja = "Items of information are not published", "情報の項目が公表されていません"
    cause = (
        "Anonymously processed information may be provided only when the items of information in it and the "
        "method of provision were published beforehand, and all five standards of processing are met."
    )
    cure = "State them at `/v1/datasets/{id}/privacy`."
    cause_ja = (
        "匿名加工情報は、含まれる情報の項目と提供の方法をあらかじめ公表し、五つの加工基準をすべて満たした場合"
        "に限り提供できます。"
    )
    cure_ja = "/v1/datasets/{id}/privacy で申告してください。"


class BasisMissing(Conflict):
    """Personal information is to be provided without a stated basis, or under terms that call it something else."""

    slug = "lawful-basis-missing"
    title, title_ja = "No lawful basis is stated", "提供の根拠が示されていません"
    cause = (
        "Personal information goes to third parties only with the consent of each person or on the basis of a "
        "law, where the exchange admits it, and under terms that name its class."
    )
    cure = (
        "State the basis at `/v1/datasets/{id}/privacy`, use terms of the class of personal information, and "
        "ask the operator whether it admits it."
    )
    cause_ja = (
        "個人情報の第三者提供は、取引所が認める場合に、本人の同意または法令に基づき、その区分を示す利用条件の"
        "もとでのみできます。"
    )
    cure_ja = (
        "/v1/datasets/{id}/privacy で根拠を申告し、個人情報の区分の利用条件を用いてください。取扱いの可否は運"
        "営者に確認してください。"
    )


class RowsTooUnique(Conflict):
    """Too few rows are alike in the declared quasi-identifiers."""

    slug = "rows-too-unique"
    title, title_ja = "Rows can be told apart", "個別の行を識別できます"
    cause = (
        "In the quasi-identifiers that the provider declared, fewer rows are alike than this exchange asks "
        "for, or they have not been counted yet; `files` has the figures."
    )
    cure = "Generalise or suppress values (age groups, larger areas), and upload the file anew; or wait for the count."
    cause_ja = (
        "提供者が申告した準識別子の組合せで、同じ値を持つ行がこの取引所の基準より少ないか、まだ計数されていま"
        "せん。files に数値があります。"
    )
    cure_ja = (
        "値をまとめるか（年齢階級、広い地域など）秘匿して、改めてアップロードしてください。計数中の場合はお待"
        "ちください。"
    )
