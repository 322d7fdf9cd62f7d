"""What is deleted when stands in one table, and every job that deletes is in it and asks for holds as it says."""

import re

from marketplace.audit import retention
from tests.house.project import PACKAGE, document

# ``identity.held`` asks where a row names a client, a person or an address.
ASKS = re.compile(r"\bholds\.covering\(|\bheld\.of_")
DELETES = re.compile(r"\bdelete\(|DELETE FROM|\.discard\(|clear_abandoned\(")
JOB = re.compile(r'@jobs\.task\("([^"]+)"[^\n]*\)\ndef \w+\([^\n]*\n(?:(?:    [^\n]*)?\n)+')
# What they delete is derived and made anew in the same deed: the hours of usage, and what waits for the search index.
DERIVED = {"metering.roll_up", "catalog.index", "catalog.index_left", "catalog.rebuild"}


def homes() -> dict[str, str]:
    """The text of the module in which each job stands."""
    texts = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    return {job: text for text in texts for job in re.findall(r'@jobs\.task\("([^"]+)"', text)}


def deleting() -> set[str]:
    """The jobs that delete within their own function."""
    return {job[1] for text in homes().values() for job in JOB.finditer(text) if DELETES.search(job[0])}


def test_the_documented_retention_is_the_table() -> None:
    assert "\n".join(["", *retention.table(), ""]) in document("docs/retention.md")


def test_every_job_that_deletes_is_in_the_table() -> None:
    named = {kept.job for kept in retention.RETENTION}
    assert len(named) == len(retention.RETENTION)
    assert len(deleting()) > 12
    assert deleting() - DERIVED <= named
    assert named <= set(homes())


def test_every_job_whose_rows_say_whose_they_are_asks_for_holds() -> None:
    asking = {kept.job: kept.held_by != "–" for kept in retention.RETENTION}
    found = homes()
    # The stories of uploads and of disposing have the catalogue ask.
    found["catalog.uploads_expired"] = (PACKAGE / "catalog" / "uploads" / "service.py").read_text(encoding="utf-8")
    found["catalog.dispose_due"] = (PACKAGE / "catalog" / "disposals" / "queries.py").read_text(encoding="utf-8")
    assert {job: bool(ASKS.search(found[job])) for job in asking} == asking
