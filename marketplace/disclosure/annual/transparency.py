"""Transparency and privacy: who looked, what was refused and complained of, how much of a person is in the data."""

from collections.abc import Iterator

from marketplace.audit.verbs import Verb
from marketplace.disclosure.annual.figures import Figure, Part, Secrecy, labelled, total
from marketplace.disclosure.annual.reading import Year, deeds, row, rows
from marketplace.privacy.states import PrivacyClass

_CLASSES = """
SELECT coalesce(t.document->'personal_data'->>'code', t.document->>'personal_data') AS code,
       count(DISTINCT o.dataset_id) AS many
  FROM offer o JOIN terms t ON t.id = o.terms_id JOIN listing l ON l.dataset_id = o.dataset_id
 WHERE o.state = 'open' AND o.buyer_organization_id IS NULL GROUP BY 1 ORDER BY 2 DESC, 1
"""
_REFUNDS = """
SELECT reason, count(*) AS many FROM refund WHERE created_at >= :first AND created_at < :after GROUP BY 1 ORDER BY 1
"""
_REASONS = {
    "requested": ("申出", "Requested"),
    "cancellation": ("中途解約", "Cancellation"),
    "service_level": ("サービス品質", "Service level"),
    "gateway": ("決済側", "By the gateway"),
    "adjustment": ("精算の訂正", "Adjustment"),
    "unapplied": ("過入金", "Paid for nothing"),
}
_MONTHS = "SELECT count(*) AS many FROM register_month WHERE month BETWEEN :begin AND :end"


def figures(year: Year) -> Iterator[Figure]:
    """Yield the figures of the principle."""
    yield _looks(year)
    yield _cases(year)
    yield _classes(year)
    yield _complaints(year)
    yield _refunds(year)
    yield _refusals(year)
    yield _consents(year)
    yield Figure(
        key="register",
        ja="公開台帳で公開した月",
        en="Months published in the register",
        secrecy=Secrecy.OPEN,
        value=row(_MONTHS, year, begin=f"{year.number:04d}-01", end=f"{year.number:04d}-12").many,
        of=12,
        how_ja="取引公開台帳に公開したその年の月の数。",
        how_en="Months of the year that the public register tells of.",
    )


def _looks(year: Year) -> Figure:
    parts = deeds(year, Verb.RECORD_SEARCHED, Verb.RECORD_EXPORTED, Verb.TRADES_LOOKED_AT)
    return Figure(
        key="looks",
        ja="監査者・運営者による記録の閲覧",
        en="Looks at the record by auditors and operators",
        value=total(parts),
        parts=parts,
        secrecy=Secrecy.OPEN,
        how_ja="記録の検索・書き出しと取引の閲覧の回数。閲覧そのものが記録される"
        "(audit.record.searched, .exported, audit.trades.looked_at)。",
        how_en="Searches and exports of the record and looks at trades, each recorded itself (audit.record.searched,"
        " .exported, audit.trades.looked_at).",
    )


def _cases(year: Year) -> Figure:
    parts = deeds(year, Verb.CASE_OPENED)
    return Figure(
        key="cases",
        ja="不審な取引について開いた調査",
        en="Cases opened on trades that looked wrong",
        value=total(parts),
        parts=parts,
        how_ja="異常検知の規則により開いた調査の件数(audit.case.opened)。",
        how_en="Cases that rules on anomalies opened (audit.case.opened).",
    )


def _classes(year: Year) -> Figure:
    found = [(PrivacyClass(one.code), one.many) for one in rows(_CLASSES, year) if one.code in set(PrivacyClass)]
    parts = tuple(Part(code.ja, code.en, count) for code, count in found)
    return Figure(
        key="privacy_classes",
        ja="パーソナルデータ類別ごとのデータ",
        en="Datasets by class of personal data",
        value=len(parts),
        parts=parts,
        secrecy=Secrecy.OPEN,
        how_ja="集計日に誰にでも提供されている条件の類別(CADDE 4.0 項目13070)。値は類別の数、棒は類別ごとのデータ数。",
        how_en="Class in the terms of offers to everybody on the day of counting (CADDE 4.0 item 13070): the value is"
        " how many classes there are, the bars how many datasets.",
    )


def _complaints(year: Year) -> Figure:
    parts = deeds(year, Verb.DISPUTE_OPENED)
    return Figure(
        key="complaints",
        ja="支払いへの異議申立て",
        en="Payments that buyers contested",
        value=total(parts),
        parts=parts,
        how_ja="利用者が銀行・カード会社に申し立てた異議の件数(billing.dispute.opened)。",
        how_en="Disputes that buyers opened at their bank (billing.dispute.opened).",
    )


def _refunds(year: Year) -> Figure:
    parts = labelled((_REASONS[one.reason], one.many) for one in rows(_REFUNDS, year))
    return Figure(
        key="refunds",
        ja="返金(理由別)",
        en="Refunds by reason",
        value=total(parts),
        parts=parts,
        how_ja="その年に起票された返金の件数。",
        how_en="Refunds that were opened in the year.",
    )


def _refusals(year: Year) -> Figure:
    suspended = total(deeds(year, Verb.ORGANIZATION_SUSPENDED))
    refused = total(deeds(year, Verb.ELIGIBILITY_REFUSED))
    parts = labelled(
        ((("組織の停止", "Organizations suspended"), suspended), (("割引資格の否認", "Eligibility refused"), refused))
    )
    return Figure(
        key="refusals",
        ja="参加の停止と資格の否認",
        en="Organizations suspended, eligibilities refused",
        value=total(parts),
        parts=parts,
        how_ja="運営者の決定の件数(identity.organization.suspended, billing.eligibility.refused)。",
        how_en="Decisions of the operator (identity.organization.suspended, billing.eligibility.refused).",
    )


def _consents(year: Year) -> Figure:
    given, ended = total(deeds(year, Verb.CONSENT_GIVEN)), total(deeds(year, Verb.CONSENT_ENDED))
    parts = labelled(((("付与", "Given"), given), (("終了", "Ended"), ended)))
    return Figure(
        key="consents",
        ja="プログラムへの同意",
        en="Consents to programs",
        value=total(parts),
        parts=parts,
        how_ja="人がプログラムに与え、または終えた同意の件数(identity.consent.given, .ended)。",
        how_en="Consents that people gave to programs or ended (identity.consent.given, .ended).",
    )
