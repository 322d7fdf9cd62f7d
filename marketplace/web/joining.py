"""Applying to take part, and confirming it by the link in a letter."""

from flask import Response

from marketplace.identity.errors import MyNumberRefused
from marketplace.identity.joining import service as joining
from marketplace.identity.joining.rules import Contact
from marketplace.identity.login.errors import LinkOver
from marketplace.identity.permissions import Permission
from marketplace.identity.rules import ApplicationDraft
from marketplace.identity.states import Capacity, OrganizationKind
from marketplace.kit.errors import Invalid
from marketplace.kit.transaction import transaction
from marketplace.web import forms
from marketplace.web.addresses import see
from marketplace.web.endpoint import blueprint, guarded
from marketplace.web.language import link, say
from marketplace.web.rendering import render_private
from marketplace.web.sign_in import peer, trouble_of

blp = blueprint("joining")
FIELDS = (
    "name_ja", "name_en", "kind", "corporate_number", "invoice_registration_number", "local_government_code",
    "provider", "buyer", "contact_name", "contact_email",
)  # fmt: skip
OPTIONAL = ("corporate_number", "invoice_registration_number", "local_government_code")
KINDS = {
    OrganizationKind.COMPANY: ("会社", "company"),
    OrganizationKind.MUNICIPALITY: ("市区町村・都道府県", "municipality"),
    OrganizationKind.PUBLIC_BODY: ("その他の公的機関", "other public body"),
    OrganizationKind.UNIVERSITY: ("大学", "university"),
    OrganizationKind.OTHER: ("その他", "other"),
}
CAPACITIES = {
    Capacity.PROVIDER: ("データを提供する", "Provide data"),
    Capacity.BUYER: ("データを利用（購入）する", "Use (buy) data"),
}
FAULTS = {
    "name_ja": (
        "名称（日本語）を200文字以内で記入してください。",
        "Write the Japanese name, in at most 200 characters.",
    ),
    "name_en": ("名称（英語）をローマ字で記入してください。", "Write the English name in Latin letters."),
    "kind": ("組織の種類を選んでください。", "Choose a kind of organization."),
    "corporate_number": (
        "法人番号は13桁です。検査数字を含めて確かめてください。",
        "A corporate number has 13 digits; the first is a check digit that must fit.",
    ),
    "invoice_registration_number": (
        "登録番号はTと13桁です。会社の場合はTと自社の法人番号です。",
        "A registration number is T and 13 digits; a company's is T and its own corporate number.",
    ),
    "local_government_code": (
        "全国地方公共団体コードは6桁です。市区町村は必須で、会社などは記入できません。",
        "A local-government code has 6 digits; municipalities need it, and others than public bodies have none.",
    ),
    "capacities": ("データの提供か利用の少なくとも一つを選んでください。", "Choose to provide, to use, or both."),
    "contact_name": ("担当者の氏名を記入してください。", "Write the name of the contact."),
    "contact_email": (
        "担当者のメールアドレスを正しく記入してください。",
        "Write a correct e-mail address of the contact.",
    ),
}
"""What to mend in each field, in Japanese and in English."""


@blp.get("/join")
@guarded(Permission.JOIN_READ)
def show() -> Response:
    """Show the form with which an organization applies."""
    return _form({"buyer": "yes"})


@blp.post("/join")
@guarded(Permission.ORGANIZATION_APPLY)
def apply() -> Response:
    """Take an application; the answer is the same whoever has the number or the address already."""
    given = forms.read(*FIELDS)
    try:
        draft = _draft(given)
        with transaction():
            joining.apply_in_person(draft, Contact(given["contact_name"], given["contact_email"]), peer())
    except Invalid as refusal:
        return _form(given, refusal)
    return see(link("/join/sent"))


@blp.get("/join/sent")
@guarded(Permission.JOIN_READ)
def show_sent() -> Response:
    """Say that a letter is on its way."""
    return render_private("joined.html", step="sent")


@blp.get("/joining/<token>")
@guarded(Permission.JOIN_READ)
def show_asked(token: str) -> Response:
    """Show the contact what was applied for in their name."""
    asked = joining.find_asked(token)
    if asked is None:
        raise LinkOver
    kind = say(*KINDS[OrganizationKind(asked.organization.kind)])
    capacities = [say(*CAPACITIES[Capacity(one)]) for one in sorted(asked.organization.capacities, reverse=True)]
    return render_private("joined.html", step="asked", applied=asked, kind=kind, capacities=capacities, token=token)


@blp.post("/joining/<token>")
@guarded(Permission.ORGANIZATION_APPLY)
def confirm(token: str) -> Response:
    """Confirm the application, once, and go on to setting up the sign-in of its first owner."""
    form = forms.read("keep_client")
    with transaction():
        invitation = joining.confirm(token, keep_client=form["keep_client"] == "yes")
    return see(link(f"/invitation/{invitation}"))


def _draft(given: dict[str, str]) -> ApplicationDraft:
    if given["kind"] not in set(OrganizationKind):
        raise Invalid(errors=[{"pointer": "/kind", "detail": "must be one of the kinds"}])
    return ApplicationDraft(
        name_ja=given["name_ja"],
        name_en=given["name_en"],
        kind=OrganizationKind(given["kind"]),
        capacities=frozenset(capacity for capacity in CAPACITIES if given[capacity.value] == "yes"),
        **{name: given[name] or None for name in OPTIONAL},
    )


def _form(given: dict[str, str], refusal: Invalid | None = None) -> Response:
    pointed = [str(error["pointer"])[1:] for error in refusal.errors] if refusal else []
    is_told = isinstance(refusal, MyNumberRefused)
    faults = {name: trouble_of(refusal) if is_told else say(*FAULTS[name]) for name in pointed}
    return render_private(
        "join.html",
        status=refusal.status if refusal else 200,
        given=given,
        faults=faults,
        kinds=[(kind.value, say(*words)) for kind, words in KINDS.items()],
        capacities=[(capacity.value, say(*words)) for capacity, words in CAPACITIES.items()],
    )
