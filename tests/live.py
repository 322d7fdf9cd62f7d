"""A really started exchange: `marketplace serve` as its own process, on a port and in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests

from marketplace.demo import buying, cast, joining, listing
from marketplace.demo.narration import Narrator
from marketplace.demo.party import Party
from marketplace.demo.stage import free_port

ROOT = Path(__file__).resolve().parents[1]
WAIT_SECONDS = 180


def wait_until(what: str, found: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
    """Ask until the answer is truthy, and return it; fails when it never is."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return answer


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def environment(**settings: object) -> dict[str, str]:
    """Return this process's environment with these settings of the exchange instead of any others."""
    conventional = ("DATABASE_URL", "STRIPE_", "PAYMENTS_LIVE", "MARKETPLACE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(conventional)}
    # Random bytes cannot be looked through, and no test is about that but those of the gate.
    passing = {"MARKETPLACE_UNREAD_FILES": "note"}
    return kept | passing | {name.upper(): str(value) for name, value in settings.items()}


def command(*arguments: str, timeout: float = WAIT_SECONDS, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run one `marketplace` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "marketplace", *arguments],
        env=environment(**settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


@dataclass
class Exchange:
    """One installation and its server; it can be stopped, killed and started again on the same data.

    ``database_url``: a migrated database (fixture ``clone``); without one the installation has an embedded
    PostgreSQL of its own. ``settings``: environment variables in lower case, such as ``marketplace_threads=4``.
    """

    folder: Path
    database_url: str | None = None
    settings: dict[str, object] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        """Everything the server wrote so far, over all its starts."""
        return (self.folder / "server.log").read_text(errors="replace")

    @property
    def given(self) -> dict[str, object]:
        """The settings as the environment names them."""
        database = {"database_url": self.database_url} if self.database_url else {}
        own = {
            "marketplace_base_url": self.base_url,
            "marketplace_port": self.port,
            "marketplace_data_dir": self.data_dir,
        }
        return own | database | self.settings

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one `marketplace` command on this installation."""
        return command(*arguments, **self.given)

    def start(self, *, ready: bool = True) -> "Exchange":
        """Start the server and wait until it is ready."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "marketplace", "serve"],
                env=environment(**self.given),
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if ready:
            wait_until("the server", self.ready)
        return self

    def ready(self) -> bool:
        """Whether the server says that it can trade; fails when its process has ended."""
        assert self.process is not None
        assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.log[-4000:]}"
        try:
            return requests.get(f"{self.base_url}/v1/ready", timeout=10).status_code == 200
        except requests.RequestException:
            return False

    def processes(self) -> list[psutil.Process]:
        """The server's process and all below it; never PostgreSQL, which stands by itself."""
        assert self.process is not None
        try:
            master = psutil.Process(self.process.pid)
            return [master, *master.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def stop(self) -> int:
        """End the server as an operator would (SIGTERM) and return its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill the server with all its workers at once, as a power cut would (`kill -9`)."""
        assert self.process is not None
        doomed = self.processes()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(WAIT_SECONDS)
        wait_until("the workers to be gone", lambda: not any(alive(one.pid) for one in doomed))

    def restart(self) -> "Exchange":
        """Start again on the same data after `stop` or `kill`."""
        return self.start()

    def close(self) -> None:
        """End whatever still runs, the embedded PostgreSQL included."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        postmaster = self.postmaster()
        if postmaster is not None:
            os.kill(postmaster, signal.SIGINT)  # a fast shutdown
            wait_until("PostgreSQL to end", lambda: not alive(postmaster))

    def postmaster(self) -> int | None:
        """The process id of this installation's embedded PostgreSQL, while it runs."""
        file = self.data_dir / "postgresql" / "postmaster.pid"
        try:
            pid = int(file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if alive(pid) else None

    def found(self, role: str, draft: dict[str, Any]) -> Party:
        """Found an organization on the machine itself, as operator and auditor come to be."""
        options = ["--name-ja", draft["name_ja"], "--name-en", draft["name_en"], "--kind", draft["kind"]]
        for capacity in draft["capacities"]:
            options += ["--capacity", capacity]
        options += ["--corporate-number", draft["corporate_number"]]
        answer = self.command("found", *options)
        assert answer.returncode == 0, answer.stderr
        told = dict(line.split(" ", 1) for line in answer.stdout.splitlines())
        return Party(role, self.base_url, told["organization"], told["client_id"], told["client_secret"])

    def assemble(self) -> dict[str, Party]:
        """Return operator, auditor, provider, buyer and stranger, all verified."""
        operator, auditor = self.found("operator", cast.OPERATOR), self.found("auditor", cast.AUDITOR)
        parties = {"operator": operator, "auditor": auditor}
        for role, draft in (("provider", cast.PROVIDER), ("buyer", cast.BUYER), ("stranger", cast.STRANGER)):
            parties[role] = self.admit(operator, role, draft)
        return parties

    def admit(self, operator: Party, role: str, draft: dict[str, Any]) -> Party:
        """Let an organization apply over HTTP and confirm it by mail, and the operator verify it."""
        party = joining.apply(self.base_url, role, draft)
        joining.confirm(self.base_url, role, self.command("mail", "list").stdout)
        operator.post(f"/v1/organizations/{party.organization_id}/verify")
        return party


class Quiet(Narrator):
    """A narrator for tests: it says nothing."""

    def say(self, actor: str, deed: str, **evidence: object) -> None:
        """Say nothing."""


def publish(provider: Party, paths: list[Path], titles: dict[str, str], dataset_id: str | None = None) -> dict:
    """Upload files into a release, wait for their profiles, publish it, and return it."""
    dataset_id = dataset_id or listing.list_dataset(provider, titles)
    release = listing.upload(provider, Quiet(), dataset_id, paths, label=uuid.uuid4().hex)
    provider.post(f"/v1/releases/{release['id']}/publish")
    return release


def offer(provider: Party, dataset_id: str, kind: str, amount_yen: int = 0, **more: object) -> dict[str, Any]:
    """Offer a dataset under terms from a template: kind is free, one_off or per_mib."""
    template = "cc-by-4.0" if kind == "free" else "standard-commercial"
    terms = provider.post("/v1/terms", {"template": template})
    price: dict[str, object] = {"kind": kind} | ({"amount_yen": amount_yen} if kind == "one_off" else {})
    if kind == "per_mib":
        included = more.pop("included_mib", 0)
        price = {"kind": "per_unit", "unit": "mib", "unit_yen": str(amount_yen), "included_units": included}
    return provider.post("/v1/offers", {"dataset_id": dataset_id, "terms_id": terms["id"], "price": price} | more)


def buy(buyer: Party, offered: dict[str, Any]) -> dict[str, Any]:
    """Order an offer, pay it where it costs something, and return the order with its grant."""
    order = buying.order(buyer, offered)
    if order["grant_id"] is None:
        buying.pay_on_page(order["checkout_url"])
        order = buying.wait_for_grant(buyer, order["id"])
    return order


@contextmanager
def exchange(folder: Path, database_url: str | None = None, **settings: object) -> Iterator[Exchange]:
    """Run an exchange until the block ends; nothing of it runs afterwards."""
    made = Exchange(folder, database_url, settings)
    try:
        yield made.start()
    finally:
        made.close()


def documents(text: str) -> list[Any]:
    """Read NDJSON."""
    return [json.loads(line) for line in text.splitlines()]
