"""CKAN's ``q``, ``fq`` and ``sort``, as far as the index of the exchange answers them. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from marketplace.kit import clock
from marketplace.protocols.ckan.refusals import SearchUnreadable

FACETS = {
    "organization": "publisher",
    "owner_org": "publisher",
    "groups": "theme",
    "res_format": "format",
    "license_id": "licence",
}
"""The fields of CKAN's that are facets of the index, by name."""

FILTER_LENGTH_MAX = 10_000
CLAUSES_MAX = 200
# True of all that is public here, so that nothing is to be left out.
_GIVEN = frozenset({"dataset_type", "type", "state", "private", "capacity", "site_id", "permission_labels"})
_ORDERS = {
    "id": "id",
    "name": "id",
    "metadata_created": "id",
    "metadata_modified": "changed",
}
_NEAREST = frozenset({"score", "relevance", "views_recent"})
_TOKEN = re.compile(
    r"\s*(?:(?P<word>AND|OR|&&|\|\|)(?=\s|$)|(?P<sign>[+-]?)(?P<field>[A-Za-z_]+):(?:"
    r'"(?P<quoted>(?:[^"\\]|\\.)*)"|\((?P<list>[^()]*)\)|\[(?P<low>[^\]\s]+)\s+TO\s+(?P<high>[^\]\s]+)\]|(?P<plain>[^\s()\[\]"]+)))'
)
_VALUE = re.compile(r'\s*(?:(?P<word>OR|AND|\|\|)(?=\s|$)|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s"]+))')


@dataclass
class Filters:
    """What filters say: values that may be, values that may not, tags that must be, and when it changed."""

    having: dict[str, list[str]] = field(default_factory=dict)
    without: dict[str, list[str]] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    since: datetime | None = None
    until: datetime | None = None


def read_query(q: str) -> tuple[str, str]:
    """Return the words of a query, and what of it are filters: nothing is asked by ``*:*``."""
    if q in {"*:*", "*", ""}:
        return "", ""
    if q.startswith(("title:", "notes:", "text:")):
        return q.partition(":")[2].strip('"* '), ""
    first = _TOKEN.match(q)
    if first and first["field"] and (first["field"] in FACETS or first["field"] in {"tags", "metadata_modified"}):
        return "", q
    return q, ""


def read_filters(*given: str) -> Filters:
    """Return what filters say; raises SearchUnreadable."""
    found = Filters()
    for one in given:
        if len(one) > FILTER_LENGTH_MAX:
            raise SearchUnreadable(f"fq may have {FILTER_LENGTH_MAX} characters.")
        _read(one, found)
    return found


def _read(fq: str, found: Filters) -> None:
    alternative_to: str | None = None
    last: str | None = None
    for clause in _clauses(fq):
        if clause["word"]:
            alternative_to = last if clause["word"] in {"OR", "||"} else None
            continue
        name = clause["field"]
        if alternative_to is not None and name != alternative_to:
            raise SearchUnreadable(f"OR joins values of one field, not {alternative_to} and {name}.")
        _enter(clause, name, found, is_alternative=alternative_to is not None)
        last, alternative_to = name, None


def _clauses(fq: str) -> Iterator[re.Match[str]]:
    rest = fq.replace("*:*", " ").strip()
    for _ in range(CLAUSES_MAX):
        if not rest:
            return
        clause = _TOKEN.match(rest)
        if clause is None:
            raise SearchUnreadable(f"{rest[:100]!r} is not read.")
        yield clause
        rest = rest[clause.end() :].strip()
    if rest:
        raise SearchUnreadable(f"fq may have {CLAUSES_MAX} clauses.")


def _enter(clause: re.Match[str], name: str, found: Filters, *, is_alternative: bool) -> None:
    if name in _GIVEN:
        return
    if name == "metadata_modified":
        _enter_time(clause, found)
        return
    values = _values(clause)
    if values == ["*"]:
        return
    is_refused = clause["sign"] == "-"
    if name == "tags":
        if is_refused or is_alternative or clause["list"] is not None:
            raise SearchUnreadable("tags are joined by AND, each without a sign.")
        found.tags += values
    elif name in FACETS:
        _enter_facet(FACETS[name], values, found, is_refused=is_refused, is_alternative=is_alternative)
    else:
        raise SearchUnreadable(f"There is no filter by {name[:50]}.")


def _enter_facet(facet: str, values: list[str], found: Filters, *, is_refused: bool, is_alternative: bool) -> None:
    if is_refused:
        found.without.setdefault(facet, []).extend(values)
    elif is_alternative or facet not in found.having:
        found.having.setdefault(facet, []).extend(values)
    else:
        # Twice the same filter: what is in both is left, and nothing where that is none.
        found.having[facet] = [one for one in found.having[facet] if one in values] or ["\N{REPLACEMENT CHARACTER}"]


def _values(clause: re.Match[str]) -> list[str]:
    if clause["quoted"] is not None:
        return [_bare(clause["quoted"])]
    if clause["plain"] is not None:
        return [_bare(clause["plain"])]
    if clause["list"] is None:
        raise SearchUnreadable("Only metadata_modified has a range.")
    values = []
    for part in _VALUE.finditer(clause["list"]):
        if part["word"] == "AND":
            raise SearchUnreadable("Values in brackets are joined by OR.")
        if not part["word"]:
            values.append(_bare(part["quoted"] if part["quoted"] is not None else part["plain"]))
    if not values:
        raise SearchUnreadable("Brackets hold one value at least.")
    return values


def _enter_time(clause: re.Match[str], found: Filters) -> None:
    if clause["low"] is None or clause["sign"] == "-":
        raise SearchUnreadable("metadata_modified is asked for as [2026-11-22T00:00:00Z TO *].")
    found.since = _instant(clause["low"]) or found.since
    found.until = _instant(clause["high"]) or found.until


def _instant(said: str) -> datetime | None:
    if said == "*":
        return None
    if said == "NOW":
        return clock.now()
    try:
        at = datetime.fromisoformat(said)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise SearchUnreadable(f"{said[:40]!r} is no instant.") from error


def _bare(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value)


def read_sort(sort: str) -> str | None:
    """Return the order that is asked for first, None for the nearest first; raises SearchUnreadable."""
    first = sort.split(",", maxsplit=1)[0].strip().lower()
    if not first:
        return None
    name, _, direction = first.partition(" ")
    if name in _NEAREST:
        return None
    if name not in _ORDERS or direction.strip() not in {"", "asc", "desc"}:
        raise SearchUnreadable(f"sort is one of {', '.join(sorted(_ORDERS))}, score; each asc or desc.")
    return _ORDERS[name] + (" desc" if direction.strip() == "desc" else "")
