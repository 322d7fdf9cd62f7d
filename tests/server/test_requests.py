"""What the server refuses, and how the same application fares on other servers."""

import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, Response
from werkzeug.test import create_environ

from marketplace.server.body import FileBody
from marketplace.server.config import worker_named

AMBIGUOUS = {
    "both lengths": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "signed length": b"Content-Length: +4\r\n\r\nabcd",
    "hidden coding": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "space before colon": b"Content-Length : 4\r\n\r\nabcd",
    "folded line": b"X-Folded: a\r\n b\r\n\r\n",
    "bare line feed in a name": b"X-A\nContent-Length: 4\r\n\r\nabcd",
    "chunk size with sign": b"Transfer-Encoding: chunked\r\n\r\n+4\r\nabcd\r\n0\r\n\r\n",
    "chunk size with 0x": b"Transfer-Encoding: chunked\r\n\r\n0x4\r\nabcd\r\n0\r\n\r\n",
    "chunk size with underscore": b"Transfer-Encoding: chunked\r\n\r\n1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "chunk without its end": b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcdef\r\n0\r\n\r\n",
    "chunk line with a bare line feed": b"Transfer-Encoding: chunked\r\n\r\n4\nabcd\r\n0\r\n\r\n",
    "chunk extension with a line feed": b"Transfer-Encoding: chunked\r\n\r\n4;a\nb\r\nabcd\r\n0\r\n\r\n",
    "coding twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding with a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "coding nobody knows": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "length list": b"Content-Length: 4, 4\r\n\r\nabcd",
    "same length twice": b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "length with a blank": b"Content-Length: 4 4\r\n\r\nabcd",
    "length in hexadecimal": b"Content-Length: 0x4\r\n\r\nabcd",
    "carriage return in a value": b"X-A: a\rContent-Length: 4\r\n\r\nabcd",
    "NUL in a value": b"X-A: a\x00b\r\n\r\n",
}


@pytest.mark.parametrize("ambiguous", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_requests_that_two_parsers_could_read_differently_are_refused_and_cut_off(tiny, ambiguous):
    with tiny.client() as client:
        client.socket.sendall(b"POST /echo HTTP/1.1\r\nHost: tiny\r\n" + ambiguous + b"GET /ping HTTP/1.1\r\n\r\n")
        answer = client.take(10_000)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"pong" not in answer


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /ping?" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET /ping HTTP/1.1\r\nX-Long: " + b"x" * 9000 + b"\r\n\r\n", b"431"),
        (b"GET /ping HTTP/1.1\r\n" + b"X-Many: 1\r\n" * 100 + b"\r\n", b"431"),
    ],
)
def test_oversized_heads_are_refused(tiny, request_line, status):
    with tiny.client() as client:
        client.socket.sendall(request_line)
        assert client.take(10_000).split()[1] == status


def test_a_body_nobody_reads_does_not_become_the_next_request(tiny):
    with tiny.client() as client:
        client.send("/file", method="POST", more="Content-Length: 36\r\n")
        client.socket.sendall(b"GET /lost HTTP/1.1\r\nHost: tiny\r\n\r\n\r\n")
        _, headers = client.head()
        assert client.take(int(headers["content-length"])) == tiny.file.read_bytes()
        assert client.text("/ping") == "pong"
    assert [report[2] for report in tiny.reports(1)] == ["complete"]


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    return folder / "cert.pem", folder / "key.pem"


def test_over_tls_the_body_is_iterated_and_counted(start, small_file, tmp_path):
    public, private = certificate(tmp_path)
    server = start(small_file, certificate=str(public), private_key=str(private))
    context = ssl.create_default_context(cafile=str(public))
    client = server.client()
    client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
    client.reader.close()
    client.reader = client.socket.makefile("rb", buffering=0)
    with client:
        assert client.get("/file")[2] == small_file.read_bytes()
        size = small_file.stat().st_size
        assert [line[:3] for line in json.loads(client.text("/reports?n=1"))] == [[size, size, "complete"]]


def test_a_unix_socket_is_served_by_iteration(start, small_file, tmp_path):
    address = tmp_path / "s"
    server = start(small_file, host=f"unix:{address}", port=0)
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(address))
        plain.sendall(b"GET /file HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: plain.recv(65536), b""))
    assert answer.endswith(small_file.read_bytes())
    assert server.stop()[0][2] == "complete"


@pytest.mark.parametrize("worker", ["gthread"], indirect=True)
def test_gunicorns_plain_threaded_worker_runs_the_same_application(start, small_file):
    server = start(small_file)
    with server.client() as client:
        assert client.get("/file?from=5&count=100")[2] == small_file.read_bytes()[5:105]
    assert server.reports(1)[0][:3] == [100, 100, "complete"]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def test_wsgiref_runs_the_same_application(small_file, tmp_path):
    sys.path.insert(0, str(Path(__file__).parent))
    from tiny_exchange import TinyExchange

    app = TinyExchange(small_file, tmp_path / "log")
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
        connection.request("GET", "/file?from=3")
        assert connection.getresponse().read() == small_file.read_bytes()[3:]
        connection.close()
        thread.join()
    size = small_file.stat().st_size - 3
    assert app.reports[0][:3] == [size, size, "complete"]


def test_flask_passes_the_body_through_untouched(small_file):
    reports = []
    app = Flask("tiny")

    @app.get("/file")
    def send():
        body = FileBody(small_file.open("rb"), 0, 10, lambda *report: reports.append(report))
        return Response(body, headers={"Content-Length": "10"}, direct_passthrough=True)

    environ = create_environ("/file")
    body = app(environ, lambda *_: None)
    assert isinstance(body, FileBody)
    assert b"".join(body) == small_file.read_bytes()[:10]
    body.close()
    assert reports == [(10, 10, "complete")]


def test_gunicorns_own_command_accepts_the_worker(tmp_path, worker):
    (tmp_path / "served.py").write_text("def application(environ, start_response): ...")
    command = [sys.executable, "-m", "gunicorn", "--check-config", "-k", worker_named(worker), "served:application"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
