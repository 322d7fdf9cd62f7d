"""Reads the catalogue's formats with other people's programs: told what to do by JSON, answers in kind."""

import json
import logging
import sys
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)


def croissant(url: str, record_sets: list[str]) -> dict[str, object]:
    """Validate a description, download what it names with its hash, and load its records."""
    import mlcroissant

    dataset = mlcroissant.Dataset(url)
    found = {name: [_plain(record) for record in dataset.records(name)] for name in record_sets}
    issues = dataset.metadata.ctx.issues
    return {"records": found, "errors": sorted(issues.errors), "warnings": sorted(issues.warnings)}


def _plain(record: dict[str, object]) -> dict[str, object]:
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in record.items()}


def package(url: str) -> dict[str, object]:
    """Validate a data package with the contents of its resources, and read these."""
    import frictionless

    report = frictionless.validate(url)
    rows = {one.name: [row.to_dict() for row in one.read_rows()] for one in frictionless.Package(url).resources}
    return {"valid": report.valid, "errors": report.flatten(["code", "message"]), "rows": rows}


def feed(url: str) -> dict[str, object]:
    """Read a feed, and how it answers to who has it already."""
    import feedparser

    found = feedparser.parse(url)
    again = feedparser.parse(url, etag=found.etag)
    return {
        "bozo": bool(found.bozo), "version": found.version, "again": again.status,
        "entries": [{"id": one.id, "title": one.title, "tags": [tag.term for tag in one.tags]} for one in found.entries],
        "next": [link.href for link in found.feed.links if link.rel == "next"],
    }  # fmt: skip


def main() -> None:
    asked = json.load(sys.stdin)
    deeds = {"croissant": croissant, "package": package, "feed": feed}
    try:
        answer = {"done": deeds[asked.pop("deed")](**asked)}
    except Exception as error:  # noqa: BLE001 - whatever a foreign program raises is what it says
        answer = {"raised": f"{error} {error.__cause__ or ''}"}
    json.dump(answer, sys.stdout, default=str)


main()
