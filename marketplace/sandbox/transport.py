"""Calling the mounted sandbox within the process: the same requests and bytes, without a socket."""

import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from werkzeug.test import Client
from werkzeug.wrappers import Response

Answer = tuple[bytes, int, Mapping[str, str]]
Lost = TypeVar("Lost", bound=Response)
LOST = "Sandbox-Answer-Lost"
_SOCKETS = ("gunicorn.socket", "werkzeug.socket")


def lose(response: Lost, environ: Mapping[str, Any]) -> Lost:
    """Let an answer not arrive: its connection ends, and a caller within the process sees a TimeoutError."""
    for name in _SOCKETS:
        if name in environ:
            with contextlib.suppress(OSError):
                environ[name].shutdown(socket.SHUT_RDWR)
    response.headers[LOST] = "true"
    return response


def exchange_with(application: Any) -> Callable[[str, str, Mapping[str, str], Any], Answer]:
    """Return a function that sends (method, URL, header fields, body) to a WSGI application of this process.

    The function raises TimeoutError when the sandbox was asked to lose the answer.
    """

    def exchange(method: str, url: str, headers: Mapping[str, str], body: Any) -> Answer:
        parts = urlsplit(url)
        answer = Client(application, Response).open(
            parts.path,
            method=method.upper(),
            base_url=f"{parts.scheme}://{parts.netloc}",
            query_string=parts.query,
            headers=dict(headers),
            data=body,
        )
        if LOST in answer.headers:
            raise TimeoutError("the sandbox was asked to lose this answer")
        return answer.get_data(), answer.status_code, dict(answer.headers.items())

    return exchange
