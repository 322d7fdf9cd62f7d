"""A description for a record that has hardly one: what the record itself knows, in a few plain sentences."""

from collections.abc import Sequence

from marketplace.catalog.cleaning.formats import format_of
from marketplace.catalog.states import FREQUENCY_LABELS, Frequency

SHORT = 40
"""A description of fewer characters says next to nothing."""

FILES_NAMED = 5
NAME_LENGTH_MAX = 60
_SILENT = frozenset({Frequency.UNKNOWN, Frequency.OTHER})


def described(
    stated: str, title: str, publisher: str, files: Sequence[tuple[str, str, str]], frequency: Frequency, period: str
) -> str:
    """Return a description that begins with what its publisher wrote; ``files`` are name, format and address."""
    sentences = [f"{publisher}が公開する「{title}」のデータです。" if publisher else f"「{title}」のデータです。"]
    if period:
        sentences.append(f"対象期間は{period}です。")
    if files:
        sentences.append(_files(files))
    if frequency not in _SILENT:
        sentences.append(f"更新頻度は「{FREQUENCY_LABELS[frequency].ja}」です。")
    added = "".join(sentences)
    return f"{stated}\n{added}" if stated else added


def _files(files: Sequence[tuple[str, str, str]]) -> str:
    names = list(dict.fromkeys(name[:NAME_LENGTH_MAX] for name, _, _ in files if name))
    formats = sorted({found.upper() for _, stated, address in files if (found := format_of(stated, address))})
    named = "」「".join(names[:FILES_NAMED])
    more = "など" if len(names) > FILES_NAMED else ""
    kinds = f"（{'、'.join(formats)}）" if formats else ""
    return (
        f"ファイルは「{named}」{more}の{len(files)}件{kinds}です。"
        if named
        else f"ファイルは{len(files)}件{kinds}です。"
    )
