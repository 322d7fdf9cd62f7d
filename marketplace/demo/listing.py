"""The provider's part: a dataset, its files, its terms and its offers."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from marketplace.demo import files
from marketplace.demo.narration import Narrator
from marketplace.demo.party import DemoFailed, Party, Refused, wait_for

ONE_OFF_YEN = 12_000
PER_MIB_YEN = 300
LEAST_YEN = 100  # Stripe takes no card payment below 50 yen


def list_dataset(provider: Party, titles: dict[str, str]) -> str:
    """Register the dataset and return its id."""
    dataset = provider.post(
        "/v1/datasets",
        titles
        | {
            "themes": ["population"],
            "region": "011002",
            "language": "ja",
            "update_frequency": "DAILY",
            "contact_name": "データ提供窓口 / Data desk",
            "contact_url": "https://example.com/contact",
            "keywords": ["人流", "気温", "札幌", "合成データ"],
        },
    )
    return str(dataset["id"])


def upload(
    provider: Party, narrator: Narrator, dataset_id: str, paths: list[Path], label: str = "demo-1"
) -> dict[str, Any]:
    """Open a release, stream the files into it, wait for their profiles, and return the release."""
    release = provider.post(f"/v1/datasets/{dataset_id}/releases", {"label": label, "notes": ""})
    names = files.names_of(paths)
    refusals = [reason for path in paths if (reason := _put(provider, narrator, release["id"], path, names[path]))]
    if len(refusals) == len(paths):
        raise DemoFailed(f"no file could be listed: {refusals[0]}")
    profiled: dict[str, Any] = wait_for("the profiles", lambda: _profiled(provider, str(release["id"])), 600)
    return profiled


def _put(provider: Party, narrator: Narrator, release_id: str, path: Path, name: str) -> str | None:
    """Upload one file; returns why it was refused, which keeps no other file from being listed."""
    body = narrator.progress(f"uploading {name}", files.pieces(path), files.size_bytes(path))
    place = f"/v1/releases/{release_id}/files/{quote(name, safe='')}"
    try:
        stored = provider.call("PUT", place, data=body, headers={"Content-Type": "application/octet-stream"}).json()
    except Refused as refused:
        narrator.say("exchange", f"refuses {name}: {refused.reason}", status=refused.status)
        return refused.reason
    narrator.say("provider", f"uploads {name}", bytes=stored["size_bytes"], sha256=stored["sha256"])
    return None


def per_mib_yen(size_bytes: int) -> int:
    """Return a price by the MiB at which even a small dataset costs something: fractions of a yen are not billed."""
    return max(PER_MIB_YEN, -(-LEAST_YEN * 2**20 // size_bytes))


def make_offers(
    provider: Party, narrator: Narrator, dataset_id: str, size_bytes: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write terms once and offer the dataset for a sum and by the mebibyte."""
    terms = provider.post("/v1/terms", {"template": "standard-commercial"})
    narrator.say("provider", "writes usage terms", terms=terms["id"], sha256=terms["sha256"])
    yen = per_mib_yen(size_bytes)
    shared = {"dataset_id": dataset_id, "terms_id": terms["id"], "duration_days": 365}
    once = provider.post("/v1/offers", shared | {"price": {"kind": "one_off", "amount_yen": ONE_OFF_YEN}})
    metered = provider.post("/v1/offers", shared | {"price": {"kind": "per_unit", "unit": "mib", "unit_yen": str(yen)}})
    narrator.say("provider", "offers it once for all", offer=once["id"], yen=ONE_OFF_YEN)
    narrator.say("provider", "offers it by the MiB", offer=metered["id"], yen_per_mib=yen)
    return once, metered


def _profiled(provider: Party, release_id: str) -> Any:
    release = provider.get(f"/v1/releases/{release_id}")
    pending = any(file["profile_state"] == "pending" for file in release["files"])
    return None if pending else release
