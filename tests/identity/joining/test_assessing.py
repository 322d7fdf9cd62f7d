"""What the registers say, and the risk that follows."""

import logging
from typing import Any

import pytest
from flask import Flask

from marketplace.audit.verbs import Verb
from marketplace.identity.joining import approving, assessing, queries, registries, rules
from marketplace.identity.joining.registries import Asked
from marketplace.identity.joining.rules import Applicant
from marketplace.identity.joining.states import Ground, Outcome, Registry, Risk
from marketplace.kit import jobs
from marketplace.kit.errors import Conflict, NotFound
from marketplace.kit.transaction import transaction
from tests.factories.identity import OrganizationFactory, actor_of, corporate_number
from tests.identity.joining.registry import Registers
from tests.identity.joining.steps import applicant, apply
from tests.identity.joining.test_applying import verbs

NUMBER = corporate_number(31)
NAME = "株式会社むすび商店"
CORPORATE, INVOICE = Registry.CORPORATE_NUMBERS, Registry.INVOICE_REGISTRATIONS
OFFICE = "hanako@musubi-shoten.example"


def waiting(organization_id: str) -> queries.Shown:
    return next(one for one in queries.list_waiting().items if one.organization.id == organization_id)


def outcomes(organization_id: str) -> dict[str, str]:
    return {one.register: one.outcome for one in waiting(organization_id).findings}


@pytest.mark.parametrize(
    ("email", "number", "found", "risk", "grounds"),
    [
        (OFFICE, NUMBER, {CORPORATE: Outcome.MATCHES}, Risk.LOW, {Ground.REGISTERED}),
        (OFFICE, NUMBER, {CORPORATE: Outcome.MATCHES, INVOICE: Outcome.MATCHES}, Risk.LOW, {Ground.REGISTERED}),
        (OFFICE, NUMBER, {CORPORATE: Outcome.OFF}, Risk.MIDDLE, {Ground.NOT_LOOKED_UP}),
        (OFFICE, NUMBER, {CORPORATE: Outcome.UNREACHABLE}, Risk.MIDDLE, {Ground.NOT_LOOKED_UP}),
        (OFFICE, NUMBER, {CORPORATE: Outcome.MATCHES, INVOICE: Outcome.OFF}, Risk.MIDDLE, {Ground.NOT_LOOKED_UP}),
        (OFFICE, None, {}, Risk.HIGH, {Ground.NO_NUMBER}),
        ("hanako@GMAIL.com", NUMBER, {CORPORATE: Outcome.MATCHES}, Risk.HIGH, {Ground.FREE_MAIL}),
        ("hanako@gmail.com", None, {}, Risk.HIGH, {Ground.NO_NUMBER, Ground.FREE_MAIL}),
        (OFFICE, NUMBER, {CORPORATE: Outcome.UNKNOWN}, Risk.HIGH, {Ground.NOT_IN_REGISTER}),
        (OFFICE, NUMBER, {CORPORATE: Outcome.DIFFERS}, Risk.HIGH, {Ground.REGISTER_DIFFERS}),
        (OFFICE, NUMBER, {CORPORATE: Outcome.MATCHES, INVOICE: Outcome.DIFFERS}, Risk.HIGH, {Ground.REGISTER_DIFFERS}),
    ],
)
def test_the_risk_follows_from_plain_rules(
    email: str, number: str | None, found: dict[Registry, Outcome], risk: Risk, grounds: set[Ground]
) -> None:
    assessed = rules.assess(Applicant(email, number), found)
    assert (assessed.risk, set(assessed.grounds)) == (risk, grounds)


@pytest.mark.parametrize(
    ("said", "registered", "same"),
    [
        (NAME, NAME, True), ("㈱むすび商店", NAME, True), ("（株）むすび商店", NAME, True), ("株式会社 むすび 商店", NAME, True),
        ("株式会社ＡＢＣ", "株式会社ABC", True), ("むすび商店", NAME, False), ("株式会社むすび商会", NAME, False), ("むすび商店株式会社", NAME, False),
    ],
)  # fmt: skip
def test_a_name_is_the_same_however_it_is_written(said: str, registered: str, same: bool) -> None:
    assert rules.names_match(said, registered) is same


def test_without_keys_the_registers_are_off_and_nobody_is_asked(app: Flask, registers: Registers) -> None:
    del app
    one = applicant(corporate_number=NUMBER, invoice_registration_number=f"T{NUMBER}").organization.id
    assert outcomes(one) == {CORPORATE: "off", INVOICE: "off"}
    assert (waiting(one).application.risk, registers.asked) == ("middle", [])
    assert jobs.run_pending(assessing.JOB) == 0


def test_the_registers_are_asked_in_the_background_with_our_keys(
    app: Flask, registers: Registers, with_keys: None
) -> None:
    del app, with_keys
    registers.corporations[NUMBER] = {"name": "株式会社むすび商店"}
    registers.issuers[f"T{NUMBER}"] = {"name": "株式会社むすび商店"}
    said = {"name_ja": "㈱むすび商店", "corporate_number": NUMBER, "invoice_registration_number": f"T{NUMBER}"}
    one = applicant(**said).organization.id
    assert (registers.asked, waiting(one).application.risk) == ([], None)
    assert jobs.run_pending(assessing.JOB) == 1
    assert registers.asked == [
        ("/4/num", {"id": "Kcorporate", "number": NUMBER, "type": "02", "history": "0"}),
        ("/1/num", {"id": "Kinvoice", "number": f"T{NUMBER}", "type": "21", "history": "0"}),
    ]
    assert outcomes(one) == {CORPORATE: "matches", INVOICE: "matches"}
    shown = waiting(one)
    assert (shown.application.risk, shown.application.grounds) == ("low", ["registered"])
    facts = {finding.register: finding.facts for finding in shown.findings}
    assert facts[CORPORATE] == {"name": "株式会社むすび商店", "closed_on": None}
    assert facts[INVOICE] == {"name_matches": True, "registered_on": "2023-10-01", "ended_on": None}
    assert verbs(one)[-1] == Verb.APPLICATION_ASSESSED


