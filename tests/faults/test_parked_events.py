"""The operator's view of events that no retry helped: seen, and tried again once their cause is mended."""

from marketplace.billing import inbox
from marketplace.billing.errors import PaymentUnknown
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests import live
from tests.faults.world import World


def command(world: World, *arguments: str):
    chosen = world.app.config["MUSUBI_SETTINGS"]
    given = {"database_url": chosen.database_url, "marketplace_data_dir": chosen.data_dir}
    return live.command("events", *arguments, **given)


def test_an_operator_lists_parked_events_and_puts_one_back(world: World) -> None:
    event = {"id": "evt_lost", "type": "checkout.session.completed", "livemode": False, "data": {"object": {}}}
    with transaction():
        inbox.store_event(event)
        inbox.store_event(event | {"id": "evt_troubled"})
        inbox.record_trouble("evt_troubled", ValueError("once"))
        for _ in range(inbox.ATTEMPTS_MAX):
            inbox.record_trouble("evt_lost", PaymentUnknown())
    listed = command(world, "list")
    assert (listed.returncode, len(listed.stdout.splitlines())) == (0, 2), listed.stderr
    parked, waiting = listed.stdout.splitlines()
    assert parked.startswith("parked evt_lost checkout.session.completed 12 attempts: PaymentUnknown")
    assert waiting.startswith("waiting evt_troubled")

    assert command(world, "retry", "evt_troubled").returncode == 2
    again = command(world, "retry", "evt_lost")
    assert again.returncode == 0, again.stderr
    db.session.rollback()
    assert inbox.list_parked() == []
    assert "evt_lost" in inbox.due_event_ids()
