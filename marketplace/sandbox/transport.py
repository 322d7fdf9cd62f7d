"""Calling the mounted sandbox within the process: the same requests and bytes, without a socket."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from werkzeug.test import Client
from werkzeug.wrappers import Response

Answer = tuple[bytes, int, Mapping[str, str]]


def exchange_with(application: Any) -> Callable[[str, str, Mapping[str, str], Any], Answer]:
    """Return a function that sends (method, URL, header fields, body) to a WSGI application of this process."""

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
        return answer.get_data(), answer.status_code, dict(answer.headers.items())

    return exchange
