"""The organizations of the quarter, all invented, and saying so."""

from dataclasses import replace

from marketplace.billing.payouts import service as payouts
from marketplace.billing.payouts.rules import AccountDraft
from marketplace.billing.payouts.states import AccountType
from marketplace.identity import service as identity
from marketplace.identity.actors import Actor
from marketplace.identity.permissions import scopes_for
from marketplace.identity.rules import ApplicationDraft, corporate_check_digit
from marketplace.identity.states import Capacity, OrganizationKind
from marketplace.kit.transaction import transaction

COMPANY, MUNICIPALITY = OrganizationKind.COMPANY, OrganizationKind.MUNICIPALITY
BUYER, PROVIDER = Capacity.BUYER, Capacity.PROVIDER
PROVIDERS = (
    ("ほくと市", "City of Hokuto", MUNICIPALITY, True, "ﾎｸﾄｼ ｶｲｹｲｶﾝﾘｼﾔ"),
    ("北都人流計測株式会社", "Hokuto Footfall K.K.", COMPANY, True, "ｶ)ﾎｸﾄｼﾞﾝﾘﾕｳｹｲｿｸ"),
    ("風雪気象合同会社", "Fusetsu Weather G.K.", COMPANY, False, "ﾄﾞ)ﾌｳｾﾂｷｼﾖｳ"),
)
"""Name, kind, whether it is registered for invoices (適格請求書発行事業者), and the holder of its bank account."""
_TRADES = (
    ("商店", "Shoten"), ("物流", "Logistics"), ("不動産", "Realty"), ("観光", "Tourism"), ("大学", "University"),
    ("食品", "Foods"), ("交通", "Transit"), ("建設", "Construction"), ("電力", "Power"), ("放送", "Broadcasting"),
)  # fmt: skip


def operator() -> tuple[Actor, Actor]:
    """Found the exchange itself; returns two persons of it, as its clients."""
    first = _found(
        0, ("ほくと圏データ取引所", "Hokuto Area Data Exchange"), OrganizationKind.PUBLIC_BODY, Capacity.OPERATOR
    )
    with transaction():
        client, _secret = identity.register_client(first, first.organization_id, "会計主任", first.scopes)
        return first, replace(first, client_id=client.id)


def providers() -> list[Actor]:
    """Found the three providers, each with the account that its money goes to."""
    found = []
    for number, (name_ja, name_en, kind, registered, holder) in enumerate(PROVIDERS, 1):
        provider = _found(number, (name_ja, name_en), kind, PROVIDER, registered=registered)
        account = AccountDraft(
            "0001", f"{number:03d}", AccountType.ORDINARY, f"{1234560 + number}", holder, is_business=True
        )
        with transaction():
            payouts.name_account(provider, account)
        found.append(provider)
    return found


def buyers(count: int) -> list[Actor]:
    """Found so many buyers."""
    found = []
    for number in range(count):
        ja, en = _TRADES[number % len(_TRADES)]
        turn = number // len(_TRADES) + 1
        found.append(_found(100 + number, (f"第{turn}ほくと{ja}", f"Hokuto {en} No. {turn}"), COMPANY, BUYER))
    return found


def _found(
    serial: int, names: tuple[str, str], kind: OrganizationKind, capacity: Capacity, *, registered: bool = True
) -> Actor:
    base = f"7998{serial:08d}"
    number = f"{corporate_check_digit(base)}{base}"
    draft = ApplicationDraft(
        name_ja=f"{names[0]}（合成）",
        name_en=f"{names[1]} (synthetic)",
        kind=kind,
        capacities=frozenset({capacity}),
        corporate_number=number,
        invoice_registration_number=f"T{number}" if registered and capacity is not BUYER else None,
        local_government_code="011002" if kind is MUNICIPALITY else None,
    )
    with transaction():
        admission = identity.found_organization(draft)
        capacities = frozenset({capacity})
        return Actor(admission.organization.id, admission.client.id, None, scopes_for(capacities), capacities)
