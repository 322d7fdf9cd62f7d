"""The quarter itself: everybody comes, stories are told in their time, and the calendar goes its way."""

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.clock import Hands
from marketplace.kit.errors import Refusal
from marketplace.sandbox.wire import WireError
from marketplace.simulation import cast, returns, routine, sales, shelves, usage
from marketplace.simulation.agenda import Story
from marketplace.simulation.network import Network
from marketplace.simulation.plan import Plan, at, days
from marketplace.simulation.sales import Told
from marketplace.simulation.world import SimulationFailed, World

Say = Callable[[str], None]
STORIES = (*sales.ALWAYS, *returns.ALWAYS, *usage.ALWAYS)
OPENS, CLOSES = 8, 20
BEATS, FINANCE_AT = (9, 13, 17, 21), 17
COLLECTED_ON = 4
"""Friday."""


def play(app: Any, plan: Plan, say: Say) -> tuple[World, Network]:
    """Play a quarter on an application's empty database, with the process's clock in hand; returns what came of it.

    Raises SimulationFailed, or the refusal that nobody expected.
    """
    with clock.moved(at(plan.first)) as hands:
        with _open(app):
            world = _assemble(app, plan, hands, say)
        network = Network(app, world.chance)
        _enter(world)
        day = plan.first
        while day <= plan.end:
            _live(world, network, day)
            day += days(1)
    return world, network


def _open(app: Any) -> Any:
    return app.app_context()  # a session of the database for each stretch of the day


def _assemble(app: Any, plan: Plan, hands: Hands, say: Say) -> World:
    operator, second = cast.operator()
    chance = random.Random(plan.seed)  # noqa: S311 - the same seed plays the same quarter; nothing secret hangs on it
    world = World(app, plan, hands, chance, operator, second, cast.providers(), cast.buyers(plan.buyers), say)
    shelves.stock(world)
    routine.open_accounts(world)
    routine.give_credit(world)
    say(f"{len(world.providers)} providers with {len(world.shelves)} offers, {len(world.buyers)} buyers")
    return world


def _enter(world: World) -> None:
    """Enter every story once, each with a buyer in turn, and plain purchases; the last buyer only pays too late."""
    *ordinary, late = world.buyers
    for number, (told, latest) in enumerate(STORIES):
        _begin(world, told, ordinary[number % len(ordinary)], latest)
    _begin(world, sales.overdue, late, sales.OVERDUE_LATEST)
    length = (world.plan.last - world.plan.first).days
    for buyer in ordinary:
        for _turn in range(world.plan.purchases):
            _begin(world, world.chance.choice(sales.PLAIN), buyer, length - 8)


def _begin(world: World, told: Told, buyer: Actor, latest: int) -> None:
    day = world.plan.first + days(world.chance.randint(0, latest))
    world.agenda.enter(_office_hour(world, day), told(world, buyer))


def _office_hour(world: World, day: date) -> datetime:
    return at(day, world.chance.randrange(OPENS, CLOSES), world.chance.randrange(60))


def _live(world: World, network: Network, day: date) -> None:
    world.hands.move_to(at(day, 0, 20))
    with _open(world.app):
        routine.at_night(world)
        if day.day == 1 and day != world.plan.first:
            routine.publish_month(world)
            world.say(f"{day:%Y-%m}: {sum(world.told.values())} things happened so far")
    told = 0
    for hour in BEATS:
        told += _tell(world, at(day, hour))
        world.hands.move_to(at(day, hour))
        with _open(world.app):
            if told or network.late:
                network.carry()
            if hour == FINANCE_AT and told:
                routine.at_work()
            if hour == FINANCE_AT:
                _finance(world, day)


def _tell(world: World, until: datetime) -> int:
    """Let every story whose time has come take its next step; returns how many steps were taken."""
    taken = 0
    for due_at, story in world.agenda.due(until):
        world.hands.move_to(max(due_at, clock.now()))
        with _open(world.app):
            pause = _step(story)
        taken += 1
        if pause is not None:
            world.agenda.enter(clock.now() + pause, story)
    return taken


def _step(story: Story) -> timedelta | None:
    try:
        return next(story, None)
    except (Refusal, WireError) as refusal:
        raise SimulationFailed(f"in the story {getattr(story, '__name__', '')!r}: {refusal}") from refusal


def _finance(world: World, day: date) -> None:
    routine.pay_bills(world)
    routine.import_statement(world, day)
    if day.weekday() == COLLECTED_ON:
        routine.collect(world)
    routine.bounce(world)
    routine.note_paid(world)
    if day.day in routine.PAYOUT_DAYS:
        routine.draw(world)
