"""An S3 service on the loopback interface (SeaweedFS), and one that fails as it is told."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import requests

from marketplace.delivery.stores.place import Place
from marketplace.demo.stage import free_port
from tests.live import wait_until

KEY, SECRET = "AKIATESTTESTTEST", "secret-of-the-tests"
WEED = Path(sys.executable).with_name("weed")
_PORTS = (
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
    "s3.port.grpc",
)  # fmt: skip


def place(endpoint: str, **more: object) -> Place:
    """Return where the bucket of the tests is."""
    given = {"bucket": "musubi", "prefix": "exchange", "endpoint": endpoint, "region": "us-east-1"}
    return Place(**(given | {"access_key_id": KEY, "secret_access_key": SECRET} | more))


def settings(endpoint: str, **more: object) -> dict[str, object]:
    """Return the settings, as environment variables in lower case, of an exchange that keeps its files there."""
    given = {"marketplace_store": "s3://musubi/exchange", "marketplace_s3_endpoint": endpoint}
    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
    return given | keys | {"marketplace_s3_region": "us-east-1"} | more


def remove(endpoint: str, sha256: str) -> None:
    """Remove an object behind the exchange's back."""
    import obstore
    from obstore.store import S3Store

    bucket = S3Store(
        "musubi", prefix="exchange", endpoint=endpoint, region="us-east-1", access_key_id=KEY,
        secret_access_key=SECRET, virtual_hosted_style_request=False, client_options={"allow_http": True},
    )  # fmt: skip
    obstore.delete(bucket, f"{sha256[:2]}/{sha256[2:4]}/{sha256}")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Run an S3 service that knows one key until the block ends, and yield its address."""
    rights = {"name": "tests", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [rights]}))
    port = free_port()
    options = [f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-filer", "-s3.iam=false"]
    options += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-volume.max=0"]
    options += ["-master.volumeSizeLimitMB=64", f"-s3.config={config}", f"-s3.port={port}"]
    options += [f"-{name}={free_port()}" for name in _PORTS]
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen([WEED, "server", *options], stdout=log, stderr=log)
    try:
        wait_until("the S3 service", lambda: _answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()  # it holds nothing but what the tests made, and is slow to say goodbye
        process.wait()


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 403
    except requests.RequestException:
        return False


@dataclass
class Troubled:
    """A bucket that fails: ``plan`` says how the next requests of a method are answered, then all goes well.

    Answers are ``silent`` (none at all), ``truncated`` (half of the body) or a status.
    """

    endpoint: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    plan: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    over: Event = field(default_factory=Event)


@contextmanager
def troubled() -> Iterator[Troubled]:
    """Serve a bucket in memory that fails as its plan says."""
    bucket = Troubled()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.bucket = bucket
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    bucket.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield bucket
    finally:
        bucket.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    """Answers as the plan of its server says."""

    @property
    def bucket(self) -> Troubled:
        return self.server.bucket

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._failed():
            self.bucket.objects[self.path] = body
            self._answer(200, b"", ETag='"x"')

    def do_GET(self) -> None:
        content = self.bucket.objects.get(self.path)
        if self._failed():
            return
        if content is None:
            self._answer(404, b"")
            return
        first, last = (int(part) for part in self.headers["Range"].removeprefix("bytes=").split("-"))
        told = f"bytes {first}-{last}/{len(content)}"
        self._answer(206, content[first : last + 1], **{"Content-Range": told, "ETag": '"x"'})

    def do_HEAD(self) -> None:
        content = self.bucket.objects.get(self.path)
        if not self._failed():
            self._answer(404 if content is None else 200, content or b"", ETag='"x"')

    def _failed(self) -> bool:
        self.bucket.asked.append(self.command)
        waiting = self.bucket.plan.get(self.command, [])
        how = waiting.pop(0) if waiting else "well"
        if how == "silent":
            self.bucket.over.wait(120)
            self.close_connection = True
        elif how == "truncated":
            self._answer(206, self.bucket.objects[self.path], cut=True, ETag='"x"')
        elif how != "well":
            self._answer(int(how), b"<Error><Code>SlowDown</Code></Error>")
        return how != "well"

    def _answer(self, status: int, body: bytes, *, cut: bool = False, **fields: str) -> None:
        self.send_response(status)
        length = {"Content-Length": str(len(body)), "Last-Modified": "Sun, 29 Nov 2026 00:00:00 GMT"}
        whole = {"Content-Range": f"bytes 0-{len(body) - 1}/{len(body)}"} if cut else {}
        for name, value in (length | whole | fields).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""
