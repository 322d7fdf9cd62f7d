"""Downloads by clients that break off as they like: charged is the union of what they acknowledged, to the byte."""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import text

from marketplace.audit.verbs import Verb
from marketplace.demo.party import Party
from marketplace.kit.db import db
from tests.faults.started import Live, beside, use
from tests.faults.unsteady import Answer, Unsteady
from tests.faults.world import at_once, entries
from tests.live import Exchange

DOWNLOADS = int(os.environ.get("UNSTEADY_DOWNLOADS", "320"))
"""How many are begun in all; 10,000 of them take about ten minutes."""
SEED = int(os.environ.get("UNSTEADY_SEED", "20261130"))
CLIENTS = 8
GRANTS = max(3, DOWNLOADS // 50)
SLOW_AT_ONCE = 2
RECEIVE_BYTES = (4_096, 32_768, 131_072)
SIZES = {"人流.bin": 700_001, "地価.bin": 130_003}
CONTENTS = {name: random.Random(name).randbytes(size) for name, size in SIZES.items()}
Span = tuple[int, int]


@dataclass(frozen=True)
class Place:
    """A file of a grant."""

    grant_id: str
    name: str

    @property
    def content(self) -> bytes:
        return CONTENTS[self.name]


@dataclass
class Running:
    """A download on its way: from where, and how far it may come."""

    line: Unsteady
    place: Place
    span: Span
    answer: Answer | None = None

    def head(self) -> Answer:
        """Read the head, which promises what was asked for."""
        if self.answer is None:
            self.answer = self.line.head()
            assert self.answer.status in {200, 206}, self.answer
            assert self.answer.length == self.span[1] - self.span[0]
        return self.answer

    def arrived(self) -> Span:
        """What has come, which is what stands there in the file."""
        body = self.answer.body if self.answer else b""
        start = self.span[0]
        assert body == self.place.content[start : start + len(body)]
        return start, start + len(body)


@dataclass
class Client:
    """One thread's downloads, all from one seed, and what it knows to have acknowledged."""

    party: Party
    ports: list[int]
    places: list[Place]
    chance: random.Random
    arrived: dict[Place, list[Span]] = field(default_factory=dict)
    begun: int = 0
    slow: list[Running] = field(default_factory=list)
    deaf: list[Unsteady] = field(default_factory=list)
    broken: list[tuple[Place, int]] = field(default_factory=list)
    tickets: dict[Place, str] = field(default_factory=dict)

    def run(self, downloads: int) -> "Client":
        """Begin so many downloads, each in a way of its own, and end them all."""
        while self.begun < downloads:
            self.chance.choice([self.alone, self.alone, self.at_once, self.again, self.for_nothing])()
            for one in self.slow[:]:
                self.read_on(one, self.chance.randrange(1, 40_000))
        while self.slow:
            self.read_on(self.slow[0], 2**20)
        for line in self.deaf:
            line.reset()
        return self

    def alone(self) -> None:
        """Fetch some part, and end it somehow."""
        place = self.chance.choice(self.places)
        span, fields = self.part_of(place)
        self.somehow(self.asked(self.line(), place, span, fields))

    def at_once(self) -> None:
        """Fetch several parts of one file on connections of their own, all under way before the first is read."""
        place = self.chance.choice(self.places)
        asked = [self.asked(self.line(), place, *self.part_of(place)) for _ in range(3)]
        self.chance.shuffle(asked)
        for one in asked:
            self.somehow(one)

    def again(self) -> None:
        """Resume what broke before, on another connection and perhaps at another server."""
        if self.broken:
            place, reached = self.broken.pop()
            size = len(place.content)
            if reached < size:
                line = self.line()
                tag = self.etag(line, place)
                fields = {"Range": f"bytes={reached}-", "If-Range": tag}
                self.somehow(self.asked(line, place, (reached, size), fields))

    def for_nothing(self) -> None:
        """Ask what brings no byte and costs none; then, on the same connection, for something."""
        place, line = self.chance.choice(self.places), self.line()
        tag, size = self.etag(line, place), len(place.content)
        for fields, status in (
            ({"If-None-Match": tag}, 304),
            ({"If-None-Match": tag, "Range": "bytes=0-9"}, 304),
            ({"If-Match": '"another"', "Range": "bytes=5-"}, 412),
            ({"Range": f"bytes={size}-"}, 416),
        ):
            line.ask("GET", self.target(place), fields | self.token())
            answer = line.head()
            assert (answer.status, answer.fields.get("content-length", "0")) == (status, "0")
        self.whole(self.asked(line, place, *self.part_of(place)))

    def somehow(self, one: Running) -> None:
        """End a download in one of the ways that clients have."""
        ways = [self.whole, self.broken_off, self.broken_off, self.left_unread, self.half_closed, self.fallen_silent]
        if len(self.slow) < SLOW_AT_ONCE:
            ways.append(self.slow.append)
        self.chance.choice(ways)(one)

    def whole(self, one: Running) -> None:
        """Read all of it, and close with nothing unread: a FIN."""
        one.line.take(one.head(), one.head().length)
        self.note(one)
        one.line.close()

    def half_closed(self, one: Running) -> None:
        """Send the FIN first, and read all."""
        one.line.half_close()
        self.whole(one)

    def broken_off(self, one: Running) -> None:
        """Reset after any number of bytes, perhaps before the first."""
        self.settle(one)
        one.line.reset()

    def fallen_silent(self, one: Running) -> None:
        """Say nothing more, as when a cable is pulled."""
        self.settle(one)
        self.deaf.append(one.line)

    def left_unread(self, one: Running) -> None:
        """Close while the kernel holds what nobody read: it resets by itself."""
        answer = one.line.take(one.head(), self.chance.randrange(one.head().length + 1))
        one.line.deafen(finish=self.chance.random() < 0.5)
        unread = one.line.unread()
        self.note(one, len(answer.body) + unread)
        one.line.close() if unread else one.line.reset()

    def read_on(self, one: Running, more: int) -> None:
        """Read a little of a slow download."""
        answer = one.head()
        if len(one.line.take(answer, len(answer.body) + more).body) == answer.length:
            self.slow.remove(one)
            self.whole(one)

    def settle(self, one: Running) -> None:
        """Take some of it, and then nothing more."""
        if self.chance.random() < 0.9:
            one.line.take(one.head(), self.chance.randrange(one.head().length + 1))
        one.line.deafen(finish=self.chance.random() < 0.5)
        one.answer = one.line.settled(one.answer)
        self.note(one)

    def note(self, one: Running, count: int | None = None) -> None:
        start, end = one.arrived()
        end = end if count is None else start + count
        self.arrived.setdefault(one.place, []).append((start, end))
        if end < one.span[1]:
            self.broken.append((one.place, end))

    def line(self) -> Unsteady:
        return Unsteady(self.chance.choice(self.ports), self.chance.choice(RECEIVE_BYTES))

    def asked(self, line: Unsteady, place: Place, span: Span, fields: dict[str, str]) -> Running:
        """Ask for a part of a file, with a token or by a ticket."""
        self.begun += 1
        if self.chance.random() < 0.2:
            line.ask("GET", self.ticket(place), fields)
        else:
            line.ask("GET", self.target(place), fields | self.token())
        return Running(line, place, span)

    def part_of(self, place: Place) -> tuple[Span, dict[str, str]]:
        """Any part of a file, in any of the forms of RFC 9110 section 14.1.2 that we answer with it."""
        size = len(place.content)
        first = self.chance.choice([0, self.chance.randrange(size)])
        last = self.chance.choice([first, size - 1, self.chance.randrange(first, size)])
        middle = self.chance.randrange(first, last + 1)
        forms: list[tuple[Span, str]] = [
            ((first, last + 1), f"bytes={first}-{last}"),
            ((first, size), f"bytes={first}-"),
            ((first, size), f"bytes=-{size - first}"),
            ((first, size), f"bytes={first}-{size + 10**6}"),
            ((first, last + 1), f"bytes={middle}-{last}, {first}-{middle}"),
        ]
        span, told = self.chance.choice([*forms, ((0, size), "")])
        return span, {"Range": told} if told else {}

    def etag(self, line: Unsteady, place: Place) -> str:
        """Ask for the tag of a file, by HEAD."""
        line.ask("HEAD", self.target(place), self.token())
        answer = line.head()
        assert (answer.status, answer.length) == (200, len(place.content))
        return answer.fields["etag"]

    def target(self, place: Place) -> str:
        return f"/v1/grants/{place.grant_id}/files/{quote(place.name)}"

    def token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.party.token()}"}

    def ticket(self, place: Place) -> str:
        """The address of a ticket that is used more than once."""
        if place not in self.tickets or self.chance.random() < 0.3:
            issued = self.party.post(f"/v1/grants/{place.grant_id}/tickets", {"file_name": place.name})
            self.tickets[place] = urlsplit(issued["url"]).path
        return self.tickets[place]


