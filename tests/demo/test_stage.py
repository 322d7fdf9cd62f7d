"""The stage of the demo: a fresh installation, whatever the machine is set up for."""

from pathlib import Path

from marketplace.demo import stage
from marketplace.kit import settings


def test_the_demo_keeps_away_from_the_databases_and_accounts_of_the_machine():
    machine = {
        "PATH": "/usr/bin",
        "DATABASE_URL": "postgresql://db.example.jp/real",
        "STRIPE_API_KEY": "sk_live_real",
        "PAYMENTS_LIVE": "1",
        "MARKETPLACE_PRODUCTION": "true",
        "MARKETPLACE_PORT": "1",
    }
    seen = stage.environment_of(machine, "http://127.0.0.1:8001", 8001, Path("home"))
    assert seen["PATH"] == "/usr/bin"
    chosen = settings.from_environment(seen)
    assert chosen == settings.Settings(
        base_url="http://127.0.0.1:8001", port=8001, data_dir=Path("home"), unread_files="note"
    )
    assert chosen.sandbox
