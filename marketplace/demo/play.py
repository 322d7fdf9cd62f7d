"""The first trade, told step by step."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marketplace.demo import auditing, buying, cast, files, joining, listing
from marketplace.demo.narration import Narrator
from marketplace.demo.party import DemoFailed, Party, wait_for

SAMPLE_TITLES = {
    "title_ja": "札幌市中心部の人流と気温（合成データ）",
    "title_en": "Footfall and temperature in central Sapporo (synthetic)",
    "description_ja": "時間帯と地点ごとの通行量と気温。計算で作った合成データで、実在の記録ではありません。",
    "description_en": "Passers-by and temperature by hour and place, made by computation: no real record.",
}


@dataclass(frozen=True, slots=True)
class World:
    """Who takes part, and what stands in the catalogue."""

    parties: dict[str, Party]
    dataset_id: str
    release: dict[str, Any]
    once: dict[str, Any]
    metered: dict[str, Any]
    words: str


def titles_for(data: Path | None) -> dict[str, str]:
    """Return the titles of the sample, or some that name the user's own file or folder."""
    if data is None:
        return SAMPLE_TITLES
    name = files.shown_name(data.resolve()) or "data"
    return {
        "title_ja": f"{name}（持ち込みデータ）",
        "title_en": f"{name} (your own data)",
        "description_ja": "デモのために手元から登録したデータ。",
        "description_en": "Data listed from this machine for the demo.",
    }


def assemble(
    base_url: str, operator: Party, auditor: Party, narrator: Narrator, read_letters: Callable[[], str]
) -> dict[str, Party]:
    """Let provider, buyer and stranger apply and confirm it by mail, and the operator verify them."""
    applications = {"provider": cast.PROVIDER, "buyer": cast.BUYER, "stranger": cast.STRANGER}
    applicants = {role: joining.apply(base_url, role, said) for role, said in applications.items()}
    for role, party in applicants.items():
        narrator.say(role, "applies to take part", organization=party.organization_id)
    letters = read_letters()
    for role, party in applicants.items():
        joining.confirm(base_url, role, letters)
        narrator.say(role, "confirms its application by the link in a letter")
        operator.post(f"/v1/organizations/{party.organization_id}/verify")
        narrator.say("operator", f"verifies the {role}", corporate_number=applications[role]["corporate_number"])
    return {"operator": operator, "auditor": auditor} | applicants


def set_up(parties: dict[str, Party], narrator: Narrator, paths: list[Path], titles: dict[str, str]) -> World:
    """Let the provider list, upload, publish and offer."""
    provider = parties["provider"]
    dataset_id = listing.list_dataset(provider, titles)
    narrator.say("provider", "registers a dataset", dataset=dataset_id)
    release = listing.upload(provider, narrator, dataset_id, paths)
    for file in release["files"]:
        profile = file["profile"] or {}
        narrator.say(
            "exchange",
            f"profiles {file['name']}",
            state=file["profile_state"],
            format=profile.get("format"),
            encoding=profile.get("encoding"),
            rows=profile.get("rows"),
            columns=len(profile.get("columns") or []),
        )
    size_bytes = sum(file["size_bytes"] for file in release["files"])
    if not size_bytes:
        raise DemoFailed("what was listed holds no byte: there is nothing to sell")
    once, metered = listing.make_offers(provider, narrator, dataset_id, size_bytes)
    provider.post(f"/v1/releases/{release['id']}/publish")
    narrator.say("provider", "publishes the release", release=release["id"])
    words = "人流 気温" if titles is SAMPLE_TITLES else titles["title_ja"]
    return World(parties, dataset_id, release, once, metered, words)


def buy(world: World, narrator: Narrator) -> str:
    """Let the buyer order the one-off offer, pay it by card, and return the grant."""
    buyer = world.parties["buyer"]
    placed = buying.order(buyer, world.once)
    narrator.say("buyer", "accepts the terms and orders", order=placed["id"], terms_sha256=placed["terms_sha256"])
    buying.pay_on_page(placed["checkout_url"])
    narrator.say("buyer", "pays on the hosted page", yen=placed["amount_gross_yen"], tax_yen=placed["amount_tax_yen"])
    paid = buying.wait_for_grant(buyer, placed["id"])
    invoice = buyer.get(f"/v1/invoices/{paid['invoice_id']}")
    narrator.say("exchange", "fulfils the order", grant=paid["grant_id"], invoice=invoice["number"])
    return str(paid["grant_id"])


def play(world: World, narrator: Narrator) -> list[tuple[str, str]]:
    """Play the whole trade on a world that is set up; returns the rows of the closing table."""
    _find(world, narrator)
    grant_id = buy(world, narrator)
    _fetch_all(world, narrator, grant_id, broken=False)
    _refuse_stranger(world, narrator, grant_id)
    placed = buying.order(world.parties["buyer"], world.metered)
    metered = placed["grant_id"] or buying.wait_for_grant(world.parties["buyer"], placed["id"])["grant_id"]
    narrator.say("buyer", "orders the metered offer", order=placed["id"], grant=metered, yen=placed["amount_gross_yen"])
    fetched = _fetch_all(world, narrator, metered, broken=True)
    usage = wait_for("the meter", lambda: _metered(world, metered, fetched))
    narrator.say("exchange", "states the usage", grant=metered, bytes=usage["total_bytes"])
    billed, invoice = _settle(world, narrator, metered)
    return _account(world, narrator, (fetched, usage["total_bytes"], billed), invoice)


