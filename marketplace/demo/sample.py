"""The synthetic file that the demo lists when the user brings none: people flow and temperature in Sapporo."""

import csv
import io
import math
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

FILE_NAME = "sapporo_people_flow_synthetic.csv"
_PREAMBLE = (
    "# 合成データ：乱数から作った架空の値です。札幌市の実測値ではありません。",
    "# Synthetic data: invented from random numbers; these are not measurements of the City of Sapporo.",
    "# license,https://creativecommons.org/publicdomain/zero/1.0/",
)
_COLUMNS = ("日付", "メッシュコード", "区", "平日休日", "時間帯", "気温_最高_℃", "気温_最低_℃", "人流_人", "備考")
# Third-mesh codes (JIS X 0410) from the region, given to wards at will: the figures are invented anyway.
_PLACES = (
    ("64414278", "中央区", 9000),
    ("64414287", "中央区", 5200),
    ("64414279", "北区", 4100),
    ("64414370", "東区", 3600),
    ("64414360", "白石区", 3300),
    ("64414351", "豊平区", 2900),
    ("64414340", "清田区", 1500),
    ("64414257", "南区", 1200),
    ("64414274", "西区", 2600),
    ("64414282", "手稲区", 1900),
    ("64414361", "厚別区", 2300),
)
_BANDS = (("朝", 70), ("昼", 110), ("夜", 50))
_FIRST_DAY, _DAYS = date(2023, 4, 1), 1096
_COLDEST_DAY_OF_YEAR = 28
_SNOW_BELOW_TENTHS = -60


def write_sample(directory: Path) -> Path:
    """Write the sample into the directory and return its path: about 2 MiB, the same bytes every time.

    UTF-8 with a byte order mark, CRLF, and ``#`` lines that say it is synthetic, as Japanese offices publish.
    """
    text = io.StringIO(newline="")
    text.writelines(f"{line}\r\n" for line in _PREAMBLE)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows(_rows(random.Random("musubi-sample-1")))  # noqa: S311 - invented figures, not secrets
    path = directory / FILE_NAME
    path.write_bytes(text.getvalue().encode("utf-8-sig"))
    return path


def _rows(chance: random.Random) -> Iterator[tuple[str, ...]]:
    for offset in range(_DAYS):
        day = _FIRST_DAY + timedelta(days=offset)
        high, low = _temperatures(day, chance)
        kind = "休日" if _is_weekend(day) else "平日"
        note = "合成値,雪" if high < _SNOW_BELOW_TENTHS else "合成値"
        for mesh, ward, usual in _PLACES:
            for band, percent in _BANDS:
                passers = _passers(day, usual * percent // 100, high, chance)
                yield (day.isoformat(), mesh, ward, kind, band, _tenths(high), _tenths(low), str(passers), note)


def _temperatures(day: date, chance: random.Random) -> tuple[int, int]:
    """Return the day's highest and lowest temperature in tenths of a degree."""
    season = math.cos(2 * math.pi * (day.timetuple().tm_yday - _COLDEST_DAY_OF_YEAR) / 365)
    high = round(128 - 134 * season) + chance.randint(-45, 45)
    return high, high - chance.randint(40, 95)


def _passers(day: date, usual: int, high: int, chance: random.Random) -> int:
    percent = (70 if _is_weekend(day) else 100) - (15 if high < 0 else 0)
    return usual * percent * chance.randint(80, 120) // 10_000


def _is_weekend(day: date) -> bool:
    return day.weekday() >= 5


def _tenths(value: int) -> str:
    sign = "-" if value < 0 else ""
    return f"{sign}{abs(value) // 10}.{abs(value) % 10}"
