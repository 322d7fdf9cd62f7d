"""A small WSGI application and its server, started by the tests as a program of its own."""

import contextlib
import json
import sys
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs

from marketplace.kit import logs
from marketplace.server import sender
from marketplace.server.body import FileBody
from marketplace.server.config import ServerConfig, run
from marketplace.server.passes import PASS, Begun

SEND_FILE = "marketplace.send_file"
REPORT_WAIT_SECONDS = 180
_changed = threading.Condition()


class TinyExchange:
    """Routes: /ping, /mirror, /file?from=&count=, /reports?n=, and ways to go wrong."""

    def __init__(self, file: Path, log: Path) -> None:
        self.file, self.log = file, log
        self.reports: list[list] = []
        self.asked = 0

    def __call__(self, environ, start_response):
        route = getattr(self, "on_" + environ["PATH_INFO"].strip("/"))
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        return route(environ, start_response, query)

    def on_ping(self, environ, start_response, query):
        return _text(start_response, "pong")

    def on_echo(self, environ, start_response, query):
        return _text(start_response, str(len(environ["wsgi.input"].read())))

    def on_mirror(self, environ, start_response, query):
        """Answer with what was understood of the request."""
        told = {name: value for name, value in environ.items() if name.startswith(("HTTP_", "CONTENT_"))}
        names = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "RAW_URI", "SERVER_PROTOCOL", "wsgi.url_scheme")
        told |= {name: environ[name] for name in names} | {"body": environ["wsgi.input"].read().decode("latin-1")}
        return _text(start_response, json.dumps(told, sort_keys=True))

    def on_file(self, environ, start_response, query):
        body = self._body(environ, query, self.report)
        start_response("200 OK", [("Content-Length", query.get("promise", str(body.count)))])
        return body

    def on_chunked(self, environ, start_response, query):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return self._body(environ, query, self.report)

    def on_wrapped(self, environ, start_response, query):
        body = self._body(environ, query, self.report)
        start_response("200 OK", [("Content-Length", str(body.count))])
        with contextlib.closing(body):
            yield from body

    def on_begun(self, environ, start_response, query):
        body = self._body(environ, query, self.report)
        start_response("200 OK", [("Content-Length", str(body.count))])(next(body))
        return body

    def on_lost(self, environ, start_response, query):
        self._body(environ, query, self.report)
        raise RuntimeError("the application forgot the body it had made")

    def on_explode(self, environ, start_response, query):
        def explode(sent, acked, outcome):
            self.report(sent, acked, outcome)
            raise RuntimeError("the report failed")

        body = self._body(environ, query, explode)
        start_response("200 OK", [("Content-Length", str(body.count))])
        return body

    def on_passed(self, environ, start_response, query):
        """Answer as ``on_file`` does, with a part where one is asked for, and leave a pass for ``n`` more of the kind."""
        self.asked += 1
        size, slot = self.file.stat().st_size, environ.get(PASS)
        first, count = part_of(environ.get("HTTP_RANGE"), size) or (0, size)
        body = environ[SEND_FILE](self.file.open("rb"), first, count, self.report)
        if slot is not None:
            slot.keep(TinyPass(self, int(query["n"])))
        fields = [("Content-Length", str(body.count)), ("X-Kind", "passed")]
        if "HTTP_RANGE" in environ:
            fields.append(("Content-Range", f"bytes {first}-{first + count - 1}/{size}"))
        start_response("206 Partial Content" if "HTTP_RANGE" in environ else "200 OK", fields)
        return body

    def on_asked(self, environ, start_response, query):
        """Answer with how often ``on_passed`` was asked."""
        return _text(start_response, str(self.asked))

    def on_reports(self, environ, start_response, query):
        wanted = int(query["n"])
        with _changed:
            _changed.wait_for(lambda: len(self.reports) >= wanted, REPORT_WAIT_SECONDS)
            return _text(start_response, json.dumps(self.reports))

    def on_progress(self, environ, start_response, query):
        """Answer once the download ``key`` has at least ``acked`` bytes acknowledged."""
        until = time.monotonic() + REPORT_WAIT_SECONDS
        while time.monotonic() < until:
            progress = dict(sender.progress())
            if progress.get(query["key"], -1) >= int(query["acked"]):
                break
            with _changed:
                _changed.wait(0.05)
        return _text(start_response, json.dumps(progress))

    def on_stop(self, environ, start_response, query):
        sender.stop(lambda key: key == query["key"])
        return _text(start_response, "stopped")

    def on_open(self, environ, start_response, query):
        """Answer with the number of open descriptors of the data file."""
        links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        names = [str(link.readlink()) for link in links if link.exists()]
        return _text(start_response, str(names.count(str(self.file))))

    def report(self, sent, acked, outcome):
        line = [sent, acked, str(outcome), threading.current_thread().name]
        with _changed:
            self.reports.append(line)
            with self.log.open("a") as log:
                log.write(json.dumps(line) + "\n")
            _changed.notify_all()

    def _body(self, environ, query, on_close):
        size = self.file.stat().st_size
        offset = int(query.get("from", 0))
        count = int(query.get("count", size - offset))
        file = self.file.open("rb")
        if SEND_FILE in environ:
            return environ[SEND_FILE](file, offset, count, on_close, query.get("key"))
        return FileBody(file, offset, count, on_close)


class TinyPass:
    """Leave for ``left`` bodies; each report is kept at once."""

    def __init__(self, exchange: TinyExchange, left: int) -> None:
        self.exchange, self.left = exchange, left

    def begin(self, range_field):
        if self.left == 0:
            return None
        self.left -= 1
        size = self.exchange.file.stat().st_size
        first, count = part_of(range_field, size) or (0, size)
        fields = {} if range_field is None else {"Content-Range": f"bytes {first}-{first + count - 1}/{size}"}
        fields |= {"Content-Length": str(count)}
        return Begun(self.exchange.file.open("rb"), first, count, fields, "passed", self._report)

    def waits(self):
        return False

    def end(self):
        self.left = 0

    def _report(self, sent, acked, outcome, told):
        self.exchange.report(sent, acked, outcome)
        told()


def part_of(field, size):
    """Return the first byte and the number of bytes of a plain range."""
    if field is None:
        return None
    first, last = field.removeprefix("bytes=").split("-")
    return int(first), min(int(last or size - 1), size - 1) - int(first) + 1


def _text(start_response, text):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text.encode())))])
    return [text.encode()]


def main() -> None:
    """Serve until SIGTERM: argument one is a JSON object of file, log and ServerConfig settings."""
    settings = json.loads(sys.argv[1])
    file, log = Path(settings.pop("file")), Path(settings.pop("log"))
    logs.configure()
    run(lambda: TinyExchange(file, log), ServerConfig(**settings), on_ready=_tell)


def _tell(address) -> None:
    sys.stdout.write(json.dumps(address) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
