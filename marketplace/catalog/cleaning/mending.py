"""What a machine can make better of a record: each finding with what was before, what would be after, and how sure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from marketplace.catalog.cleaning import describing, periods, regions, tags, themes
from marketplace.catalog.cleaning.formats import format_of, is_clean
from marketplace.catalog.cleaning.licences import ReadLicence, differ, licence_of
from marketplace.catalog.rules import COUNTRY, DESCRIPTION_LENGTH_MAX, KEYWORDS_MAX, DatasetDraft
from marketplace.catalog.states import THEME_LABELS, Frequency, Licence, Theme

SURE = 60
"""From here on a finding is applied by itself, where the provider has asked for that."""

RESOURCES_READ = 30
_CODES = {frequency.value for frequency in Frequency}
_THEMES = {label for labels in THEME_LABELS.values() for label in labels} | set(Theme)


class Rule(StrEnum):
    """What kind of finding it is."""

    FREQUENCY = "frequency"
    LICENCE = "licence"
    REGION = "region"
    THEMES = "themes"
    TAGS = "tags"
    DESCRIPTION = "description"
    PERIOD = "period"
    FORMATS = "formats"
    LICENCE_CONFLICT = "licence_conflict"
    DUPLICATE = "duplicate"
    DEAD_LINKS = "dead_links"
    OVERDUE = "overdue"
    ENCODING = "encoding"
    DATES = "dates"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; ``field`` is the field of the dataset that it changes, None where it only tells."""

    rule: Rule
    field: str | None
    before: Any
    after: Any
    confidence: int

    @property
    def adds(self) -> bool:
        """Whether it adds to a list, rather than taking the place of a value."""
        return isinstance(self.after, list)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a record says beside the fields of ours: its publisher, its files, and its words for codes."""

    publisher: str
    stated_frequency: str
    stated_licence: str
    stated_region: str
    groups: tuple[str, ...]
    files: tuple[tuple[str, str, str], ...]
    columns: tuple[str, ...] = ()


def findings(draft: DatasetDraft, contents: Contents, region_default: str = COUNTRY) -> list[Finding]:
    """Return all findings on a record that was read into a draft."""
    found = [
        _frequency(draft, contents),
        _licence(draft, contents),
        _region(draft, contents, region_default),
        _period(draft),
        _themes(draft, contents),
        _tags(draft, contents),
        _formats(contents),
        _conflict(draft, contents),
        _description(draft, contents),
    ]
    return [one for one in found if one]


def applied(draft: DatasetDraft, chosen: Iterable[Finding]) -> DatasetDraft:
    """Return the draft with these findings applied."""
    for one in chosen:
        if one.field is not None:
            draft = replace(draft, **{one.field: _joined(getattr(draft, one.field), one)})
    return draft


def _joined(held: Any, one: Finding) -> Any:
    if not one.adds:
        return one.after
    kept = [item for item in held if item != Theme.OTHER]
    return tuple(dict.fromkeys([*kept, *one.after]))[:KEYWORDS_MAX]


def _frequency(draft: DatasetDraft, contents: Contents) -> Finding | None:
    stated, code = contents.stated_frequency, draft.update_frequency
    if not stated or stated in _CODES or code in {Frequency.UNKNOWN, Frequency.OTHER}:
        return None
    return Finding(Rule.FREQUENCY, "update_frequency", stated, str(code), 95)


def _licence(draft: DatasetDraft, contents: Contents) -> Finding | None:
    stated, code = contents.stated_licence, draft.licence_hint
    if not stated or code is None or code is Licence.OTHER or stated == str(code):
        return None
    read = licence_of(stated)
    return Finding(Rule.LICENCE, "licence_hint", stated, str(code), read.confidence if read else SURE)


def _region(draft: DatasetDraft, contents: Contents, default: str) -> Finding | None:
    if contents.stated_region == draft.region and draft.region != COUNTRY:
        return None
    found = regions.region_of(contents.publisher, draft.title_ja, draft.description_ja, within=default)
    if found is None or not found.code or found.code == draft.region:
        return None
    return Finding(Rule.REGION, "region", contents.stated_region or contents.publisher, found.code, found.confidence)


def _period(draft: DatasetDraft) -> Finding | None:
    found = periods.period_of(draft.title_ja)
    if found is None:
        return None
    after = {"from": found.first.isoformat(), "until": found.last.isoformat()}
    return Finding(Rule.PERIOD, None, draft.title_ja, after, found.confidence)


def _themes(draft: DatasetDraft, contents: Contents) -> Finding | None:
    if draft.themes != (Theme.OTHER,):
        return None
    found = themes.themes_of(draft.title_ja, _texts(draft, contents))
    telling = [one for one in found if one[1] >= min(SURE, found[0][1])]
    if not telling or telling[0][1] <= themes.IN_OTHERS:
        return None
    return Finding(
        Rule.THEMES, "themes", list(contents.groups), [theme.value for theme, _ in telling[:2]], telling[0][1]
    )


def _tags(draft: DatasetDraft, contents: Contents) -> Finding | None:
    found = tags.tags_of(draft.title_ja, _texts(draft, contents), draft.keywords)
    if not found:
        return None
    return Finding(Rule.TAGS, "keywords", list(draft.keywords), [tag for tag, _ in found], min(one for _, one in found))


def _formats(contents: Contents) -> Finding | None:
    odd = {
        stated: format_of(stated, address)
        for _, stated, address in contents.files
        if not is_clean(stated) and format_of(stated, address)
    }
    return Finding(Rule.FORMATS, None, sorted(odd), dict(sorted(odd.items())), 90) if odd else None


def _conflict(draft: DatasetDraft, contents: Contents) -> Finding | None:
    stated, spoken = licence_of(contents.stated_licence), licence_of_prose(draft.description_ja)
    if stated is None or spoken is None or not differ(stated, spoken):
        return None
    return Finding(Rule.LICENCE_CONFLICT, None, stated.name, spoken.name, 80)


def licence_of_prose(text: str) -> ReadLicence | None:
    """Read a licence out of running text, where a sentence speaks of one."""
    sentences = text.replace("\n", "。").split("。")
    spoken = (one for one in sentences if "ライセンス" in one or "license" in one.casefold() or "利用規約" in one)
    return next(filter(None, map(licence_of, spoken)), None)


def _description(draft: DatasetDraft, contents: Contents) -> Finding | None:
    stated = draft.description_ja
    if len(stated) >= describing.SHORT or draft.description_en:
        return None
    found = periods.period_of(draft.title_ja)
    spanned = f"{found.first.isoformat()}から{found.last.isoformat()}まで" if found else ""
    who = contents.publisher.split(" ")[0]
    made = describing.described(stated, draft.title_ja, who, contents.files, draft.update_frequency, spanned)
    return Finding(Rule.DESCRIPTION, "description_ja", stated, made[:DESCRIPTION_LENGTH_MAX], 75)


def _texts(draft: DatasetDraft, contents: Contents) -> list[str]:
    names = " ".join(name for name, _, _ in contents.files[:RESOURCES_READ])
    return [
        draft.description_ja[:2_000],
        names,
        " ".join(contents.groups),
        " ".join(contents.columns),
        contents.publisher,
    ]
