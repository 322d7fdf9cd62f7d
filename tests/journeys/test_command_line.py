"""A buyer at a terminal: from signing in to the bytes, against a really started exchange."""

import hashlib
import json
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from marketplace.demo import buying, cast
from marketplace.demo.stage import free_port
from tests import live
from tests.conformance.visitor import Visitor, join
from tests.faults.cutting import Line, line
from tests.journeys.conftest import TITLES

CONTENT = random.Random(20261129).randbytes(3 * 2**20)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = "人流 2026.bin"
DENIED, UNREACHABLE, NOT_SIGNED_IN = 4, 5, 3


class Behind(live.Exchange):
    """An exchange that its clients reach over a line that can be cut."""

    front: int = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.front}"


@dataclass
class Place:
    """The exchange, the line to it, what it sells, and a person of the buyer's."""

    exchange: live.Exchange
    line: Line
    parties: dict[str, Any]
    person: Visitor
    dataset_id: str

    def offer(self, kind: str = "free", amount_yen: int = 0, **more: Any) -> dict[str, Any]:
        return live.offer(self.parties["provider"], self.dataset_id, kind, amount_yen, **more)

    def metered(self, grant_id: str) -> int:
        """How many bytes are charged once every download has been told of."""
        buyer = self.parties["buyer"]
        live.wait_until("the usage", lambda: buyer.get("/v1/usage", grant_id=grant_id)["total_bytes"] >= len(CONTENT))
        return buyer.get("/v1/usage", grant_id=grant_id)["total_bytes"]


@dataclass
class Terminal:
    """Somebody's terminal, with a folder of its own."""

    folder: Path
    origin: str
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = {"XDG_CONFIG_HOME": str(self.folder / "config"), "LC_ALL": "C.UTF-8", "MUSUBI_SERVER": ""}
        self.variables = live.environment() | own | self.variables

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "marketplace", *map(str, arguments)],
            cwd=live.ROOT,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, *arguments: object, code: int = 0) -> tuple[str, str]:
        """Run a command to its end; returns what it said to output and errors."""
        process = self.start(*arguments)
        out, said = process.communicate(timeout=live.WAIT_SECONDS)
        assert process.returncode == code, (process.returncode, out, said)
        return out, said

    def login(self, client: dict[str, Any]) -> "Terminal":
        """Sign in as a program with a secret."""
        secret = self.folder / "secret"
        secret.write_text(client["secret"])
        secret.chmod(0o600)
        self.run("login", self.origin, "--client-id", client["id"], "--secret-file", secret)
        return self


@pytest.fixture(scope="module")
def place(tmp_path_factory, clone) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    exchange = Behind(folder, clone())
    exchange.front = free_port()
    with line(exchange.front, exchange.port) as between:
        try:
            exchange.start()
            yield furnished(exchange, between, tmp_path_factory.mktemp("files"))
        finally:
            exchange.close()


def furnished(exchange: live.Exchange, between: Line, folder: Path) -> Place:
    parties = exchange.assemble()
    (folder / NAME).write_bytes(CONTENT)
    release = live.publish(parties["provider"], [folder / NAME], TITLES)
    person = join(exchange, parties["buyer"], "hanako@ishikari.example")
    return Place(exchange, between, parties, person, release["dataset_id"])


@pytest.fixture
def terminal(place: Place, tmp_path: Path) -> Terminal:
    return Terminal(tmp_path, place.exchange.base_url)


@pytest.fixture
def program(place: Place, terminal: Terminal) -> Terminal:
    """A terminal at which a program of the buyer's is signed in."""
    buyer = place.parties["buyer"]
    return terminal.login({"id": buyer.client_id, "secret": buyer.client_secret})


