"""What is written to those whom an incident touches, and to the authority, in both languages."""

from marketplace.identity.login.letters import Letter
from marketplace.identity.states import OrganizationKind
from marketplace.incidents.models import Incident
from marketplace.incidents.states import IncidentKind
from marketplace.kit.clock import JST

_KINDS = {
    IncidentKind.LEAK: ("漏えい", "leak"),
    IncidentKind.LOSS: ("滅失", "loss"),
    IncidentKind.DAMAGE: ("毀損", "damage"),
    IncidentKind.MISUSE: ("不正利用", "misuse"),
}


# Municipalities report as administrative organs do, companies and universities as businesses. Of public bodies some do
# the one and some the other (article 2(11), annexed table 2).
_LAW = ("個人情報保護法第26条", "article 26 of the APPI")
_LAWS = {
    OrganizationKind.MUNICIPALITY: ("個人情報保護法第68条", "article 68 of the APPI"),
    OrganizationKind.PUBLIC_BODY: ("個人情報保護法（第26条または第68条）", "article 26 or 68 of the APPI"),
}


def to_organization(incident: Incident, share: tuple[int, int, int], notice_address: str, *, rests: bool) -> Letter:
    """Tell an organization what happened, how much of its grants is touched, and where to take note of it."""
    grants, deliveries, received = share
    ja, en = _KINDS[IncidentKind(incident.kind)]
    rests_ja = "対象の利用権は、調査のため一時停止しています。\n" if rests else ""
    rests_en = "The grants concerned rest while this is looked into.\n" if rests else ""
    return Letter(
        f"データの{ja}に関するお知らせ（{incident.id}） / Notice of a data {en} ({incident.id})",
        f"{_facts_ja(incident)}\n"
        f"現時点で判明している限り、貴組織に関わる利用権 {grants:,} 件、配信 {deliveries:,} 件、{received:,} バイトが"
        f"対象です。\n{rests_ja}"
        f"次のアドレスで対象の内訳（今後判明するものを含みます）を確認し、受領を記録してください。\n\n{notice_address}\n\n"
        f"{_facts_en(incident)}\n"
        f"As far as is known by now, {grants:,} of your organization's grants, {deliveries:,} deliveries, "
        f"{received:,} bytes are concerned.\n{rests_en}"
        f"Read which they are, with what comes to light later, and take note of this, at\n\n{notice_address}\n",
    )


def to_authority(incident: Incident, operator: str) -> Letter:
    """Tell the authority of an incident with personal data; the reports that the law asks for come by its own form.

    Which law that is goes by what kind of organization the operator is.
    """
    ja, en = _KINDS[IncidentKind(incident.kind)]
    law_ja, law_en = _LAWS.get(OrganizationKind(operator), _LAW)
    counts = incident.affected or {}
    touched = {name: counts.get(name, 0) for name in ("grants", "receivers", "deliveries", "bytes_received")}
    return Letter(
        f"【個人データの{ja}】インシデント {incident.id} / Personal data {en}: incident {incident.id}",
        f"{_facts_ja(incident)}\n対象: 利用権 {touched['grants']:,} 件、受領組織 {touched['receivers']:,}、"
        f"配信 {touched['deliveries']:,} 件、{touched['bytes_received']:,} バイト。\n"
        f"{law_ja}に基づく速報・確報は、所定の様式で別途行います。\n\n"
        f"{_facts_en(incident)}\n"
        f"Concerned: {touched['grants']:,} grants, {touched['receivers']:,} receiving organizations, "
        f"{touched['deliveries']:,} deliveries, {touched['bytes_received']:,} bytes.\n"
        f"The reports under {law_en} follow in their own form.\n",
    )


def overdue(incident: Incident, address: str) -> Letter:
    """Tell the operator that a report was not made, or a notice not taken note of, in time."""
    return Letter(
        f"期限を過ぎた報告または未受領の通知があります（{incident.id}） / Overdue: incident {incident.id}",
        f"インシデント {incident.id} に、期限を過ぎた報告、または受領の記録がない通知があります。\n\n{address}\n\n"
        f"A report of incident {incident.id} is late, or nobody has taken note of a notice in time.\n\n{address}\n",
    )


def _facts_ja(incident: Incident) -> str:
    span = f"発生: {_instant(incident, 'began_at')}\n認知: {_instant(incident, 'noticed_at')}\n"
    return f"インシデント {incident.id}\n{span}\n{incident.summary_ja}\n"


def _facts_en(incident: Incident) -> str:
    span = f"Began: {_instant(incident, 'began_at')}\nNoticed: {_instant(incident, 'noticed_at')}\n"
    return f"Incident {incident.id}\n{span}\n{incident.summary_en}\n"


def _instant(incident: Incident, name: str) -> str:
    return f"{getattr(incident, name).astimezone(JST):%Y-%m-%d %H:%M} JST"
