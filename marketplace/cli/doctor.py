"""Looking at a deployment, and saying how to mend what is not as it should be."""

import json
import os
import sys
from collections.abc import Iterator
from itertools import chain

import click

from marketplace.cli.composition import Composition, pass_composition
from marketplace.doctor import exchange_checks, machine_checks, outside_checks
from marketplace.doctor.database_checks import DATABASE, SILENT, Database
from marketplace.doctor.exchange_checks import EXCHANGE
from marketplace.doctor.findings import Finding
from marketplace.doctor.machine_checks import MACHINE
from marketplace.doctor.outside_checks import OUTSIDE, Unreachable
from marketplace.doctor.settings_checks import SETTINGS
from marketplace.kit import health
from marketplace.kit.language import Language
from marketplace.kit.settings import Settings
from marketplace.kit.transaction import transaction

Found = Iterator[tuple[str, Finding]]
WORDS = {
    "en": {"wrong": "WRONG", "advice": "advice", "well": "in order", "ill": "not in order"},
    "ja": {"wrong": "要修正", "advice": "助言", "well": "異常なし", "ill": "異常あり"},
}


@click.command()
@click.option("--url", help="the public address of the running deployment, to be asked from outside as well")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document, in both languages")
@click.option("--language", type=click.Choice(["ja", "en"]), help="as LANG says when absent")
@pass_composition
def doctor(composition: Composition, url: str | None, as_json: bool, language: Language | None) -> None:
    """Say what is not as it should be with settings, machine, database and exchange, and how to mend it.

    Exits 1 when something is wrong; advice alone is no fault. Nothing is changed, but that the embedded database,
    where it is used, is started and brought up.
    """
    given = composition.settings()
    prepared = given if given.database_url else composition.prepare(given)
    with composition.create_app(prepared).app_context():
        try:
            found = list(_all(given, prepared, url))
            facts = _told_of(given, prepared)
        finally:
            health.hang_up()
    words: Language = language or ("ja" if os.environ.get("LANG", "").startswith("ja") else "en")
    click.echo(_document(found, facts) if as_json else "\n".join(_lines(found, facts, words)))
    if any(finding.wrong for _name, finding in found):
        sys.exit(1)


def _all(given: Settings, prepared: Settings, url: str | None) -> Found:
    inside = (SETTINGS.findings(given), MACHINE.findings(machine_checks.examine(prepared)), _of_database(given))
    yield from chain(*inside, _of_outside(given, url) if url else ())


def _of_database(given: Settings) -> Found:
    said = health.engine_facts()
    if said is None:
        yield "database-answers", SILENT
        return
    yield from DATABASE.findings(Database(given, said))
    if said.revision == said.head:
        with transaction():
            yield from EXCHANGE.findings(exchange_checks.examine())


def _of_outside(given: Settings, url: str) -> Found:
    try:
        yield from OUTSIDE.findings(outside_checks.look(url, given.base_url))
    except Unreachable as error:
        yield "deployment-answers", outside_checks.unreachable(url, str(error))


def _told_of(given: Settings, prepared: Settings) -> dict[str, str]:
    said = health.engine_facts()
    return {
        "database": f"{'given' if given.database_url else 'embedded'}, schema {(said and said.revision) or 'none'}",
        "store": str(prepared.store_dir) if prepared.store == "local" else prepared.store,
        "payments": "the sandbox (no real money)" if given.sandbox else "Stripe",
        "issuer": given.base_url,
    }


def _lines(found: list[tuple[str, Finding]], facts: dict[str, str], language: Language) -> Iterator[str]:
    words = WORDS[language]
    yield from (f"{name}: {fact}" for name, fact in facts.items())
    for name, finding in found:
        said, cure = finding.told(language)
        yield f"{words['wrong' if finding.wrong else 'advice']} {name}: {said}"
        yield f"  {cure}"
    yield words["ill" if any(finding.wrong for _name, finding in found) else "well"]


def _document(found: list[tuple[str, Finding]], facts: dict[str, str]) -> str:
    findings = [
        {"check": name, "level": "wrong" if one.wrong else "advice"}
        | {"finding": one.said, "cure": one.cure, "finding_ja": one.said_ja, "cure_ja": one.cure_ja}
        for name, one in found
    ]
    in_order = not any(one.wrong for _name, one in found)
    return json.dumps({"in_order": in_order, "facts": facts, "findings": findings}, ensure_ascii=False, indent=2)


COMMANDS = (doctor,)
