"""What the tools do: each is one story of the exchange, told briefly."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from marketplace.access import queries as access
from marketplace.access import tickets
from marketplace.access.queries import GrantFilter
from marketplace.exchange import agents, discovery, ordering, showcase
from marketplace.exchange.rows import Page, Sheet
from marketplace.identity.actors import Actor
from marketplace.identity.judging import require
from marketplace.identity.permissions import Permission
from marketplace.kit import clock, settings
from marketplace.kit.errors import NotFound, Refusal
from marketplace.kit.transaction import transaction
from marketplace.licensing import policy
from marketplace.licensing import queries as licensing
from marketplace.metering import agents as budgets
from marketplace.protocols.mcp import declared, wire

Arguments = Mapping[str, Any]
RELEASES_TOLD, FILES_TOLD, COLUMNS_TOLD, SAMPLE_ROWS = 5, 50, 200, 20
GRANTS_TOLD, TEXT_LENGTH_MAX = 20, 4000
_FOUND = ("id", "title_ja", "title_en", "publisher", "themes", "region", "formats", "price_classes", "published_at")
_OFFERED = (
    "id", "terms_id", "terms_title_ja", "terms_title_en", "price_kind", "amount_yen", "price", "duration_days",
    "promises", "valid_until",
)  # fmt: skip


def search(reader: Actor | None, asked: Arguments) -> dict[str, Any]:
    """Search the catalogue."""
    filters = {name: list(values) for name, values in asked.get("filters", {}).items()}
    found = discovery.search(reader, asked.get("words", ""), filters, asked.get("cursor"), asked.get("size", 10))
    facets = {name: dict(list(counts.items())[:20]) for name, counts in found["facets"].items() if counts}
    items = [{name: item[name] for name in _FOUND if name in item} | _address(item["id"]) for item in found["items"]]
    return {"items": items, "total": found["total"], "facets": facets, "next_cursor": found["next_cursor"]}


def describe(reader: Actor | None, asked: Arguments) -> dict[str, Any]:
    """Describe a dataset."""
    document = showcase.as_of_now(discovery.read_listing(reader, asked["dataset_id"]).document)
    told = {name: document[name] for name in (*_FOUND, "frequency", "keywords", "licence_hint") if name in document}
    for name in ("description_ja", "description_en"):
        told[name] = document[name][:TEXT_LENGTH_MAX]
    told["releases"] = [_release(one) for one in document["releases"][:RELEASES_TOLD]]
    told["releases_total"] = document.get("releases_total", len(document["releases"]))
    told["offers"] = [{name: one[name] for name in _OFFERED if name in one} for one in document["offers"]]
    return told | _address(document["id"])


def read_terms(reader: Actor | None, asked: Arguments) -> dict[str, Any]:
    """Read terms in both languages."""
    terms = discovery.read_terms(reader, asked["terms_id"])
    items = licensing.usage_terms(terms)
    return {
        "terms_id": terms.id,
        "sha256": terms.sha256,
        "title_ja": terms.title_ja,
        "title_en": terms.title_en,
        "text_ja": policy.to_japanese(items),
        "text_en": policy.to_english(items),
    }


def quote(reader: Actor | None, asked: Arguments) -> dict[str, Any]:
    """Quote an offer; nothing is ordered."""
    offer = discovery.read_offer(reader, asked["offer_id"])
    told = ordering.list_quote(offer)
    return {
        "offer_id": offer.id,
        "dataset_id": offer.dataset_id,
        "is_open": licensing.is_open(offer),
        "price_kind": offer.price_kind,
        "price": offer.price,
        "net_yen": told.net_yen,
        "tax_yen": told.tax_yen,
        "gross_yen": told.gross_yen,
        "tax_rate_basis_points": told.rate_basis_points,
        "as_of": clock.today().isoformat(),
        "order_at": f"{settings.current().base_url}/catalog/{offer.dataset_id}",
    }


def sample(reader: Actor | None, asked: Arguments) -> dict[str, Any]:
    """Show the rows of a file that everybody may see."""
    releases = discovery.read_listing(reader, asked["dataset_id"]).document["releases"]
    wanted = asked.get("release_id")
    chosen = [release for release in releases if wanted in {None, release["id"]}][: None if wanted else 1]
    files = [file for release in chosen for file in release["files"] if file["name"] == asked["file_name"]]
    if not files:
        raise NotFound("The dataset shows no file of this name in that release.")
    profile = files[0].get("profile") or {}
    preview = profile.get("preview")
    rows = preview[:SAMPLE_ROWS] if isinstance(preview, list) else preview
    columns = [column.get("name") for column in profile.get("columns", ())][:COLUMNS_TOLD]
    return {"release_id": chosen[0]["id"], "file_name": asked["file_name"], "columns": columns, "rows": rows or []}


def grants(reader: Actor | None, asked: Arguments) -> dict[str, Any]:
    """List what the caller's organization may fetch, and what is left of its budget for agents."""
    actor = _caller(reader)
    wanted = GrantFilter(organization_id=actor.organization_id, dataset_id=asked.get("dataset_id"), state="active")
    found = access.list_grants(actor, wanted, size=GRANTS_TOLD).items
    budget = budgets.find_budget(actor.organization_id)
    left = {
        "bytes_left": budget.bytes_left if budget else 0,
        "yen_left": budget.yen_left if budget else 0,
        "is_set": budget is not None,
    }
    return {"grants": [_grant(actor, grant) for grant in found], "budget_today": left}


