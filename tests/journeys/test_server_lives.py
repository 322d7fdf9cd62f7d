"""The really started server: it starts, survives being killed, and leaves nothing running."""

import requests

from tests import live


def test_a_server_with_its_own_postgresql_survives_a_kill_and_ends_cleanly(open_folder):
    with live.exchange(open_folder) as exchange:
        parties = exchange.assemble()
        operator = parties["operator"]
        before = operator.get("/v1/organizations")
        postmaster = exchange.postmaster()
        assert postmaster is not None

        exchange.kill()
        assert live.alive(postmaster)  # PostgreSQL stands by itself; the next start joins it
        exchange.restart()
        assert operator.get("/v1/organizations") == before

        assert exchange.stop() == 0
        live.wait_until("PostgreSQL to end with its server", lambda: not live.alive(postmaster))


def test_a_server_on_a_given_database_says_it_is_ready(tmp_path, clone):
    with live.exchange(tmp_path, clone()) as exchange:
        assert requests.get(f"{exchange.base_url}/v1/ready", timeout=10).status_code == 200
        assert exchange.stop() == 0
    assert exchange.postmaster() is None
