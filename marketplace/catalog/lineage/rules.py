"""What a source and a citation must look like: pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.catalog import rules
from marketplace.catalog.lineage.states import CitationKind
from marketplace.kit.errors import Invalid

SOURCES_MAX = 100
WORDS_LENGTH_MAX = 1000


@dataclass(frozen=True, slots=True)
class SourceDraft:
    """A dataset here, or something elsewhere with its address and title; ``words`` say what was taken of it."""

    dataset_id: str | None = None
    url: str | None = None
    title: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class CitationDraft:
    """What somebody made of a dataset."""

    kind: CitationKind
    title: str
    url: str


def check_sources(dataset_id: str, sources: Sequence[SourceDraft]) -> None:
    """Raise Invalid that names every field at fault, or return."""
    faults = {} if len(sources) <= SOURCES_MAX else {"": f"must be at most {SOURCES_MAX}"}
    named: set[str] = set()
    for place, source in enumerate(sources):
        given = source.dataset_id or source.url or ""
        fault = _source_fault(dataset_id, source) or ("is named twice" if given in named else None)
        named.add(given)
        if fault:
            faults[f"/{place}"] = fault
    if faults:
        raise Invalid(errors=[{"pointer": f"/sources{at}", "detail": fault} for at, fault in faults.items()])


def check_citation(draft: CitationDraft) -> None:
    """Raise Invalid that names every field at fault, or return."""
    missing = None if draft.title.strip() else "must not be empty"
    faults = {
        "title": rules.text_fault(draft.title, rules.TITLE_LENGTH_MAX) or missing,
        "url": rules.url_fault(draft.url) or (None if draft.url else "must be an http or https address"),
    }
    errors = [{"pointer": f"/{name}", "detail": fault} for name, fault in faults.items() if fault]
    if errors:
        raise Invalid(errors=errors)


def _source_fault(dataset_id: str, source: SourceDraft) -> str | None:
    if (source.dataset_id is None) == (source.url is None):
        return "must name a dataset here or an address elsewhere"
    if source.dataset_id == dataset_id:
        return "must be another dataset"
    if source.url is not None:
        if not source.url or not source.title.strip():
            return "what lies elsewhere needs an address and a title"
        fault = rules.url_fault(source.url)
        if fault:
            return fault
    return rules.text_fault(source.title, rules.TITLE_LENGTH_MAX) or rules.text_fault(
        source.words, WORDS_LENGTH_MAX, lines=True
    )
