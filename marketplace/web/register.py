"""The public register of trades, for people."""

from typing import Any

from flask import Response, request

from marketplace.catalog import listings
from marketplace.disclosure import queries
from marketplace.disclosure.states import KINDS
from marketplace.identity.permissions import Permission
from marketplace.identity.states import OrganizationKind
from marketplace.licensing.states import ContractType, UseApplication
from marketplace.privacy.states import ListingCondition, PrivacyClass
from marketplace.web import figures
from marketplace.web.catalog import CURSOR_MAX
from marketplace.web.endpoint import blueprint, guarded
from marketplace.web.language import link, say
from marketplace.web.rendering import render

blp = blueprint("register")
LINES = 50


@blp.get("/register")
@guarded(Permission.REGISTER_READ)
def show() -> Response:
    """Show what each month comes to, and what the register is."""
    return render(
        "register.html",
        months=queries.list_months(),
        years=queries.list_published_years(),
        month_name=month_name,
        number=number,
        money=money,
    )


@blp.get("/register/<month>")
@guarded(Permission.REGISTER_READ)
def show_month(month: str) -> Response:
    """Show what was traded in a month: which data, under which terms, to which class of buyers, how much."""
    found = queries.get_month(month)
    cursor = (request.args.get("cursor") or "")[:CURSOR_MAX] or None
    page = queries.list_lines(found.month, cursor=cursor, size=LINES)
    listed = listings.find_listings(line.dataset_id for line in page.items if line.dataset_id)
    here = f"/register/{found.month}"
    return render(
        "register_month.html",
        month=found,
        listed=listed,
        lines=[line.document for line in page.items],
        following=link(here, [("cursor", page.next_cursor)]) if page.next_cursor else None,
        first=link(here) if cursor else None,
        month_name=month_name,
        number=number,
        money=money,
        volume=volume,
        kind=kind,
        terms_in_brief=terms_in_brief,
        privacy_class=privacy_class,
        privacy_condition=privacy_condition,
    )


def month_name(month: str) -> str:
    """Return a month such as 2026-11 as people name it."""
    year, ordinal = month.split("-")
    return say(f"{year}年{int(ordinal)}月", month)


def number(told: dict[str, Any], name: str, threshold: int) -> str:
    """Return a count of the register, or why it is not there."""
    if told["showing"] == "few" and name == "buyers":
        return say(f"{threshold}未満", f"fewer than {threshold}")
    return hidden(told, name) or figures.count(told[name])


def money(told: dict[str, Any]) -> str:
    """Return an amount of the register, or that it is hidden."""
    return hidden(told, "yen") or figures.yen(told["yen"])


def volume(told: dict[str, Any]) -> str:
    """Return a number of bytes of the register, or that it is hidden."""
    return hidden(told, "bytes") or figures.size(told["bytes"])


def hidden(told: dict[str, Any], name: str) -> str | None:
    """Return the word for a figure that is hidden, None for one that is shown."""
    return say("秘匿", "hidden") if told[name] is None else None


def kind(code: str) -> str:
    """Return the label of a class of buyers."""
    return say(*KINDS[OrganizationKind(code)])


def terms_in_brief(terms: dict[str, Any]) -> str:
    """Return contract and purposes of terms in one line."""
    codes = (ContractType(terms["contract_type"]), *map(UseApplication, terms["purposes"]))
    return say("・", ", ").join(say(code.ja, code.en) for code in codes)


def privacy_class(terms: dict[str, Any]) -> str:
    """Return the label of the class of personal data that terms state."""
    stated = PrivacyClass(terms["privacy_class"])
    return say(stated.ja, stated.en)


def privacy_condition(code: str) -> str:
    """Return what must hold while data of a class is offered."""
    condition = ListingCondition(code)
    return say(condition.ja, condition.en)
