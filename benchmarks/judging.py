"""How well judged queries are answered over a real catalogue, beside PostgreSQL's own searches of the same texts.

The rules of judging stand in ``judged/README.md``. Lines with even numbers were held out while the ranking was made.
"""

import csv
import gzip
import json
import math
import os
import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import machine
from marketplace.catalog import ckan
from marketplace.catalog.search import SearchIndex
from marketplace.kit import postgres

HERE = Path(__file__).resolve().parent
RECORDS = "tokyo_ckan_sample300.jsonl.gz"
PLACES = 10
Engine = Callable[[str], Sequence[str]]
_SIMPLE = """
SELECT id FROM record WHERE words @@ plainto_tsquery('simple', %(q)s)
 ORDER BY ts_rank(words, plainto_tsquery('simple', %(q)s)) DESC, id LIMIT 10
"""
_TRIGRAMS = """
SELECT id FROM record WHERE word_similarity(%(q)s, body) > 0
 ORDER BY word_similarity(%(q)s, title) + word_similarity(%(q)s, body) DESC, id LIMIT 10
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """One query, and what the records that answer it are worth."""

    number: int
    language: str
    query: str
    grades: Mapping[str, int]

    @property
    def is_held_out(self) -> bool:
        """Tell whether the query was kept away from whoever adjusted the ranking."""
        return self.number % 2 == 0

    def recall(self, found: Sequence[str]) -> float:
        """Return which share of what the query is about stands on the first ten places, of ten at most."""
        best = max(self.grades.values())
        wanted = {record for record, grade in self.grades.items() if grade == best}
        return len(wanted.intersection(found[:PLACES])) / min(PLACES, len(wanted))

    def gain(self, found: Sequence[str]) -> float:
        """Return nDCG of the first ten places."""
        ideal = sorted(self.grades.values(), reverse=True)[:PLACES]
        return _discounted([self.grades.get(record, 0) for record in found[:PLACES]]) / _discounted(ideal)


def main(_arguments: list[str]) -> None:
    """Print recall and nDCG at ten places of our search, of plain full text and of trigrams."""
    records = read_records(_folder())
    judged, unanswerable = judge(records)
    print(f"  {len(judged)} judged queries over {len(records)} records ({unanswerable} have no answer among them)")
    with tempfile.TemporaryDirectory() as folder:
        engines = {"ours": _ours(Path(folder), records)} | _postgresql(Path(folder), records)
        for name, queries in _parts(judged).items():
            print(f"  {name} ({len(queries)})")
            for engine, answer in engines.items():
                recall, gain = measured(queries, answer)
                print(f"    {engine:34} recall@10 {recall:.2f}   nDCG@10 {gain:.2f}", flush=True)
        postgres.stop(Path(folder))


def read_records(folder: Path) -> list[dict[str, Any]]:
    """Return the records of the sample as CKAN gives them; raises Skipped where it is not there."""
    path = folder / RECORDS
    if not path.is_file():
        raise machine.Skipped(f"{path} is not there; SHARED_DATA names the folder that has {RECORDS}")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def judge(records: Sequence[Mapping[str, Any]]) -> tuple[list[Judged], int]:
    """Return the judged queries that any record answers, and how many none does."""
    with (HERE / "judged" / "queries.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    judged = [
        Judged(number, row["language"], row["query"], _grades(row, records)) for number, row in enumerate(rows, start=1)
    ]
    answerable = [one for one in judged if one.grades]
    return answerable, len(judged) - len(answerable)


def measured(judged: Sequence[Judged], engine: Engine) -> tuple[float, float]:
    """Return mean recall and mean nDCG of an engine at ten places."""
    answers = [(one, engine(one.query)) for one in judged]
    recalls, gains = [one.recall(found) for one, found in answers], [one.gain(found) for one, found in answers]
    return sum(recalls) / len(judged), sum(gains) / len(judged)


def index_of(folder: Path, records: Sequence[Mapping[str, Any]]) -> SearchIndex:
    """Return an index of the records as an import lists them."""
    index = SearchIndex(folder / "search")
    index.rebuild(_document(record) for record in records)
    return index


def _ours(folder: Path, records: Sequence[Mapping[str, Any]]) -> Engine:
    index = index_of(folder, records)
    return lambda query: [hit.dataset_id for hit in index.search(query, size=PLACES).hits]


def _document(record: Mapping[str, Any]) -> dict[str, Any]:
    draft = ckan.read_package(dict(record)).draft
    fields = draft.columns()
    return fields | {
        "id": record["id"],
        "publisher": {"id": "org_1", "name_ja": "取り込んだ組織", "name_en": "Importing organization"},
        "frequency": fields["update_frequency"],
        "formats": sorted({resource["format"] for resource in record["resources"] if resource.get("format")}),
        "columns": [],
        "price_classes": [],
        "published_at": "2026-01-01T00:00:00.000000Z",
        "releases": [],
        "offers": [],
    }


def _postgresql(folder: Path, records: Sequence[Mapping[str, Any]]) -> dict[str, Engine]:
    url = postgres.libpq_url(postgres.database_url(folder, "judging"))
    with psycopg.connect(url, autocommit=True) as server:
        # In the locale C trigrams would know no Japanese letter.
        server.execute("CREATE DATABASE letters TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'")
    connection = psycopg.connect(url.replace("/judging?", "/letters?"), autocommit=True)
    connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    connection.execute("CREATE TABLE record (id text, title text, body text, words tsvector)")
    for record in records:
        document = _document(record)
        body = "\n".join(
            [document["title_ja"], document["description_ja"], document["contact_name"], *document["keywords"]]
        )
        row = (document["id"], document["title_ja"], body, body)
        connection.execute("INSERT INTO record VALUES (%s, %s, %s, to_tsvector('simple', %s))", row)

    def ask(statement: str) -> Engine:
        return lambda query: [row[0] for row in connection.execute(statement, {"q": query}).fetchall()]

    return {"PostgreSQL full text, 'simple'": ask(_SIMPLE), "pg_trgm, word_similarity": ask(_TRIGRAMS)}


def _grades(row: Mapping[str, str], records: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {record["id"]: grade for record in records if (grade := _grade(row, record))}


def _grade(row: Mapping[str, str], record: Mapping[str, Any]) -> int:
    title, notes = _plain(record.get("title")), _plain(record.get("notes"))
    office = _plain((record.get("organization") or {}).get("title"))
    if row["where"] and not re.search(row["where"], f"{title}\n{notes}\n{office}"):
        return 0
    if re.search(row["about"], title):
        return 2
    named = [_plain(resource.get("name")) for resource in record["resources"]]
    return int(bool(re.search(f"{row['about']}|{row['partly'] or row['about']}", "\n".join([title, notes, *named]))))


def _parts(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    return {
        "all": list(judged),
        "seen while the ranking was adjusted": [one for one in judged if not one.is_held_out],
        "held out": [one for one in judged if one.is_held_out],
        "Japanese": [one for one in judged if one.language == "ja"],
        "English": [one for one in judged if one.language == "en"],
    }


def _discounted(grades: Sequence[int]) -> float:
    return sum((2**grade - 1) / math.log2(place + 1) for place, grade in enumerate(grades, start=1))


def _plain(text: Any) -> str:
    return unicodedata.normalize("NFKC", text or "")


def _folder() -> Path:
    return Path(os.environ.get("SHARED_DATA", HERE.parents[1] / "shared" / "data"))


def misses(judged: Sequence[Judged], engine: Engine) -> Iterator[str]:
    """Yield a line for each query that is not answered in full, to whoever adjusts the ranking; held-out ones never."""
    for one in judged:
        found = engine(one.query)
        if not one.is_held_out and (one.recall(found) < 1 or one.gain(found) < 1):
            yield f"{one.number}\t{one.query}\t{one.recall(found):.2f}\t{one.gain(found):.2f}"
