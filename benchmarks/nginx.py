"""nginx with static files, as it comes: what `download` measures against, where it is installed."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import machine

PLACES = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"
READY_SECONDS = 10.0
_MODULES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_CONFIGURATION = """daemon off;
{user}
worker_processes 1;
pid {home}/pid;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
  {temporary}
  server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""


def program() -> str:
    """Return the path of nginx; raises machine.Skipped where it is not installed."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:{PLACES}")
    if found is None:
        raise machine.Skipped("nginx is not installed (Debian: apt-get install nginx-light)")
    return found


@contextlib.contextmanager
def serving(folder: Path, congestion: str) -> Iterator[tuple[int, int]]:
    """Serve the files of a folder on loopback from the servers' core; gives the process and its port.

    nginx has no directive for the congestion control of a listener. It inherits ours instead, by the variable
    ``NGINX``, as it does when its binary is replaced while it runs (nginx.org, Controlling nginx).
    """
    with tempfile.TemporaryDirectory(prefix="musubi-nginx-") as home, _listener(congestion) as listening:
        port = listening.getsockname()[1]
        file = Path(home) / "nginx.conf"
        file.write_text(_configuration(Path(home), folder, port))
        process = subprocess.Popen(
            [program(), "-p", home, "-e", "stderr", "-c", file],
            env=os.environ | {"NGINX": f"{listening.fileno()};"}, pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=machine.pinned_to(machine.server_core()),  # noqa: PLW1509 - no threads here
        )  # fmt: skip
        try:
            _wait_answering(process, port)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait()


def _listener(congestion: str) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
    listening.bind(("127.0.0.1", 0))
    listening.listen(1024)
    return listening


def _configuration(home: Path, folder: Path, port: int) -> str:
    # Its workers would otherwise belong to somebody who may not enter our folder.
    user = "user root;" if os.getuid() == 0 else ""
    temporary = "\n  ".join(f"{name}_temp_path {home}/temporary;" for name in _modules())
    return _CONFIGURATION.format(home=home, folder=folder, port=port, user=user, temporary=temporary)


def _modules() -> list[str]:
    """Return the modules with a folder for temporary files of their own, among those that it was built with."""
    told = subprocess.run([program(), "-V"], capture_output=True, text=True, check=True).stderr
    return [name for name in _MODULES if f"without-http_{name}_module" not in told]


def _wait_answering(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait until there is an answer, whatever it says; raises machine.Skipped when nginx gives up."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as asked:
            asked.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            if asked.recv(1):
                return
    raise machine.Skipped("nginx did not start")