@pytest.mark.parametrize(
    ("corporation", "issuer", "found"),
    [
        ({"name": "有限会社べつもの"}, {"name": NAME}, ("differs", "matches")),
        ({"name": NAME, "closed_on": "2025-03-31"}, {"name": NAME}, ("differs", "matches")),
        (None, {"name": NAME}, ("unknown", "matches")),
        ({"name": NAME}, None, ("matches", "unknown")),
        ({"name": NAME}, {"name": NAME, "disposalDate": "2024-01-01"}, ("matches", "differs")),
        ({"name": NAME}, {"name": NAME, "expireDate": "2999-01-01"}, ("matches", "matches")),
        ({"name": NAME}, {"name": "個人 太郎"}, ("matches", "differs")),
    ],
)
def test_what_the_registers_say_is_told_apart(
    app: Flask, registers: Registers, with_keys: None, corporation: Any, issuer: Any, found: tuple[str, str]
) -> None:
    del app, with_keys
    registers.corporations |= {NUMBER: corporation} if corporation else {}
    registers.issuers |= {f"T{NUMBER}": issuer} if issuer else {}
    one = applicant(name_ja=NAME, corporate_number=NUMBER, invoice_registration_number=f"T{NUMBER}").organization.id
    jobs.run_pending(assessing.JOB)
    told = outcomes(one)
    assert (told[CORPORATE], told[INVOICE]) == found
    assert waiting(one).application.risk == ("low" if set(found) == {"matches"} else "high")
    assert "個人 太郎" not in str([finding.facts for finding in waiting(one).findings])


@pytest.mark.parametrize(
    "raw",
    [
        (503, "text/plain", b"closed for maintenance"), (200, "text/html", b"<html>"), (200, "text/csv", b""),
        (200, "text/csv", b"\xff\xfe"), (200, "text/csv", b"2026-11-27,one,1,1"), (200, "application/json", b"[]"),
        (200, "application/json", b'{"count":"1","announcement":[{}]}'), (302, "text/csv", b""),
        (200, "text/csv", b"2026-11-27,1,1,1\r\n1,9999999999999,x\r\n"), (200, "application/json", b"{" * 60_000),
        (200, "text/csv", b"x" * 70_000),
    ],
    ids=["503", "page", "nothing", "no text", "no count", "list", "no number", "elsewhere", "another number", "deep", "too much"],
)  # fmt: skip
def test_an_answer_out_of_form_is_no_answer(
    app: Flask, registers: Registers, with_keys: None, raw: tuple[int, str, bytes]
) -> None:
    del app, with_keys
    registers.raw = raw
    asked = Asked(NAME, NUMBER, f"T{NUMBER}")
    for registry in registries.to_ask(asked):
        assert registries.look_up(registry, asked).outcome is Outcome.UNREACHABLE
    assert len(registers.asked) == 2


def test_a_register_that_was_away_is_asked_again(app: Flask, registers: Registers, with_keys: None) -> None:
    del app, with_keys
    registers.raw = (503, "text/plain", b"")
    one = applicant(name_ja=NAME, corporate_number=NUMBER).organization.id
    jobs.run_pending(assessing.JOB)
    assert (outcomes(one), waiting(one).application.risk) == ({CORPORATE: "unreachable"}, "middle")
    registers.raw, registers.corporations = None, {NUMBER: {"name": NAME}}
    with transaction():
        assessing.look_up_again(one)
    jobs.run_pending(assessing.JOB)
    assert (outcomes(one), waiting(one).application.risk) == ({CORPORATE: "matches"}, "low")


def test_nothing_is_looked_up_for_what_does_not_wait(app: Flask, registers: Registers, with_keys: None) -> None:
    del app, with_keys
    unchecked = apply(corporate_number=NUMBER).organization.id
    founded = OrganizationFactory().id
    for organization_id in (unchecked, founded, "org_x"):
        with pytest.raises(NotFound), transaction():
            assessing.look_up_again(organization_id)
    assert jobs.run_pending(assessing.JOB) == 0
    assert registers.asked == []


def test_no_key_comes_into_the_log(
    app: Flask, registers: Registers, with_keys: None, caplog: pytest.LogCaptureFixture
) -> None:
    del app, with_keys
    caplog.set_level(logging.INFO)
    registers.raw = (503, "text/plain", b"")
    applicant(name_ja=NAME, corporate_number=NUMBER)
    jobs.run_pending(assessing.JOB)
    assert registers.asked
    assert "Kcorporate" not in caplog.text


def test_a_decided_application_stays_as_it_was_decided(app: Flask, registers: Registers, with_keys: None) -> None:
    del app, with_keys
    registers.corporations[NUMBER] = {"name": NAME}
    one = applicant(name_ja=NAME, corporate_number=NUMBER).organization.id
    jobs.run_pending(assessing.JOB)
    with transaction():
        approving.approve(actor_of(OrganizationFactory(operator=True)), one)
    registers.corporations.clear()
    with pytest.raises(Conflict), transaction():
        assessing.look_up_again(one)
    assessing.look_up(one)
    assert queries.get_waiting(one).application.risk == "low"
