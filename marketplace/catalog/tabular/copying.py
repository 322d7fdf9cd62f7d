"""From a CSV, a workbook or a Parquet file to Parquet as Delta tables know it: by the readers that made the profile."""

from collections.abc import Callable
from typing import Any, BinaryIO

from marketplace.catalog.profiling import archives, decoding, delimited, parquet, spreadsheets
from marketplace.catalog.profiling.result import Patience, ProfileLimits, Unreadable
from marketplace.catalog.tabular import stored
from marketplace.catalog.tabular.writing import TextCopy, Write

Source = Callable[[BinaryIO, dict[str, Any], ProfileLimits, Write], dict[str, Any]]


def copy(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, write: Write) -> dict[str, Any]:
    """Write the table in an open file as Parquet, and return its rows and columns; raises Unreadable or Misfit.

    A file that is such Parquet already is not written: the answer is then ``as_is``.
    """
    return _SOURCES[asked["format"]](file, asked, limits, write)


def _of_text(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, write: Write) -> dict[str, Any]:
    survey = decoding.survey(file)
    if survey is None:
        raise Unreadable("empty-file")
    with delimited.opened(file, survey, asked["delimiter"], limits) as text:
        made = TextCopy(text.columns, asked["plans"], write)
        text.stream(made, Patience(limits))
        return _ended(made, limits)


def _of_workbook(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, write: Write) -> dict[str, Any]:
    patience = Patience(limits)
    with archives.opened(file, file.seek(0, 2), limits) as archive:
        archives.refuse_document_types(archive)
        sheet = spreadsheets.first_filled(file, limits, patience)
        made = TextCopy(sheet.columns, asked["plans"], write)
        for batch in sheet.batches():
            made.add_rows(batch)
            made.is_complete = not patience.is_over()
            if not made.is_complete:
                break
        made.is_complete = made.is_complete and not sheet.filled.is_cut
        return _ended(made, limits)


def _of_parquet(file: BinaryIO, _asked: dict[str, Any], limits: ProfileLimits, write: Write) -> dict[str, Any]:
    parquet.check_footer(file, file.seek(0, 2))
    return stored.copy(file, limits, Patience(limits), write)


def _ended(made: TextCopy, limits: ProfileLimits) -> dict[str, Any]:
    if not made.is_complete:
        raise Unreadable("too-much-time", limit_seconds=limits.cpu_seconds)
    made.close()
    return {"as_is": False, "rows": made.rows, "columns": made.columns()}


_SOURCES: dict[str, Source] = {"csv": _of_text, "tsv": _of_text, "xlsx": _of_workbook, "parquet": _of_parquet}
