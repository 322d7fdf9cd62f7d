"""Every kind of caller at every address of the interface and of the pages: the answer is the table's.

Whoever is refused has changed nothing: no table has other rows afterwards, and none of them is a newer version. The
addresses are read from the application, so that a new one is asked without a line here.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from flask import Flask
from sqlalchemy import text
from werkzeug.routing import Rule as Address

from marketplace.identity.guards import permission_of
from marketplace.identity.permissions import PERMISSIONS, Permission, scopes_of
from marketplace.identity.permissions import Rule as Demands
from marketplace.identity.states import Assurance, MemberRole
from marketplace.kit import clock
from marketplace.kit.db import db
from tests.api.callers import Caller, callers, session_of
from tests.api.routes import (
    OF_EVERYBODY,
    PLACEHOLDER,
    PREFIXES,
    Everything,
    Route,
    everything_of,
    hide,
    routes,
    unknown,
)
from tests.api.trade import Market, call, party
from tests.web.people import Browser

OF_THE_TABLE = {
    "not-authenticated", "invalid-token", "insufficient-scope", "capacity-missing", "token-narrowed", "role-missing",
    "step-up-required",
}  # fmt: skip
BROWSER = {"Accept": "text/html", "Accept-Language": "en", "Sec-Fetch-Site": "same-origin"}
SAFE = {"GET", "HEAD", "OPTIONS"}


def snapshot() -> dict[str, tuple[int, int]]:
    """How many rows each table holds, and the newest transaction that wrote one of them."""
    names = db.session.scalars(
        text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    ).all()
    asked = " UNION ALL ".join(
        f"SELECT '{name}', count(*), coalesce(max(xmin::text::bigint), 0) FROM \"{name}\"" for name in sorted(names)
    )
    return {name: (count, newest) for name, count, newest in db.session.execute(text(asked))}


def slug_of(answer: Any) -> str:
    if answer.content_type != "application/problem+json":
        return ""
    return str(answer.get_json(force=True)["type"]).rsplit("/", 1)[-1]


def test_the_snapshot_sees_every_change(market: Market) -> None:
    before = snapshot()
    organization = {"id": market.buyer.organization_id}
    db.session.execute(text("UPDATE organization SET name_en = name_en WHERE id = :id"), organization)
    assert {name for name, found in snapshot().items() if before[name] != found} == {"organization"}


def test_every_caller_gets_at_every_address_what_the_table_says(market: Market, app: Flask) -> None:
    everything = everything_of(market)
    hide(market, everything)
    asked = _addressed(everything, routes(app))
    wrong: list[str] = []
    tried: Counter[str] = Counter()
    # On a busy machine tokens would run out meanwhile.
    with clock.stopped(clock.now()):
        for caller in callers(market, everything.ids["grant_id"]):
            wrong += _refused(caller, everything, asked, tried)
            wrong += _let_in(caller, everything, asked, tried)
    assert not wrong, "\n".join(wrong)
    assert tried["callers"] >= 35
    assert tried["refused"] > 2500
    assert tried["let in"] > 700


def _addressed(everything: Everything, known: list[Route]) -> list[Route]:
    """The routes, with an id for each placeholder that no trade has made a thing for yet."""
    for route in known:
        for name in PLACEHOLDER.findall(route.rule):
            everything.ids.setdefault(name, "of-nothing")
    return known


def _refused(caller: Caller, everything: Everything, asked: list[Route], tried: Counter[str]) -> Iterator[str]:
    """Ask for what is refused with requests that would work for whoever is let in."""
    before = snapshot()
    tried["callers"] += 1
    for route in asked:
        if (expected := caller.refusal(route)) is None:
            continue
        answer = everything.send(caller.party, route)
        if (answer.status_code, slug_of(answer)) != expected:
            yield f"{caller.name} at {route}: {answer.status_code} {slug_of(answer)} instead of {expected}"
        tried["refused"] += 1
    changed = {name for name, found in snapshot().items() if before.get(name) != found}
    if changed:
        yield f"what {caller.name} was refused has changed {changed}"


def _let_in(caller: Caller, everything: Everything, asked: list[Route], tried: Counter[str]) -> Iterator[str]:
    """Ask for what is allowed with ids of nothing: whatever is answered, it is not the table that refuses.

    To whoever belongs to another organization, what is there is as what is not.
    """
    for route in asked:
        if caller.refusal(route) is not None:
            continue
        theirs = caller.foreign and route.things and route.demands.scope and str(route) not in OF_EVERYBODY
        instead = {} if theirs else {name: unknown(name) for name in route.things}
        answer = everything.send(caller.party, route, **instead)
        # Whoever proposes a deed must be somebody who may do it: the body asks for a permission as well.
        refused = slug_of(answer) in OF_THE_TABLE and route.permission != Permission.OVERRIDES_DECIDE
        if answer.status_code >= 500 or refused or (theirs and answer.status_code != 404):
            yield f"{caller.name} at {route}: {answer.status_code} {slug_of(answer)}"
        tried["let in"] += 1


def pages(app: Flask) -> list[tuple[Address, str, Demands]]:
    """Every guarded method of every address that is no part of the interface for programs."""
    found = [(rule, permission_of(app.view_functions[rule.endpoint])) for rule in app.url_map.iter_rules()]
    return [
        (rule, method, PERMISSIONS[permission])
        for rule, permission in found
        if permission is not None
        and not rule.rule.startswith(("/v1/", "/audit/", "/webhooks/", "/delta-sharing/", "/api/", "/mcp"))
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def filled(rule: Address) -> str:
    nothing = {"year": "1999"}

    def of_nothing(found: re.Match[str]) -> str:
        return unknown(found[1]) if found[1] in PREFIXES else nothing.get(found[1], "of-nothing")

    return PLACEHOLDER.sub(of_nothing, rule.rule)


def expected_of_a_page(demands: Demands, role: MemberRole | None, stepped_up: bool) -> str:
    """What the table answers to somebody with a browser whose form has no mark."""
    asked = demands.in_person or demands.scope is not None
    if asked and role is None:
        return "sign in"
    if demands.scope and role is not None and role not in demands.roles:
        # What somebody may ask for in the browser is what is of any use to their role.
        return "role-missing" if demands.scope in scopes_of(role) else "insufficient-scope"
    if demands.scope and demands.step_up and not stepped_up:
        return "prove again"
    return "form-expired" if demands.changes else "let in"


def told_by_a_page(answer: Any) -> str:
    address = answer.headers.get("Location", "")
    if answer.status_code == 303 and address.startswith("/sign-in/second-factor?"):
        return "prove again"
    # Whoever has no second factor is asked for another way to prove who they are; they were let in before that.
    if answer.status_code == 303 and address.startswith("/sign-in?") and "again=1" not in address:
        return "sign in"
    if answer.status_code >= 500:
        return str(answer.status_code)
    slug = slug_of(answer)
    return slug if slug in OF_THE_TABLE | {"form-expired", "foreign-form"} else "let in"


def _sent(browser: Browser, method: str, path: str, expected: str) -> Any:
    """Ask for a page; a form comes without its mark where the mark is all that would be missing."""
    if method == "GET":
        return browser.get(path)
    if expected in {"insufficient-scope", "role-missing", "prove again"}:
        browser.get("/account")
        return browser.post(path)
    return browser.send(path)


def browser_of(app: Flask, cookie: str = "", **headers: str) -> Browser:
    """A browser with the cookie of a session, which would rather read problems than pages."""
    browser = Browser(app, headers={"Accept": "application/problem+json"} | headers)
    if cookie:
        browser.client.set_cookie("musubi", cookie)
    return browser


def test_every_page_answers_everybody_as_the_table_says(market: Market, app: Flask) -> None:
    all_capacities = party(market.app, "all", "provider", "buyer", "operator")
    people: list[tuple[str, MemberRole | None, bool, Browser]] = [
        ("nobody", None, False, browser_of(app)),
        ("somebody with another's cookie", None, False, browser_of(app, "x" * 43)),
        ("a token", None, False, browser_of(app, Authorization=f"Bearer {market.operator.token}")),
    ]
    for role in MemberRole:
        for acr in (Assurance.AAL1, Assurance.AAL2):
            browser = browser_of(app, session_of(all_capacities, role, acr))
            people.append((f"{role} with {acr}", role, acr != Assurance.AAL1, browser))
    asked = [
        (
            f"{name} at {method} {rule.rule}",
            browser,
            method,
            filled(rule),
            expected_of_a_page(demands, role, stepped_up),
        )
        for name, role, stepped_up, browser in people
        for rule, method, demands in pages(app)
    ]
    # Pages that are shown may begin something, such as the challenge of a passkey: they come last.
    asked.sort(key=lambda one: one[-1] == "let in")
    before, wrong = snapshot(), []
    # A session notes that it is used, once a minute.
    with clock.stopped(clock.now()):
        for what, browser, method, path, expected in asked:
            if expected == "let in" and before:
                assert snapshot() == before
                before = {}
            found = told_by_a_page(_sent(browser, method, path, expected))
            if expected != found:
                wrong.append(f"{what}: {found} instead of {expected}")
    assert not wrong, "\n".join(wrong)
    assert len(asked) > 600
    assert not before, "nothing was let in"


def test_what_no_permission_guards_asks_for_a_credential_of_its_own_or_only_reads(market: Market, app: Flask) -> None:
    """The OAuth endpoints, the sandbox, the description and static files; see tests/house/test_routes.py."""
    before = snapshot()
    for rule in app.url_map.iter_rules():
        if permission_of(app.view_functions[rule.endpoint]) is not None or rule.endpoint.startswith("sandbox."):
            continue
        for method in (rule.methods or set()) - {"OPTIONS"}:
            answer = call(app, method, filled(rule), headers=BROWSER)
            assert answer.status_code in ({200, 404, 401} if method in SAFE else {400, 401}), (method, rule.rule)
    assert snapshot() == before


def test_no_program_is_let_in_where_a_person_must_come_herself(app: Flask) -> None:
    assert [str(route) for route in routes(app) if route.demands.in_person] == []
