"""Starting the real server for the demo, and ending it."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import requests

from marketplace.demo.party import DemoFailed, wait_for
from marketplace.kit import variables
from marketplace.kit.settings import Settings


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def address(port: int) -> str:
    """Return where an exchange on this machine is reached."""
    return f"http://127.0.0.1:{port}"


def environment_of(environment: Mapping[str, str], base_url: str, port: int, data_dir: Path) -> dict[str, str]:
    """Return the environment without any setting of the exchange but these three, and that unread files pass.

    The demo is a fresh installation with the sandbox: it never touches a database or an account at
    Stripe that the machine has settings for.
    """
    ours = {variables.name_of(field.name) for field in fields(Settings)}
    foreign = {name: value for name, value in environment.items() if name not in ours}
    return foreign | {
        variables.name_of("base_url"): base_url,
        variables.name_of("port"): str(port),
        variables.name_of("data_dir"): str(data_dir),
        variables.name_of("unread_files"): "note",  # nobody sits beside the demo who could answer for them
    }


@contextmanager
def server(base_url: str, port: int, data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``marketplace serve`` as its own process until the block ends; its log goes to a file."""
    environment = environment_of(os.environ, base_url, port, data_dir)
    with (data_dir / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "marketplace", "serve"],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads run yet
        )
        try:
            wait_for("the server", lambda: _ready(base_url, process, data_dir))
            yield process
        finally:
            _end(process)


def letters(base_url: str, port: int, data_dir: Path) -> str:
    """Return the letters in the outbox, as ``marketplace mail list`` prints them on the machine."""
    told = subprocess.run(
        [sys.executable, "-m", "marketplace", "mail", "list"],
        env=environment_of(os.environ, base_url, port, data_dir) | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    if told.returncode != 0:
        raise DemoFailed(f"the outbox cannot be read: {told.stderr[-500:]}")
    return told.stdout


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _end_with_parent() -> None:
    # A demo that is killed ends nothing itself: the kernel then tells its server to end (prctl(2), PR_SET_PDEATHSIG).
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _ready(base_url: str, process: subprocess.Popen[bytes], data_dir: Path) -> bool:
    if process.poll() is not None:
        tail = (data_dir / "server.log").read_text(errors="replace")[-2000:]
        raise DemoFailed(f"the server ended with {process.returncode}:\n{tail}")
    try:
        return requests.get(f"{base_url}/v1/ready", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
