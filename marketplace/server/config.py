"""gunicorn inside this process, with our worker and no configuration but ours."""

import resource
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from marketplace.server import refusals

# epoll and SIOCOUTQ are Linux's; elsewhere gunicorn's own worker serves, and the application counts what it yields.
WORKERS = {
    "threads": "marketplace.server.worker.SendfileWorker",
    "events": "marketplace.server.event_worker.EventWorker",
}
DESCRIPTORS_RESERVED = 256
Address = tuple[str, int]
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
OnReady = Callable[[Address], None]


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """How the server listens and what it allows; limits are those of one worker process.

    ``host`` may be ``unix:/path/of/socket`` for a proxy on the same machine; ``port`` 0 takes a free one, told
    to ``on_ready``. ``stall_seconds``: how long a peer may acknowledge, send or take nothing before its connection
    is closed; ``head_seconds``: how long it may take over its header fields. Behind a proxy, ``trusted_proxies``
    names whose ``X-Forwarded-Proto`` counts. With a certificate the server speaks TLS itself; it then cannot send
    files outside its threads, so a proxy in front serves many slow readers better. ``answer_fields`` are header
    fields of the answers that the server gives itself, ``problems_url`` is where the pages about them lie.
    ``worker_class`` is ``threads``, ``events``, or a class of gunicorn's.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    threads: int = 16
    processes: int = 1
    connections_max: int = 8192
    backlog: int = 1024
    graceful_timeout_seconds: int = 30
    worker_timeout_seconds: int = 60
    keepalive_seconds: int = 15
    stall_seconds: float = 60.0
    head_seconds: float = 20.0
    request_line_bytes_max: int = 8190
    header_fields_max: int = 64
    header_bytes_max: int = 8190
    problems_url: str = "/problems"
    answer_fields: refusals.Fields = ()
    trusted_proxies: tuple[str, ...] = ()
    access_log: bool = False
    certificate: Path | None = None
    private_key: Path | None = None
    worker_class: str = "threads"


class RootLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's logs through the root logger, where lines are made JSON and secrets are masked."""

    def setup(self, cfg: Any) -> None:
        """Let the root logger decide where lines go."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with everything said in code: it reads no file, no command line and no GUNICORN_CMD_ARGS."""

    def __init__(
        self, create_wsgi_app: Callable[[], Wsgi], config: ServerConfig, on_ready: OnReady | None = None
    ) -> None:
        self._create_wsgi_app = create_wsgi_app
        self._config = config
        self._on_ready = on_ready
        self.stall_seconds = config.stall_seconds
        self.head_seconds = config.head_seconds
        self.problems_url = config.problems_url
        self.answer_fields = config.answer_fields
        super().__init__()

    def load_config(self) -> None:
        """Hand our settings to gunicorn."""
        for name, value in (settings_of(self._config) | {"when_ready": self._tell_ready}).items():
            self.cfg.set(name, value)

    def load(self) -> Wsgi:
        """Create the application, once in each worker process, after the fork."""
        return self._create_wsgi_app()

    def _tell_ready(self, arbiter: Any) -> None:
        if self._on_ready is not None:
            self._on_ready(bound_address(arbiter.LISTENERS))


def run(create_wsgi_app: Callable[[], Wsgi], config: ServerConfig, on_ready: OnReady | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then leave through SystemExit.

    ``create_wsgi_app`` runs in the worker process; ``on_ready((host, port))`` runs in this one as soon as
    connections are accepted (they wait until the application is loaded).
    """
    Server(create_wsgi_app, config, on_ready).run()


def settings_of(config: ServerConfig) -> dict[str, Any]:
    """Return gunicorn's names for our settings."""
    return {
        "bind": bind_of(config.host, config.port),
        "workers": config.processes,
        "worker_class": worker_named(config.worker_class),
        "threads": config.threads,
        "worker_connections": connections_max(config.connections_max),
        "backlog": config.backlog,
        "timeout": config.worker_timeout_seconds,
        "graceful_timeout": config.graceful_timeout_seconds,
        "keepalive": config.keepalive_seconds,
        "limit_request_line": config.request_line_bytes_max,
        "limit_request_fields": config.header_fields_max,
        "limit_request_field_size": config.header_bytes_max,
        "forwarded_allow_ips": ",".join(config.trusted_proxies),
        "logger_class": RootLogger,
        "accesslog": "-" if config.access_log else None,
        "access_log_format": "%(m)s %(U)s %(s)s %(D)sus",  # without the query: it may hold a ticket
        "certfile": str(config.certificate) if config.certificate else None,
        "keyfile": str(config.private_key) if config.private_key else None,
        "preload_app": False,  # threads and database connections do not survive the fork
        "reuse_port": False,
        "control_socket_disable": True,
    }


def worker_named(name: str) -> str:
    """Return the class of a worker by the setting's word for it; any other name is one of gunicorn's own."""
    known = WORKERS.get(name, name)
    return known if sys.platform == "linux" else "gthread"


def bind_of(host: str, port: int) -> str:
    """Return gunicorn's way to write an address."""
    if host.startswith("unix:"):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def connections_max(wanted: int) -> int:
    """Raise this process's limit of open files as far as it may go and return the connections that leaves room for.

    A download holds a socket and a file. gunicorn's accept loop dies of a full descriptor table, so the limit of
    connections must be reached first.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, (hard - DESCRIPTORS_RESERVED) // 2))


def bound_address(listeners: Sequence[socket.socket]) -> Address:
    """Return the (host, port) that the first listener is bound to; (path, 0) for a Unix socket."""
    address = listeners[0].getsockname()
    return (address, 0) if isinstance(address, str) else (address[0], address[1])