def _find(world: World, narrator: Narrator) -> None:
    buyer = world.parties["buyer"]

    def found() -> Any:
        page = buyer.get("/v1/catalog", q=world.words)
        return page if world.dataset_id in {item["id"] for item in page["items"]} else None

    page = wait_for("the search index", found)
    narrator.say("buyer", "searches the catalogue", words=world.words, found=page["total"], dataset=world.dataset_id)


def _fetch_all(world: World, narrator: Narrator, grant_id: str, *, broken: bool) -> int:
    buyer, sizes = world.parties["buyer"], {}
    for file in world.release["files"]:
        fetched = buying.fetch(buyer, narrator, grant_id, file["name"], file["size_bytes"])
        narrator.say("buyer", f"fetches {file['name']}", bytes=fetched.size_bytes, sha256=fetched.sha256)
        if fetched.sha256 != file["sha256"]:
            raise DemoFailed(f"{file['name']} arrived altered")
        if broken and file["size_bytes"] > 1:
            again, at = buying.fetch_broken_and_resumed(buyer, grant_id, file["name"])
            narrator.say("buyer", "breaks off, resumes, pays once", broke_at=at, sha256=again.sha256)
        sizes[fetched.sha256] = fetched.size_bytes  # the same content under another name costs nothing again
    return sum(sizes.values())


def _metered(world: World, grant_id: str, fetched: int) -> Any:
    # A download that was broken off is metered a moment after its connection is gone.
    usage = world.parties["buyer"].get("/v1/usage", grant_id=grant_id)
    return usage if usage["total_bytes"] >= fetched else None


def _refuse_stranger(world: World, narrator: Narrator, grant_id: str) -> None:
    path = buying.path_of(grant_id, world.release["files"][0]["name"])
    refused = world.parties["stranger"].call("GET", path, expect=404)
    if refused.status_code != 404:
        raise DemoFailed("a stranger was let in")
    narrator.say("stranger", "asks for the same file and is refused", status=refused.status_code)


def _settle(world: World, narrator: Narrator, grant_id: str) -> tuple[int, dict[str, Any]]:
    settled = world.parties["operator"].post("/v1/settlements")
    lines = [(line, invoice) for invoice in settled["invoices"] for line in invoice["lines"]]
    billed = [(line, invoice) for line, invoice in lines if line.get("grant_id") == grant_id]
    if not billed:
        raise DemoFailed("the usage was not billed")
    line, invoice = billed[0]
    narrator.say("operator", "settles the period", invoice=invoice["number"], bytes=int(line["quantity"]))
    if invoice["state"] != "paid":
        due = world.parties["buyer"].post(f"/v1/invoices/{invoice['id']}/pay")
        buying.pay_on_page(due["checkout_url"])
        wait_for("the payment", lambda: world.parties["buyer"].get(f"/v1/invoices/{invoice['id']}")["state"] == "paid")
    narrator.say("buyer", "pays the invoice", yen=invoice["amount_gross_yen"], tax_yen=invoice["amount_tax_yen"])
    number, printed = buying.fetch_paper(world.parties["buyer"], invoice["id"])
    narrator.say("buyer", "fetches the invoice as PDF", invoice=number, bytes=len(printed))
    return int(line["quantity"]), invoice


def _account(
    world: World, narrator: Narrator, counts: tuple[int, int, int], invoice: dict[str, Any]
) -> list[tuple[str, str]]:
    auditor = world.parties["auditor"]
    balance = auditor.get("/v1/ledger/trial-balance")
    narrator.say("auditor", "adds up the ledger", accounts=len(balance["accounts"]), sum_yen=balance["total_minor"])
    trades = auditor.get("/v1/audit/entries", counterparty_id=world.parties["buyer"].organization_id, amount_from=1)
    narrator.say("auditor", "searches the record for the buyer", entries_with_amounts=len(trades["items"]))
    size, root = auditing.verify_record(auditor)
    narrator.say("auditor", "recomputes the record from its export", entries=size, root=root)
    fetched, metered, billed = counts
    if not fetched == metered == billed or balance["total_minor"] != 0:
        raise DemoFailed(f"the figures differ: fetched {fetched}, metered {metered}, billed {billed}")
    return [
        ("bytes fetched  転送バイト", f"{fetched:,}"),
        ("bytes metered  計量バイト", f"{metered:,}"),
        ("bytes billed   請求バイト", f"{billed:,}"),
        ("yen billed for them 請求額", f"{invoice['amount_gross_yen']:,} ({invoice['number']})"),
        ("ledger sum     元帳の合計", f"{balance['total_minor']:,}"),
        ("audit log      監査記録", f"verified, {size} entries, root {root}"),
    ]
