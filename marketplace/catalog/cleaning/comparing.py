"""How much better records are here than where they come from: counts of those that have what, before and after."""

from collections.abc import Iterable, Mapping

from marketplace.catalog.cleaning.describing import SHORT
from marketplace.catalog.cleaning.formats import format_of, is_clean
from marketplace.catalog.cleaning.mending import Contents
from marketplace.catalog.rules import COUNTRY, DatasetDraft
from marketplace.catalog.states import THEME_LABELS, Frequency, Label, Licence, Theme

Counts = dict[str, int]
MEASURES = {
    "tags": Label("キーワードのある記録", "records with tags"),
    "descriptions": Label("40字以上の説明のある記録", "records with a description of 40 characters or more"),
    "frequencies": Label("更新頻度が符号の記録", "records whose frequency is a code"),
    "licences": Label("ライセンスが符号の記録", "records whose licence is a code"),
    "themes": Label("17分野のある記録", "records with one of the 17 themes"),
    "regions": Label("地方公共団体コードのある記録", "records with a local-government code"),
    "formats": Label("形式のわかるファイル", "files of a known format"),
}
RECORDS, FILES = "records", "files"
_NAMED = {theme: labels for theme, labels in THEME_LABELS.items() if theme is not Theme.OTHER}
_THEMES = {str(label) for labels in _NAMED.values() for label in labels} | {theme.value for theme in _NAMED}
_SILENT = frozenset({Frequency.UNKNOWN, Frequency.OTHER})
_CODES, _LICENCES = {code.value for code in Frequency}, {code.value for code in Licence} - {Licence.OTHER.value}


def compared(contents: Contents, stated: DatasetDraft, mended: DatasetDraft) -> Counts:
    """Return the counts of one record; ``stated`` is what its publisher wrote, ``mended`` what is shown here."""
    files = contents.files
    before = {
        "tags": bool(stated.keywords),
        "descriptions": len(stated.description_ja) >= SHORT,
        "frequencies": contents.stated_frequency in _CODES,
        "licences": contents.stated_licence in _LICENCES,
        "themes": any(group in _THEMES for group in contents.groups),
        "regions": contents.stated_region == stated.region != COUNTRY,
        "formats": sum(is_clean(stated) for _, stated, _ in files),
    }
    after = {
        "tags": bool(mended.keywords),
        "descriptions": len(mended.description_ja) >= SHORT,
        "frequencies": mended.update_frequency not in _SILENT,
        "licences": mended.licence_hint not in {None, Licence.OTHER},
        "themes": mended.themes != (Theme.OTHER,),
        "regions": mended.region != COUNTRY,
        "formats": sum(bool(format_of(stated, address)) for _, stated, address in files),
    }
    counted = {f"{name}_before": int(value) for name, value in before.items()}
    return counted | {f"{name}_after": int(value) for name, value in after.items()} | {RECORDS: 1, FILES: len(files)}


def summed(all_counts: Iterable[Mapping[str, int]]) -> Counts:
    """Return the sums of counts."""
    total: Counts = {}
    for counts in all_counts:
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
    return total


def rows(counts: Mapping[str, int]) -> list[tuple[str, Label, int, int, int]]:
    """Return (measure, label, of how many, before, after) for people to read; nothing where nothing was compared."""
    if not counts:
        return []
    whole = {"formats": counts.get(FILES, 0)}
    return [
        (
            name,
            label,
            whole.get(name, counts.get(RECORDS, 0)),
            counts.get(f"{name}_before", 0),
            counts.get(f"{name}_after", 0),
        )
        for name, label in MEASURES.items()
    ]
