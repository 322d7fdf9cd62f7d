"""The privacy gate: what it finds and misses in generated, labelled tables, and how fast it looks.

Tables are made by Faker (ja_JP) and by rules of our own; the generator knows of each column which kinds are in it, and
which it only looks like. A column counts once for each kind. The limit of the speed is the profiler over the same file.
All data is synthetic.
"""

import argparse
import csv
import io
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import machine, privacy_hard
from marketplace.catalog import profiling
from marketplace.catalog.profiling import ProfileLimits
from marketplace.privacy import inspection
from marketplace.privacy.detectors import Kind, Level, digits

SEED = 20261130
TABLES, TABLES_QUICK, ROWS = 200, 60, 120
LIMITS = ProfileLimits(cpu_seconds=600, wall_seconds=1200)
Cells = Callable[[], str]


class Maker:
    """Columns of people, and of what only looks like them; repeats for a seed."""

    def __init__(self, seed: int) -> None:
        try:
            from faker import Faker
        except ImportError as error:
            raise machine.Skipped("Faker is not installed (pip install .[dev])") from error
        self.chance = random.Random(seed)
        self.fake = Faker("ja_JP")
        self.fake.seed_instance(seed)
        self.latin = Faker("en_US")
        self.latin.seed_instance(seed)

    def digits(self, count: int) -> str:
        """So many digits."""
        return "".join(str(self.chance.randrange(10)) for _ in range(count))

    def my_number(self) -> str:
        """Return a number of 12 digits with the check digit of an individual number."""
        start = self.digits(11)
        return next((one for n in range(10) if digits.is_my_number(one := f"{start}{n}")), self.digits(12))

    def licence(self) -> str:
        """Return a number with the check digit of a driving licence."""
        start = self.chance.choice(sorted(digits.LICENCE_OFFICES)) + self.digits(8)
        return next(one for n in range(10) if digits.is_driving_licence(one := f"{start}{n}0"))

    def card(self) -> str:
        """Return a number of 16 digits that passes Luhn."""
        start = self.chance.choice("45") + str(self.chance.randrange(1, 6)) + self.digits(13)
        return next(one for n in range(10) if digits.is_card_number(one := f"{start}{n}"))

    def wide(self, text: str) -> str:
        """Return the text in full-width figures."""
        return text.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789-"})

    def phone(self) -> str:
        """Return a telephone number in one of the usual spellings."""
        number = self.chance.choice(
            (
                f"0{self.chance.choice('789')}0-{self.digits(4)}-{self.digits(4)}",
                f"0{self.chance.randrange(11, 99)}-{self.chance.randrange(200, 999)}-{self.digits(4)}",
                f"(03){self.chance.randrange(3000, 6999)}-{self.digits(4)}",
            )
        )
        return self.wide(number) if self.chance.random() < 0.1 else number

    def born(self) -> str:
        """Return a date of birth in one of the usual spellings."""
        day = self.fake.date_of_birth(minimum_age=1, maximum_age=95)
        forms = (f"{day:%Y-%m-%d}", f"{day.year}年{day.month}月{day.day}日", f"{day:%Y%m%d}", f"{day:%Y/%m/%d}")
        if 1927 <= day.year <= 1988 and self.chance.random() < 0.3:
            return f"昭和{day.year - 1925}年{day.month}月{day.day}日"
        return self.chance.choice(forms)

    def note(self) -> str:
        """Return a remark about nobody."""
        said = (
            "特になし",
            "窓口で受付",
            "確認済み",
            "書類不備のため再提出",
            "来庁予定",
            "仕様書を送付",
            "お客様都合で変更",
        )
        return self.chance.choice(said)

    def seeded(self, share: float, other: Cells) -> str:
        """Return a remark, and in this share of the cells something else."""
        return other() if self.chance.random() < share else self.note()


PERSON = ("氏名", "お名前", "name", "申込者氏名", "full_name", "利用者名")
NAMELESS = privacy_hard.NAMELESS


