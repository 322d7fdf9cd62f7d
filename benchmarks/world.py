"""A whole exchange to measure: its own database server, its own folder, and parties that trade; gone afterwards."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from psycopg import sql

from benchmarks import download_servers, machine
from marketplace.app import create_app, prepare
from marketplace.catalog import service as catalog
from marketplace.catalog.rules import DatasetDraft
from marketplace.catalog.states import ProfileState
from marketplace.delivery.stores.local import LocalStore
from marketplace.demo import cast, stage
from marketplace.exchange import listing, purchase, tabular
from marketplace.identity import service as identity
from marketplace.identity.actors import Actor
from marketplace.identity.oauth import access_tokens
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.identity.permissions import scopes_for
from marketplace.identity.rules import ApplicationDraft
from marketplace.identity.states import Capacity, OrganizationKind
from marketplace.kit import jobs, postgres
from marketplace.kit.db import db
from marketplace.kit.settings import Settings
from marketplace.kit.transaction import transaction
from marketplace.licensing import service as licensing
from marketplace.licensing.models import Offer
from marketplace.licensing.rules import Limits, OfferDraft, Price, TermsDraft
from marketplace.licensing.states import PriceKind, ReleaseScope
from marketplace.privacy import service as privacy
from marketplace.privacy.service import Looked

TOKEN_SECONDS = 3600
CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Shop:
    """A published dataset, its free offer, and a grant bought under it."""

    dataset_id: str
    offer_id: str
    terms_sha256: str
    grant_id: str


@dataclass(frozen=True, slots=True)
class World:
    """A running installation, seen from inside this process."""

    app: Flask
    settings: Settings
    provider: Actor
    buyer: Actor

    @property
    def database_process(self) -> int:
        """The first process of the embedded database server."""
        return int((self.settings.data_dir / "postgresql" / "postmaster.pid").read_text().splitlines()[0])

    def bearer(self, actor: Actor) -> str:
        """Return the value of an Authorization field."""
        with self.app.app_context(), transaction():
            scope = " ".join(sorted(actor.scopes))
            return f"Bearer {access_tokens.issue(Bearer(str(actor.client_id), actor.organization_id, scope))}"

    def shop(self, files: list[Path]) -> Shop:
        """Let the provider list the files as one dataset, and the buyer buy it."""
        with self.app.app_context():
            release_id, dataset_id = self.draft()
            for file in files:
                self._attach(release_id, file)
            with transaction():
                offer = self._offer(dataset_id)
                listing.publish(self.provider, release_id)
                offer_id, terms_sha256 = offer.id, offer.terms_sha256
            return Shop(dataset_id, offer_id, terms_sha256, self.buy(offer_id, terms_sha256))

    def table_shop(self, file: Path) -> Shop:
        """Let the provider list a table, look into it and convert it, and the buyer buy it."""
        with self.app.app_context():
            release_id, dataset_id = self.draft()
            self._keep(release_id, file, "application/vnd.apache.parquet")
            jobs.run_pending(catalog.PROFILE_JOB)
            with transaction():
                offer = self._offer(dataset_id)
                listing.publish(self.provider, release_id)
                offer_id, terms_sha256 = offer.id, offer.terms_sha256
            jobs.run_pending(tabular.CONVERT_JOB)
            return Shop(dataset_id, offer_id, terms_sha256, self.buy(offer_id, terms_sha256))

    def priced(self, dataset_id: str, yen: int = 5000) -> Shop:
        """Offer a published dataset for money once; nothing is bought yet, so the grant is empty."""
        with transaction():
            terms = licensing.write_terms(self.provider, TermsDraft({"template": "standard-commercial", "fee": "有償"}))
            price, limits = Price(PriceKind.ONE_OFF, yen), Limits(None, None, None)
            draft = OfferDraft(dataset_id, terms.id, price, limits, ReleaseScope.CURRENT)
            offer = listing.make_offer(self.provider, draft)
            return Shop(dataset_id, offer.id, offer.terms_sha256, "")

    def kept(self, file: Path) -> Path:
        """Return where the exchange keeps the bytes of a file that was listed."""
        with file.open("rb") as source:
            sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        with LocalStore(self.settings.store_dir).open(sha256) as stored:
            return Path(stored.name)

    def draft(self) -> tuple[str, str]:
        """Register a dataset and open a release of it, inside an application context; returns both ids."""
        with transaction():
            dataset = catalog.register_dataset(self.provider, _description())
            return catalog.open_release(self.provider, dataset.id, "bench", "").id, dataset.id

    def buy(self, offer_id: str, terms_sha256: str) -> str:
        """Order a free offer, inside an application context, and return the grant."""
        with transaction():
            order_id = purchase.place_order(self.buyer, offer_id, terms_sha256)
            return str(purchase.read(self.buyer, order_id).grant_id)

    def create_database(self, name: str) -> bool:
        """Create another database on the same server; False when it is there."""
        with psycopg.connect(postgres.libpq_url(str(self.settings.database_url)), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return False
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            return True

    @contextlib.contextmanager
    def serving(
        self, congestion: str = "cubic", worker: str = download_servers.THREADED, **environment: str
    ) -> Iterator[int]:
        """Run the real server on the servers' core as its own process and return its id."""
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.download_servers", "marketplace", congestion, worker],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=machine.HERE.parent,
            env=_environment(self.settings) | environment,
            preexec_fn=machine.pinned_to(machine.server_core()),  # noqa: PLW1509 - no threads but idle ones
        )  # fmt: skip
        try:
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError("the server did not start")
            stage.wait_for("the server", lambda: machine.answers(f"{self.settings.base_url}/v1/ready"))
            yield process.pid
        finally:
            process.terminate()
            process.communicate()

    def _attach(self, release_id: str, file: Path) -> None:
        attached_id = self._keep(release_id, file, "application/octet-stream")
        with transaction():
            catalog.record_profile(attached_id, None, ProfileState.OPAQUE)
            privacy.record_inspection(attached_id, Looked())

    def _keep(self, release_id: str, file: Path, media_type: str) -> str:
        with file.open("rb") as source:
            stored = listing.receive(iter(lambda: source.read(CHUNK_BYTES), b""), None, file.stat().st_size)
        with transaction():
            return str(listing.attach(self.provider, release_id, file.name, media_type, stored).id)

    def _offer(self, dataset_id: str) -> Offer:
        terms = licensing.write_terms(self.provider, TermsDraft({"template": "cc-by-4.0"}))
        price, limits = Price(PriceKind.FREE), Limits(None, None, None)
        return listing.make_offer(self.provider, OfferDraft(dataset_id, terms.id, price, limits, ReleaseScope.CURRENT))


