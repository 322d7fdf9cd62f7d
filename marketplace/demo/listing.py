"""The provider's part: a dataset, its files, its terms and its offers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from marketplace.demo.narration import Narrator
from marketplace.demo.party import Party, wait_for

CHUNK = 2**18
ONE_OFF_YEN = 12_000
PER_MIB_YEN = 300


def files_of(data: Path) -> list[Path]:
    """Return the file, or the files of a folder in order of name; hidden ones are left out."""
    if data.is_file():
        return [data]
    return sorted(path for path in data.rglob("*") if path.is_file() and not path.name.startswith("."))


def list_dataset(provider: Party, titles: dict[str, str]) -> str:
    """Register the dataset and return its id."""
    dataset = provider.post(
        "/v1/datasets",
        titles
        | {
            "theme": "population",
            "region": "011002",
            "language": "ja",
            "update_frequency": "DAILY",
            "contact_name": "データ提供窓口 / Data desk",
            "contact_url": "https://example.com/contact",
            "keywords": ["人流", "気温", "札幌", "合成データ"],
        },
    )
    return str(dataset["id"])


def upload(provider: Party, narrator: Narrator, dataset_id: str, paths: list[Path]) -> dict[str, Any]:
    """Open a release, stream the files into it, wait for their profiles, and return the release."""
    release = provider.post(f"/v1/datasets/{dataset_id}/releases", {"label": "demo-1", "notes": ""})
    for path in paths:
        body = narrator.progress(f"uploading {path.name}", _pieces(path), path.stat().st_size)
        stored = provider.call(
            "PUT",
            f"/v1/releases/{release['id']}/files/{quote(path.name)}",
            data=body,
            headers={"Content-Type": "application/octet-stream"},
        ).json()
        narrator.say("provider", f"uploads {path.name}", bytes=stored["size_bytes"], sha256=stored["sha256"])
    profiled: dict[str, Any] = wait_for("the profiles", lambda: _profiled(provider, str(release["id"])), 600)
    return profiled


def make_offers(provider: Party, narrator: Narrator, dataset_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write terms once and offer the dataset for a sum and by the mebibyte."""
    terms = provider.post("/v1/terms", {"template": "standard-commercial"})
    narrator.say("provider", "writes usage terms", terms=terms["id"], sha256=terms["sha256"])
    shared = {"dataset_id": dataset_id, "terms_id": terms["id"], "duration_days": 365}
    once = provider.post("/v1/offers", shared | {"price": {"kind": "one_off", "amount_yen": ONE_OFF_YEN}})
    metered = provider.post("/v1/offers", shared | {"price": {"kind": "per_mib", "amount_yen": PER_MIB_YEN}})
    narrator.say("provider", "offers it once for all", offer=once["id"], yen=ONE_OFF_YEN)
    narrator.say("provider", "offers it by the MiB", offer=metered["id"], yen_per_mib=PER_MIB_YEN)
    return once, metered


def _profiled(provider: Party, release_id: str) -> Any:
    release = provider.get(f"/v1/releases/{release_id}")
    pending = any(file["profile_state"] == "pending" for file in release["files"])
    return None if pending else release


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece
