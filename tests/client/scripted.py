"""A server that answers as a test says, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

WELL_KNOWN = "/.well-known/oauth-authorization-server"
TOKEN = "/oauth/token"


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Said:
    """One answer; ``cut_at`` breaks the connection after so many bytes of the body."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_at: int | None = None

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Answer = Callable[[Asked], Said]


@dataclass
class Scripted:
    """The answers by path, and all that was asked; a path without one is 404."""

    origin: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(self, path: str, *said: Said | Answer) -> None:
        """Answer a path with these in turn, with the last again and again."""
        waiting = list(said)

        def answer(asked: Asked) -> Said:
            one = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            return one if isinstance(one, Said) else one(asked)

        self.answers[path] = answer

    def at(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    def is_an_exchange(self, **changes: Any) -> None:
        """Say of oneself what an exchange says."""
        document = {
            "issuer": self.origin,
            "token_endpoint": self.origin + TOKEN,
            "device_authorization_endpoint": f"{self.origin}/oauth/device_authorization",
            "revocation_endpoint": f"{self.origin}/oauth/revoke",
            "scopes_supported": ["grants:read", "data:read", "market:operate"],
            "musubi_cli_client_id": "cli_of_commands",
        } | changes
        self.on(WELL_KNOWN, Said(body=document))


def tokens(access: str = "a-2", **more: Any) -> Said:
    """What a token endpoint gives."""
    return Said(body={"access_token": access, "token_type": "Bearer", "expires_in": 300, "scope": "grants:read"} | more)


def problem(status: int, slug: str, **headers: str) -> Said:
    """What an exchange refuses with."""
    body = {"type": f"https://x.example/problems/{slug}", "title": slug.replace("-", " "), "cure": "Do better."}
    return Said(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


@contextmanager
def scripted() -> Iterator[Scripted]:
    """Serve until the block ends."""
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
            script.asked.append(asked)
            answer = script.answers.get(parts.path)
            self._send(answer(asked) if answer else problem(404, "not-found"))

        do_POST = do_GET  # noqa: N815 - so the library calls it

        def _send(self, said: Said) -> None:
            content = said.content()
            self.send_response(said.status)
            for name, value in ({"Content-Length": str(len(content))} | said.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[: said.cut_at])
            if said.cut_at is not None:
                self.close_connection = True

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_args: Any) -> None:
            """A client that goes away is no error."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.origin = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