def columns(maker: Maker) -> list[tuple[str, tuple[str, ...], Cells, Kind | None]]:
    """Name of the family, headers, cells, and the kind that is in it."""
    fake, chance = maker.fake, maker.chance
    return [
        ("names", PERSON, fake.name, Kind.NAME),
        ("names, no header", NAMELESS, fake.name, Kind.NAME),
        ("names in Latin letters", ("full name", "customer_name"), maker.latin.name, Kind.NAME),
        (
            "names with 様 in notes",
            ("備考", "但し書き"),
            lambda: maker.seeded(0.05, lambda: f"{fake.name()}様より依頼"),
            Kind.NAME,
        ),
        ("readings", ("フリガナ", "氏名カナ"), fake.kana_name, Kind.KANA_NAME),
        ("births", ("生年月日", "birth_date", "誕生日"), maker.born, Kind.BIRTH_DATE),
        ("telephone", ("電話番号", "連絡先", "phone"), maker.phone, Kind.TELEPHONE),
        ("telephone, no header", NAMELESS, maker.phone, Kind.TELEPHONE),
        (
            "telephone in notes",
            ("備考", "メモ"),
            lambda: maker.seeded(0.03, lambda: f"折返し希望 {maker.phone()}"),
            Kind.TELEPHONE,
        ),
        ("e-mail", ("メールアドレス", "email", "連絡先"), fake.email, Kind.EMAIL),
        ("addresses", ("住所", "address", "現住所"), fake.address, Kind.ADDRESS),
        ("postal codes", ("郵便番号", "zip"), fake.postcode, Kind.POSTAL_CODE),
        ("My Numbers", ("個人番号", "マイナンバー"), maker.my_number, Kind.MY_NUMBER),
        ("My Numbers, no header", NAMELESS, maker.my_number, Kind.MY_NUMBER),
        ("licences", ("免許証番号", "運転免許証番号"), maker.licence, Kind.DRIVING_LICENCE),
        ("licences, no header", NAMELESS, maker.licence, Kind.DRIVING_LICENCE),
        ("cards", ("カード番号", "card_no"), maker.card, Kind.CARD_NUMBER),
        ("cards, no header", NAMELESS, maker.card, Kind.CARD_NUMBER),
        (
            "pensions",
            ("基礎年金番号",),
            lambda: f"{chance.randrange(1000, 9999)}-{maker.digits(6)}",
            Kind.PENSION_NUMBER,
        ),
        ("customer numbers", ("会員番号", "患者ID"), lambda: f"C{maker.digits(7)}", Kind.CUSTOMER_NUMBER),
    ]


def lookalikes(maker: Maker) -> list[tuple[str, tuple[str, ...], Cells, Kind | None]]:
    """Return the columns that only look like those of people: hard negatives."""
    fake, chance = maker.fake, maker.chance
    return [
        ("prices", ("価格", "金額", "price"), lambda: f"{chance.randrange(100, 9_999_999):,}", None),
        ("plain ids of 12 digits", ("管理番号", "受付番号", "id"), lambda: str(chance.randrange(10**11, 10**12)), None),
        ("product codes (JAN)", ("JANコード", "商品コード"), lambda: f"49{maker.digits(11)}", None),
        (
            "order numbers of 16 digits",
            ("注文番号",),
            lambda: f"{maker.digits(4)}-{maker.digits(4)}-{maker.digits(4)}-{maker.digits(4)}",
            None,
        ),
        ("corporate numbers", ("法人番号",), lambda: f"{chance.randrange(1, 10)}{maker.digits(12)}", None),
        ("companies", ("会社名", "商号"), fake.company, None),
        ("towns", ("町名", "地区"), fake.town, None),
        ("dates of events", ("開催日", "更新日"), lambda: f"{fake.date_this_decade():%Y-%m-%d}", None),
        ("toll-free numbers", ("電話番号", "問合せ先"), lambda: f"0120-{maker.digits(3)}-{maker.digits(3)}", None),
        (
            "office mailboxes",
            ("メール", "email"),
            lambda: f"{chance.choice(('info', 'soumu', 'contact'))}@{fake.domain_name()}",
            None,
        ),
        ("ISBN", ("ISBN",), lambda: f"978-4-{maker.digits(2)}-{maker.digits(6)}-{maker.digits(1)}", None),
        ("network addresses", ("IPアドレス",), fake.ipv4, None),
        ("notes with 様 and 仕様", ("備考", "内容"), maker.note, None),
        ("measurements", ("気温", "値"), lambda: f"{chance.randrange(-200, 400) / 10:.1f}", None),
    ]


FACILITIES = (
    "中央図書館",
    "南小学校",
    "北公園",
    "東病院",
    "西保育園",
    "市民センター",
    "山田歯科医院",
    "田中商店",
    "中村公民館",
)


def table(
    maker: Maker, number: int, *, hard: bool
) -> tuple[list[str], list[list[str]], dict[int, tuple[str, Kind | None]]]:
    """Return header, rows and the label of each column; every fifth table is of facilities, all of it notes at most."""
    if number % 5 == 4:
        names = ["施設名", "電話番号", "所在地", "緯度", "経度"]
        cells: list[Cells] = [
            lambda: maker.fake.town() + maker.chance.choice(FACILITIES),
            maker.phone, maker.fake.address,
            lambda: f"43.{maker.digits(6)}", lambda: f"141.{maker.digits(6)}",
        ]  # fmt: skip
        labels = dict.fromkeys(range(1, 6), ("what facilities show", None))
    else:
        people, others = (privacy_hard.people, privacy_hard.near_misses) if hard else (columns, lookalikes)
        chosen = maker.chance.sample(people(maker) + others(maker), 5)
        names = [maker.chance.choice(headers) for _, headers, _, _ in chosen]
        cells = [made for _, _, made, _ in chosen]
        labels = {place: (family, kind) for place, (family, _, _, kind) in enumerate(chosen, start=1)}
    rows = [[one().replace("\n", " ") for one in cells] for _ in range(ROWS)]
    return names, rows, labels


