"""The servers that `download` compares, each started as a program.

python -m benchmarks.download_servers NAME CONGESTION [WORKER]
"""

import os
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import gunicorn.sock

from benchmarks import machine
from marketplace.kit import settings
from marketplace.server.body import Outcome
from marketplace.server.config import ServerConfig, run

THREADS = 16
GRACEFUL_SECONDS = 6
THREADED, EVENTS = "threads", "events"


def use_congestion_control(name: str) -> None:
    """Make every listener that gunicorn opens in this process use a congestion control of our choice.

    Call it before any gunicorn server starts; accepted connections inherit it.
    """
    set_options = gunicorn.sock.TCPSocket.set_options

    def set_all(self: Any, sock: socket.socket, bound: bool = False) -> socket.socket:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
        return set_options(self, sock, bound=bound)  # type: ignore[no-any-return]  # gunicorn has no types

    gunicorn.sock.TCPSocket.set_options = set_all


def bare_worker_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Serve /NAME through our worker, asking nobody and counting into nothing."""
    file = (machine.shelf() / Path(environ["PATH_INFO"]).name).open("rb")
    count = file.seek(0, 2)
    start_response("200 OK", [("Content-Length", str(count)), ("Content-Type", "application/octet-stream")])
    body: Iterable[bytes] = environ["marketplace.send_file"](file, 0, count, _forget)
    return body


def plain_flask_app() -> Callable[..., Iterable[bytes]]:
    """Serve /NAME the way Flask applications usually do."""
    import flask

    app = flask.Flask(__name__)

    @app.get("/<name>")
    def send(name: str) -> flask.Response:
        return flask.send_file(machine.shelf() / name)

    return app


def marketplace_app() -> Any:
    """Build the exchange as the environment says, with its background work."""
    from marketplace.app import create_serving_app

    return create_serving_app(settings.from_environment(os.environ))


def main(name: str, congestion: str, worker: str = THREADED) -> None:
    """Serve until SIGTERM and print the port."""
    use_congestion_control(congestion)
    port = int(os.environ["MARKETPLACE_PORT"]) if name == "marketplace" else 0
    applications: dict[str, tuple[Callable[[], Any], str]] = {
        "worker": (lambda: bare_worker_app, worker),
        "usual": (plain_flask_app, "gthread"),
        "marketplace": (marketplace_app, worker),
    }
    create, worker_class = applications[name]
    config = ServerConfig(
        port=port, threads=THREADS, worker_class=worker_class, graceful_timeout_seconds=GRACEFUL_SECONDS
    )
    run(create, config, on_ready=lambda address: print(address[1], flush=True))


def _forget(_sent: int, _acked: int, _outcome: Outcome) -> None:
    """Take a report and do nothing with it."""


if __name__ == "__main__":
    main(*sys.argv[1:])