def fetch(reader: Actor | None, asked: Arguments, headers: Mapping[str, str]) -> Page:
    """Open the metered delivery of rows, whose content is the result of the call."""
    actor = _caller(reader)
    wanted = {name: value for name, value in asked.items() if name not in {"grant_id", "file_name"}}
    wanted |= {"limit": asked.get("limit", declared.ROWS), "format": "json"}
    return agents.open_page(actor, asked["grant_id"], asked["file_name"], wanted, headers, _as_result)


def fetch_file(reader: Actor | None, asked: Arguments, headers: Mapping[str, str]) -> dict[str, Any]:
    """Issue an address that opens a whole file for a short while, set against the budget."""
    actor = require(reader, Permission.TICKETS_ISSUE)
    if actor is None:
        raise RuntimeError("whoever may fetch is somebody")
    with transaction():
        issued = agents.issue_ticket(actor, asked["grant_id"], asked["file_name"], asked.get("release_id"), headers)
        ticket, entitled = issued.ticket, issued.entitled
        return {
            "url": f"{settings.current().base_url}/tickets/{issued.secret}",
            "file_name": ticket.file_name,
            "release_id": ticket.release_id,
            "media_type": entitled.media_type,
            "size_bytes": entitled.size_bytes,
            "sha256": ticket.sha256,
            "begin_by": clock.text(ticket.begin_by),
            "resumable_seconds": int(tickets.RESUMABLE_FOR.total_seconds()),
            "yen_set_aside": ticket.agent_yen,
        }


def linked(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file's address as a link that clients know how to follow."""
    return {
        "type": "resource_link",
        "uri": found["url"],
        "name": found["file_name"],
        "mimeType": found["media_type"],
        "size": found["size_bytes"],
    }


TOOLS: dict[str, Callable[[Actor | None, Arguments], dict[str, Any]]] = {
    "search": search,
    "describe": describe,
    "read_terms": read_terms,
    "quote": quote,
    "sample": sample,
    "grants": grants,
}


def told(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a tool found as its result: as an object, and as text for models that read nothing else."""
    text = json.dumps(found, ensure_ascii=False, default=str)
    return {"content": [{"type": "text", "text": text}], "structuredContent": json.loads(text), "isError": False}


def refused(refusal: Refusal) -> dict[str, Any]:
    """Return a refusal as the result of a tool, so that the agent reads cause and cure and can do better."""
    faults = "".join(f" {one['pointer']}: {one['detail']}." for one in refusal.errors)
    text = (
        f"{refusal.title} ({refusal.slug}). {refusal.detail}{faults} {refusal.cure}\n"
        f"{refusal.title_ja}。{refusal.cause_ja}{refusal.cure_ja}"
    )
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _as_result(sheet: Sheet) -> bytes:
    """Word a page of rows as the result of a call; as text alone, for it is charged by its bytes."""
    head = {
        "release_id": sheet.release_id,
        "columns": [{"name": column.name, "type": column.kind} for column in sheet.columns],
        "next_cursor": sheet.next_cursor,
    }
    text = json.dumps(head, ensure_ascii=False)[:-1] + ', "rows": ' + sheet.rows.decode() + "}"
    result = {"content": [{"type": "text", "text": text}], "isError": False, "resultType": "complete"}
    return wire.written(result)


def _caller(reader: Actor | None) -> Actor:
    actor = require(reader, Permission.FILES_FETCH)
    if actor is None:
        raise RuntimeError("whoever may fetch is somebody")
    return actor


def _address(dataset_id: str) -> dict[str, str]:
    return {"url": f"{settings.current().base_url}/catalog/{dataset_id}"}


def _release(release: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": release["id"],
        "label": release["label"],
        "published_at": release["published_at"],
        "files_total": release.get("files_total", len(release["files"])),
        "files": [_file(file) for file in release["files"][:FILES_TOLD]],
    }


def _file(file: Mapping[str, Any]) -> dict[str, Any]:
    profile = file.get("profile") or {}
    columns = [{"name": one.get("name"), "type": one.get("type")} for one in profile.get("columns", ())[:COLUMNS_TOLD]]
    named = {name: file[name] for name in ("name", "media_type", "size_bytes")}
    return named | {"rows": profile.get("rows"), "columns": columns}


def _grant(actor: Actor, grant: Any) -> dict[str, Any]:
    try:
        files = access.list_entitled_files(actor, grant.id)[:FILES_TOLD]
    except Refusal:
        files = []
    opened = [{"name": one.file_name, "release_id": one.release_id, "size_bytes": one.size_bytes} for one in files]
    return {
        "grant_id": grant.id,
        "dataset_id": grant.dataset_id,
        "expires_at": clock.text(grant.expires_at) if grant.expires_at else None,
        "files": opened,
    }