def main(arguments: list[str]) -> None:
    """Print precision and recall by kind, misses and false alarms by family, and megabytes a second."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks privacy")
    parser.add_argument("--quick", action="store_true", help="fewer tables, a smaller file")
    quick = parser.parse_args(arguments).quick
    with tempfile.TemporaryDirectory() as folder:
        for hard in (False, True):
            _judge(Path(folder), TABLES_QUICK if quick else TABLES, hard=hard)
        _speed(Path(folder), 20_000 if quick else 200_000)


def _judge(folder: Path, tables: int, *, hard: bool) -> None:
    maker = Maker(SEED)
    right: Counter[Kind] = Counter()
    alarms: Counter[Kind] = Counter()
    missed: Counter[Kind] = Counter()
    families: Counter[str] = Counter()
    for number in range(tables):
        names, rows, labels = table(maker, number, hard=hard)
        path = folder / "t.csv"
        path.write_text(_csv(names, rows), encoding=("utf-8", "cp932", "utf-16")[number % 3], errors="replace")
        found = _found(path, of_places=number % 5 == 4)
        for place, (family, kind) in labels.items():
            kinds = found.get(place, set())
            if kind in kinds:
                right[kind] += 1
            elif kind is not None:
                missed[kind] += 1
                families[f"missed: {family}"] += 1
            for wrong in kinds - {kind} - privacy_hard.ALSO.get(family, set()):
                alarms[wrong] += 1
                families[f"false alarm: {family} taken for {wrong.value}"] += 1
    what = "hard ones and near misses alone" if hard else "plain"
    print(f"  {tables} tables of 5 columns and {ROWS} rows, {what}, columns labelled by their generator (synthetic)")
    print(f"  {'kind':18} precision   recall   right missed false")
    for kind in Kind:
        if right[kind] + missed[kind] + alarms[kind]:
            _line(kind.value, right[kind], missed[kind], alarms[kind])
    _line("all", right.total(), missed.total(), alarms.total())
    for family, count in families.most_common(20):
        print(f"    {count:4} {family}")


def _line(name: str, right: int, missed: int, alarms: int) -> None:
    precision, recall = (right * 1000 // max(1, right + other) for other in (alarms, missed))
    print(f"  {name:18} {precision / 10:7.1f} % {recall / 10:7.1f} % {right:6} {missed:5} {alarms:5}")


def _found(path: Path, *, of_places: bool) -> dict[int, set[Kind]]:
    profile = profiling.profile_file(path, path.name).document
    found: dict[int, set[Kind]] = {}
    # A note asks for nothing, and is no alarm. Postal codes are never more, and addresses only beside people: there a
    # note counts as found.
    noted = set() if of_places else {Kind.POSTAL_CODE, Kind.ADDRESS}
    for one in inspection.inspect_file(path, profile, LIMITS).findings:
        if one.level is not Level.NOTE or one.kind in noted:
            found.setdefault(one.place, set()).add(one.kind)
    return found


def _csv(names: list[str], rows: list[list[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return out.getvalue()


def _speed(folder: Path, rows: int) -> None:
    maker = Maker(SEED)
    pool = [
        [maker.fake.name(), maker.phone(), maker.fake.address().replace("\n", " "), maker.born(), maker.note()]
        for _ in range(2_000)
    ]
    people = [[*maker.chance.choice(pool), str(n)] for n in range(rows)]
    flow = [
        [f"2026-11-{n % 28 + 1:02d} {n % 24:02d}:00", f"地点{n % 40}", str(n % 977), f"{n % 400 / 10}"]
        for n in range(3 * rows)
    ]
    for name, header, made in (
        ("people (every cell a finding)", ["氏名", "電話番号", "住所", "生年月日", "備考", "番号"], people),
        ("people flow (no finding)", ["日時", "地点", "人数", "気温"], flow),
    ):
        path = folder / "speed.csv"
        path.write_text(_csv(header, made), encoding="utf-8")
        _timed(name, path)
        as_json = folder / "speed.jsonl"
        as_json.write_text(
            "\n".join(json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False) for row in made[: rows // 2])
        )
        _timed(f"{name}, JSON Lines", as_json)


def _timed(name: str, path: Path) -> None:
    megabytes = path.stat().st_size / 1e6
    began = time.perf_counter()
    profile = profiling.profile_file(path, path.name).document
    profiled = time.perf_counter() - began
    began = time.perf_counter()
    found = inspection.inspect_file(path, profile, LIMITS)
    looked = time.perf_counter() - began
    first = [column["name"] for column in profile["columns"][:2]]
    began = time.perf_counter()
    measured: dict[str, Any] = inspection.measure_file(path, profile, first, first[:1], LIMITS)
    counted = time.perf_counter() - began
    print(
        f"  {name}: {megabytes:.0f} MB, {len(found.findings)} findings; looked through {megabytes / looked:.1f} MB/s,"
        f" k and l {megabytes / counted:.1f} MB/s ({measured.get('groups', measured.get('problem'))} groups),"
        f" profiled {megabytes / profiled:.1f} MB/s: {profiled / looked:.2f} of the limit"
    )