@pytest.fixture
def live(standing: Live) -> Iterator[Live]:
    """The standing exchange with these files in its newest release; no delivery is open afterwards."""
    use(standing).publish(CONTENTS)
    yield standing
    standing.wait_closed()


@pytest.fixture
def servers(live: Live, tmp_path: Path) -> Iterator[list[Exchange]]:
    """The exchange's server, and another one over the same database and files."""
    with beside(live, tmp_path) as other:
        yield [live.exchange, other]


def test_what_is_charged_is_the_union_of_what_was_acknowledged_to_the_byte(live: Live, servers: list[Exchange]) -> None:
    grants, before = [live.grant() for _ in range(GRANTS)], len(entries(Verb.DELIVERY_OPENED))
    places = [Place(grant_id, name) for grant_id in grants for name in CONTENTS]
    ports = [server.port for server in servers]
    chances = [random.Random(f"{SEED}-{number}") for number in range(CLIENTS)]
    clients = [Client(live.buyer(), ports, places, chance) for chance in chances]
    deeds: list[Callable[[], Client]] = [partial(client.run, DOWNLOADS // CLIENTS) for client in clients]
    at_once(deeds)
    live.wait_closed()

    assert delivered(grants) == Counter((place, span) for place in places for span in spans_of(clients, place))
    arrived = {place: union_of(clients, place) for place in places}
    assert covered(grants) == {place: spans for place, spans in arrived.items() if spans}
    charged = {grant_id: live.quota(grant_id).used_bytes for grant_id in grants}
    for grant_id in grants:
        theirs = [spans for place, spans in arrived.items() if place.grant_id == grant_id]
        assert charged[grant_id] == sum(end - start for spans in theirs for start, end in spans)
        assert (live.quota(grant_id).reserved_bytes, live.quota(grant_id).open_deliveries) == (0, 0)
    assert metered(grants) == (sum(charged.values()), len(entries(Verb.DELIVERY_OPENED)) - before)
    assert len(entries(Verb.DELIVERY_OPENED)) == len(entries(Verb.DELIVERY_CLOSED))
    live.assert_sound()


def spans_of(clients: list[Client], place: Place) -> list[Span]:
    """What each download has brought of a file, without those that brought nothing."""
    return sorted(span for client in clients for span in client.arrived.get(place, []) if span[0] < span[1])


def union_of(clients: list[Client], place: Place) -> list[Span]:
    """Join what all clients have of a file."""
    joined: list[Span] = []
    for start, end in spans_of(clients, place):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def covered(grant_ids: list[str]) -> dict[Place, list[Span]]:
    """What the exchange holds to have arrived, by the names of the files."""
    query = text(
        "SELECT DISTINCT c.grant_id, f.name, lower(r), upper(r) FROM coverage c JOIN file f USING (sha256),"
        " unnest(c.ranges) AS r WHERE c.grant_id = ANY(:ids) ORDER BY 1, 2, 3"
    )
    found: dict[Place, list[Span]] = {}
    for grant_id, name, start, end in db.session.execute(query, {"ids": grant_ids}):
        found.setdefault(Place(grant_id, name), []).append((start, end))
    return found


def delivered(grant_ids: list[str]) -> Counter[tuple[Place, Span]]:
    """What the exchange holds each delivery to have brought, without those that brought nothing."""
    query = text(
        "SELECT d.grant_id, f.name, start_byte, start_byte + bytes_acked FROM delivery d JOIN file f ON f.id = file_id"
        " WHERE d.grant_id = ANY(:ids) AND bytes_acked > 0"
    )
    rows = db.session.execute(query, {"ids": grant_ids})
    return Counter((Place(grant_id, name), (start, end)) for grant_id, name, start, end in rows)


def metered(grant_ids: list[str]) -> tuple[int, int]:
    """New bytes and events of some grants' usage."""
    query = text("SELECT sum(bytes_new), count(*) FROM usage_event WHERE grant_id = ANY(:ids)")
    new, events = db.session.execute(query, {"ids": grant_ids}).one()
    return int(new), int(events)