@contextlib.contextmanager
def installed() -> Iterator[World]:
    """Set an installation up in a folder of its own and take it down again."""
    home = Path(tempfile.mkdtemp(prefix="musubi-bench-"))
    home.chmod(0o755)  # the embedded server, which never runs as root, must be able to enter it
    port = stage.free_port()
    wanted = Settings(
        base_url=f"http://127.0.0.1:{port}", port=port, data_dir=home, run_worker=False, token_ttl_seconds=TOKEN_SECONDS
    )
    try:
        settings = prepare(wanted)
        app = create_app(settings)
        with app.app_context():
            yield World(app, settings, _found(cast.PROVIDER), _found(cast.BUYER))
            db.session.remove()
            db.engine.dispose()
    finally:
        postgres.stop(home)
        shutil.rmtree(home, ignore_errors=True)


def _found(application: Mapping[str, Any]) -> Actor:
    capacities = frozenset(Capacity(capacity) for capacity in application["capacities"])
    kind = OrganizationKind(application["kind"])
    with transaction():
        draft = ApplicationDraft(**{**application, "kind": kind, "capacities": capacities})
        admission = identity.found_organization(draft)
        return Actor(
            admission.organization.id,
            admission.client.id,
            scopes=frozenset(scopes_for(capacities)),
            capacities=capacities,
        )


def _description() -> DatasetDraft:
    return DatasetDraft(
        title_ja="計測用の人流データ（合成）", title_en="Footfall for measuring (synthetic)",
        description_ja="計測のために作った。", description_en="Made for measuring.",
        region="011002", keywords=("人流",),
    )  # fmt: skip


def _environment(settings: Settings) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MARKETPLACE_", "STRIPE_"))}
    return kept | {
        "DATABASE_URL": str(settings.database_url),
        "MARKETPLACE_BASE_URL": settings.base_url,
        "MARKETPLACE_PORT": str(settings.port),
        "MARKETPLACE_DATA_DIR": str(settings.data_dir),
        "MARKETPLACE_RUN_WORKER": "false",
        "MARKETPLACE_TOKEN_TTL_SECONDS": str(settings.token_ttl_seconds),
    }