@contextmanager
def waiting_for_consent(terminal: Terminal) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Begin to sign in; yields the command that waits, and what it shows."""
    process = terminal.start("login", terminal.origin, "--json")
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def signed_in(person: Visitor, terminal: Terminal) -> Terminal:
    """Have a person allow the command line in a browser."""
    with waiting_for_consent(terminal) as (process, codes):
        person.enter_device_code(f"{codes['verification_uri']}?user_code={codes['user_code']}")
        _out, said = process.communicate(timeout=live.WAIT_SECONDS)
        assert process.returncode == 0, said
    return terminal


def test_a_person_signs_in_buys_fetches_and_sees_what_was_metered(place: Place, terminal: Terminal) -> None:
    signed_in(place.person, terminal)
    offer = place.offer("one_off", 5000)
    assert "Ishikari" in terminal.run("whoami")[0]
    found, _said = terminal.run("list", "人流")
    assert offer["id"] in found

    accepting = ("buy", offer["id"], "--yes", "--accept-terms", offer["terms_sha256"])
    order = json.loads(terminal.run(*accepting, "--no-wait", "--json")[0])
    assert (order["grant_id"], order["amount_gross_yen"]) == (None, 5500)
    buying.pay_on_page(order["checkout_url"])
    paid = json.loads(terminal.run("buy", offer["id"], "--json")[0])
    assert paid["id"] == order["id"]

    got = json.loads(terminal.run("get", offer["id"], "--to", terminal.folder / "new", "--json")[0])
    assert got["grant_id"] == paid["grant_id"]
    assert (terminal.folder / "new" / NAME).read_bytes() == CONTENT
    assert place.metered(paid["grant_id"]) == len(CONTENT)
    assert f"{len(CONTENT):,}" in terminal.run("usage", paid["grant_id"])[0]


def test_the_first_download_is_one_command(place: Place, program: Terminal) -> None:
    offer = place.offer()
    address = f"{program.origin}/v1/offers/{offer['id']}"
    out, _said = program.run(
        "get", address, "--yes", "--accept-terms", offer["terms_sha256"], "--to", program.folder / "new"
    )
    assert SHA256 in out
    assert (program.folder / "new" / NAME).read_bytes() == CONTENT


def test_who_is_not_allowed_is_not_signed_in(place: Place, terminal: Terminal) -> None:
    with waiting_for_consent(terminal) as (process, codes):
        visitor = place.person
        if "/sign-in" in visitor.open(f"{codes['verification_uri']}?user_code={codes['user_code']}"):
            visitor.sign_in()
        visitor.submit("Continue")
        visitor.submit("Do not allow")
        _out, said = process.communicate(timeout=live.WAIT_SECONDS)
        assert (process.returncode, "not allowed" in said) == (DENIED, True)
    terminal.run("whoami", "--server", terminal.origin, code=NOT_SIGNED_IN)


def test_a_login_ends_at_the_exchange_as_well(place: Place, terminal: Terminal) -> None:
    signed_in(place.person, terminal)
    kept = next((terminal.folder / "config" / "musubi").glob("*.login.json"))
    copied = kept.read_bytes()
    terminal.run("logout")
    assert not kept.exists()
    kept.write_bytes(copied)
    _out, said = terminal.run("whoami", "--server", terminal.origin, code=NOT_SIGNED_IN)
    assert f"marketplace login {terminal.origin}" in said


def test_many_commands_at_once_never_lose_the_login(place: Place, terminal: Terminal) -> None:
    signed_in(place.person, terminal)
    kept = next((terminal.folder / "config" / "musubi").glob("*.login.json"))
    before = json.loads(kept.read_text())
    for _round in range(2):
        stale = json.loads(kept.read_text()) | {"access_until": 0}
        kept.write_text(json.dumps(stale))
        with ThreadPoolExecutor(5) as pool:
            answers = list(pool.map(lambda _turn: terminal.run("whoami", "--json")[0], range(5)))
        assert len(answers) == 5
    after = json.loads(kept.read_text())
    assert before["refresh_token"] not in {after["refresh_token"], stale["refresh_token"]}
    terminal.run("whoami")


def test_a_program_signs_in_with_its_key(place: Place, terminal: Terminal) -> None:
    key = ECKey.generate_key("P-256", parameters={"kid": "one"})
    draft = {"name": "夜間取得", "scopes": ["organization:read"], "jwks": {"keys": [key.as_dict(private=False)]}}
    client = place.parties["buyer"].post("/v1/clients", draft)
    file = terminal.folder / "key.pem"
    file.write_bytes(key.as_pem(private=True))
    terminal.run("login", terminal.origin, "--client-id", client["id"], "--key-file", file)
    assert json.loads(terminal.run("whoami", "--json")[0])["client_id"] == client["id"]


def test_a_line_that_is_cut_again_and_again_brings_the_file_all_the_same(place: Place, program: Terminal) -> None:
    order = live.buy(place.parties["buyer"], place.offer())
    place.line.cuts = [400_000, 800_000, 70_000]
    out = json.loads(program.run("get", order["grant_id"], "--to", program.folder, "--json")[0])
    assert place.line.cuts == []
    assert (program.folder / NAME).read_bytes() == CONTENT
    assert out["files"][0]["fetched_bytes"] == len(CONTENT)
    assert place.metered(order["grant_id"]) == len(CONTENT)


def test_a_command_that_is_killed_goes_on_and_is_charged_once(place: Place, program: Terminal) -> None:
    order = live.buy(place.parties["buyer"], place.offer())
    place.line.hold(1_000_000)
    process = program.start("get", order["grant_id"], "--to", program.folder)
    place.line.wait_held()
    [part] = live.wait_until("the part", lambda: [one for one in program.folder.glob("*.part") if one.stat().st_size])
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=live.WAIT_SECONDS)
    begun = part.stat().st_size
    place.line.let_go()
    assert not (program.folder / NAME).exists()

    out = json.loads(program.run("get", order["grant_id"], "--to", program.folder, "--json")[0])
    assert out["files"][0]["fetched_bytes"] == len(CONTENT) - begun
    assert (program.folder / NAME).read_bytes() == CONTENT
    assert not part.exists()
    again = json.loads(program.run("get", order["grant_id"], "--to", program.folder, "--json")[0])
    assert (again["files"][0]["was_there"], again["files"][0]["fetched_bytes"]) == (True, 0)
    assert place.metered(order["grant_id"]) == len(CONTENT)


def test_access_that_is_revoked_in_the_middle_ends_the_command(place: Place, program: Terminal) -> None:
    order = live.buy(place.parties["buyer"], place.offer())
    place.line.hold(1_000_000)
    process = program.start("get", order["grant_id"], "--to", program.folder)
    place.line.wait_held()
    place.parties["provider"].post(f"/v1/grants/{order['grant_id']}/revoke", {"reason": "試験のため"})
    place.line.cuts = [1_100_000]
    place.line.let_go()
    _out, said = process.communicate(timeout=live.WAIT_SECONDS)
    assert (process.returncode, "revoked" in said) == (DENIED, True), said
    assert not (program.folder / NAME).exists()


def test_a_buyer_killed_after_ordering_has_one_order(place: Place, program: Terminal) -> None:
    offer = place.offer("one_off", 5000)
    accepting = ("buy", offer["id"], "--yes", "--accept-terms", offer["terms_sha256"])
    process = program.start(*accepting)
    assert process.stderr is not None
    shown = next(found for said in process.stderr if (found := re.search(r"http\S+/sandbox\S+", said)))
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=live.WAIT_SECONDS)
    buying.pay_on_page(shown[0])
    order = json.loads(program.run(*accepting, "--json")[0])
    assert order["grant_id"] is not None
    mine = place.parties["buyer"].get("/v1/orders")["items"]
    assert [one["id"] for one in mine if one["offer_id"] == offer["id"]] == [order["id"]]


def test_no_secret_is_said_or_left_readable(place: Place, program: Terminal) -> None:
    buyer = place.parties["buyer"]
    said = "".join([*program.run("whoami", "--json"), *program.run("list", "--mine"), *program.run("usage")])
    kept = [file for file in (program.folder / "config").rglob("*") if file.is_file()]
    tokens = [json.loads(file.read_text())["access_token"] for file in kept if file.name.endswith(".login.json")]
    assert len(tokens) == 1
    assert not any(secret in said for secret in (buyer.client_secret, *tokens))
    assert not any(buyer.client_secret in file.read_text() for file in kept)
    assert all(file.stat().st_mode & 0o077 == 0 for file in kept if file.stat().st_size)


def test_a_strict_exchange_is_traded_with_as_well(clone, tmp_path: Path) -> None:
    with live.exchange(tmp_path / "strict", clone()) as exchange:
        buyer = exchange.admit(exchange.found("operator", cast.OPERATOR), "buyer", cast.BUYER)
        person = join(exchange, buyer, "hanako@ishikari.example")
        exchange.stop()
        exchange.settings["marketplace_security_profile"] = "fapi2"
        exchange.start()
        (tmp_path / "terminal").mkdir()
        terminal = Terminal(tmp_path / "terminal", exchange.base_url)
        signed_in(person, terminal)
        [kept] = (terminal.folder / "config" / "musubi").glob("*.login.json")
        assert json.loads(kept.read_text())["bound_key"]
        kept.write_text(json.dumps(json.loads(kept.read_text()) | {"access_until": 0}))
        assert "Ishikari" in terminal.run("whoami")[0]
        terminal.run("list", "--mine")
        terminal.run("logout")
