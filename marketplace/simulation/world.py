"""Who and what a simulated quarter consists of, and the accounts that it keeps beside the exchange's own."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from marketplace.identity.actors import Actor
from marketplace.kit.clock import Hands
from marketplace.simulation.agenda import Agenda
from marketplace.simulation.plan import Plan


class SimulationFailed(Exception):
    """Something did not go as the exchange promises."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """One offer, as a buyer finds it."""

    offer_id: str
    terms_sha256: str
    dataset_id: str
    provider: Actor


@dataclass
class World:
    """Everybody in the quarter. ``told`` counts what happened, ``told_yen`` what it came to.

    ``bank_yen`` is our bank's own statement, kept here alone; ``statement`` are its lines of the day,
    ``reserved`` the orders whose invoices a story pays in its own way.
    """

    app: Any
    plan: Plan
    hands: Hands
    chance: random.Random
    operator: Actor
    second: Actor
    providers: list[Actor]
    buyers: list[Actor]
    say: Callable[[str], None]
    shelves: dict[str, Shelf] = field(default_factory=dict)
    datasets: list[str] = field(default_factory=list)
    files: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    agenda: Agenda = field(default_factory=Agenda)
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    told_yen: Counter[tuple[str, str]] = field(default_factory=Counter)
    bank_yen: int = 0
    statement: list[tuple[int, str, str, str]] = field(default_factory=list)
    reserved: set[str] = field(default_factory=set)

    def tell(self, rail: str, what: str, yen: int = 0) -> None:
        """Count something that happened."""
        self.told[rail, what] += 1
        self.told_yen[rail, what] += yen

    def transfer(self, yen: int, payer: str, reference: str = "", account: str = "") -> None:
        """Let money arrive at our bank; its line is in the statement of the day."""
        self.statement.append((yen, payer, reference, account))
        self.bank_yen += yen
