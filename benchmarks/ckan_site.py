"""A CKAN-like site in a process of its own: synthetic records that are the same every time, answered page by page."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

RESOURCES = 58_000
LARGEST = 502
PLACES = ("札幌市", "高松市", "福井市", "新宿区", "京都市", "横浜市", "那覇市", "仙台市", "金沢市", "広島市")
SUBJECTS = (
    "避難所一覧",
    "町丁別人口",
    "公園の位置",
    "図書館の利用者数",
    "ごみ収集日",
    "保育園の定員",
    "道路工事",
    "観光客数",
)
FREQUENCIES = ("１年ごと", "年1回", "毎月", "随時", "不定期", "1か月ごと", "")
FORMATS = ("CSV", "xisx", "PDF", "エクセル", "XLSX", "ZIP")
LICENCES = ("CC-BY-4.0", "cc-by", "クリエイティブ・コモンズ 表示 4.0", "政府標準利用規約（第2.0版）")


def package(number: int, resources: int) -> dict[str, Any]:
    """Return a synthetic record as cities write them."""
    name, place = f"t{number:07d}", PLACES[number % len(PLACES)]
    subject = SUBJECTS[number // len(PLACES) % len(SUBJECTS)]
    links = [
        {
            "id": f"{name}-{place_of}", "name": f"{subject} {place_of}月分", "format": FORMATS[place_of % len(FORMATS)],
            "url": f"https://data.example.jp/{name}/{place_of}.csv", "size": None, "hash": "", "description": "",
        }
        for place_of in range(resources)
    ]  # fmt: skip
    return {
        "id": f"00000000-0000-4000-8000-{number:012d}", "name": name,
        "title": f"{place}の{subject} 第{number}地区（合成）",
        "notes": f"【{place}総務課】", "license_id": LICENCES[number % len(LICENCES)], "private": False,
        "state": "active",
        "metadata_modified": f"2026-0{number % 9 + 1}-11T00:00:00.000000", "tags": [], "groups": [{"title": "その他"}],
        "organization": {"title": f"{place}総務課", "name": "sample"}, "maintainer": "統計係",
        "maintainer_email": None,
        "extras": [{"key": "更新頻度", "value": FREQUENCIES[number % len(FREQUENCIES)]}], "resources": links,
    }  # fmt: skip


def packages(count: int) -> Iterator[dict[str, Any]]:
    """Yield records with 58,000 files for every 5,000, of which one has 502."""
    for number in range(count):
        yield package(number, LARGEST if number == 7 else (11, 12)[number % 2])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    known: tuple[dict[str, Any], ...] = ()

    def do_GET(self) -> None:
        """Answer package_search and package_list."""
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        found = self._found(asked) if parts.path.endswith("package_search") else self._names(asked)
        body = json.dumps({"success": True, "result": found}, ensure_ascii=False).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _found(self, asked: dict[str, str]) -> dict[str, Any]:
        since = asked.get("fq", "").removeprefix("metadata_modified:[").split("Z TO")[0]
        found = [one for one in self.known if one["metadata_modified"] >= since] if since else self.known
        start, rows = int(asked["start"]), int(asked["rows"])
        return {"count": len(found), "results": found[start : start + rows]}

    def _names(self, asked: dict[str, str]) -> list[str]:
        start, size = int(asked["offset"]), int(asked["limit"])
        return [one["name"] for one in self.known[start : start + size]]

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@contextmanager
def started(count: int) -> Iterator[str]:
    """Yield the address of a site with so many records."""
    program = [sys.executable, "-m", "benchmarks.ckan_site", str(count)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent) as site:
        try:
            yield site.stdout.readline().strip() if site.stdout else ""
        finally:
            site.terminate()


def main(count: int) -> None:
    """Serve until told to end; the address is the first line."""
    _Handler.known = tuple(packages(count))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
