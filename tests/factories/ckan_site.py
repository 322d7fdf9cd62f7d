"""A CKAN-like site on the loopback interface: a really started server with made-up records, some of them hostile."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Package = dict[str, Any]
Odd = Callable[["Site", str, dict[str, str]], tuple[int, bytes] | None]


def package(number: int, resources: int = 2, **more: Any) -> Package:
    """A synthetic record as cities write them: no tags, a short note, frequency in free text."""
    name = f"t{number:06d}"
    links = [
        {"id": f"{name}-{n}", "name": f"{n}月分", "format": ("CSV", "xisx", "PDF")[n % 3], "url": f"https://data.example.jp/{name}/{n}.csv"}
        for n in range(resources)
    ]  # fmt: skip
    subject = ("避難所一覧", "人口統計", "公園の位置", "図書館の利用者数")[number % 4]
    return {
        "id": f"00000000-0000-4000-8000-{number:012d}", "name": name, "title": f"{subject} {number}",
        "notes": "【総務課】", "license_id": "CC-BY-4.0", "metadata_modified": f"2026-01-01T00:00:{number % 60:02d}.000000",
        "organization": {"title": "見本市（合成）", "name": "sample"}, "tags": [], "groups": [{"title": "その他"}],
        "extras": [{"key": "更新頻度", "value": "１年ごと"}], "resources": links, "private": False, "state": "active",
    } | more  # fmt: skip


class Site:
    """The records of a site, what it was asked, and how it misbehaves."""

    def __init__(self) -> None:
        self.packages: list[Package] = []
        self.asked: list[str] = []
        self.odd: Odd | None = None
        self.address = ""

    def answer(self, path: str, asked: dict[str, str]) -> tuple[int, bytes]:
        """Answer an action as CKAN does."""
        self.asked.append(path)
        odd = self.odd(self, path, asked) if self.odd else None
        return odd or self._answer(path.rpartition("/")[2], asked)

    def _answer(self, action: str, asked: dict[str, str]) -> tuple[int, bytes]:
        if action == "package_search":
            return self._search(asked)
        if action == "package_list":
            names = sorted(one["name"] for one in self.packages)
            start, size = int(asked.get("offset", 0)), int(asked.get("limit", len(names)))
            return told(names[start : start + size])
        if action == "package_show":
            found = [one for one in self.packages if asked["id"] in {one["name"], one["id"]}]
            return told(found[0]) if found else (404, b'{"success": false, "error": {"__type": "Not Found Error"}}')
        return 400, b'"Bad request"'

    def _search(self, asked: dict[str, str]) -> tuple[int, bytes]:
        found = self.packages
        if "fq" in asked:
            since = asked["fq"].removeprefix("metadata_modified:[").split("Z TO")[0]
            found = [one for one in found if one["metadata_modified"] >= since]
        start, rows = int(asked["start"]), min(int(asked["rows"]), 1000)
        return told({"count": len(found), "results": found[start : start + rows]})


def told(result: Any) -> tuple[int, bytes]:
    """A successful answer of an action."""
    return 200, json.dumps({"success": True, "result": result}, ensure_ascii=False).encode()


@contextmanager
def started() -> Iterator[Site]:
    """A site that answers at its address until the end."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, body = site.answer(parts.path, asked)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{site.address}/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
