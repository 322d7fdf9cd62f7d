"""Public registers of the National Tax Agency (国税庁): what they say of a number, each asked with a key of its own.

* 法人番号システム Web-API, version 4: ``/4/num``, CSV in UTF-8 (``type=02``). The first line says when, how many, which
  part of how many; each other one has thirty columns, of which the second is the number, the seventh the name and the
  nineteenth the day on which the registration was closed.
* 適格請求書発行事業者公表システム Web-API, version 1: ``/1/num``, JSON (``type=21``), what is known stands in
  ``announcement``.

The interfaces take their key in the address: it is never written to a log, and no trouble repeats the address.
"""

import csv
import io
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from marketplace.identity.joining import rules
from marketplace.identity.joining.states import Outcome, Registry
from marketplace.kit import clock, outbound, settings
from marketplace.kit.outbound import OutboundRefused

CORPORATE_NUMBERS = "https://api.houjin-bangou.nta.go.jp/4/num"
INVOICE_REGISTRATIONS = "https://web-api.invoice-kohyo.nta.go.jp/1/num"
MEDIA_TYPES = frozenset({"text/csv", "application/json", "text/plain", "application/octet-stream"})
NUMBER, NAME, CLOSED_ON = 1, 6, 18
COLUMNS_MIN = 30


@dataclass(frozen=True, slots=True)
class Asked:
    """What an organization says of itself that registers can be asked about."""

    name_ja: str
    corporate_number: str | None
    invoice_registration_number: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one register said; ``facts`` name no person."""

    registry: Registry
    outcome: Outcome
    facts: dict[str, Any] = field(default_factory=dict)


class _Garbled(ValueError):
    """An answer that is not in the documented form."""


def to_ask(asked: Asked) -> list[Registry]:
    """Return the registers that have something to say of an organization, asked or not."""
    registries = [Registry.CORPORATE_NUMBERS] if asked.corporate_number else []
    return registries + ([Registry.INVOICE_REGISTRATIONS] if asked.invoice_registration_number else [])


def is_on(registry: Registry) -> bool:
    """Tell whether the exchange has a key for a register."""
    return _key_of(registry) is not None


def look_up(registry: Registry, asked: Asked) -> Finding:
    """Return what a register says at this moment; trouble on the way is a finding too."""
    key = _key_of(registry)
    if key is None:
        return Finding(registry, Outcome.OFF)
    try:
        if registry is Registry.CORPORATE_NUMBERS:
            return _corporation(key, asked)
        return _invoice_registration(key, asked)
    except (OutboundRefused, _Garbled):
        return Finding(registry, Outcome.UNREACHABLE)


def _key_of(registry: Registry) -> str | None:
    chosen = settings.current()
    is_of_corporations = registry is Registry.CORPORATE_NUMBERS
    return chosen.corporate_numbers_key if is_of_corporations else chosen.invoice_registrations_key


def _corporation(key: str, asked: Asked) -> Finding:
    query = {"id": key, "number": asked.corporate_number, "type": "02", "history": "0"}
    row = _row_of(_fetched(CORPORATE_NUMBERS, query), str(asked.corporate_number))
    if row is None:
        return Finding(Registry.CORPORATE_NUMBERS, Outcome.UNKNOWN)
    facts = {"name": row[NAME], "closed_on": row[CLOSED_ON] or None}
    is_as_said = rules.names_match(row[NAME], asked.name_ja) and not row[CLOSED_ON]
    return Finding(Registry.CORPORATE_NUMBERS, Outcome.MATCHES if is_as_said else Outcome.DIFFERS, facts)


def _row_of(text: str, number: str) -> list[str] | None:
    """Return the row of a number, None where the register has none; raises _Garbled."""
    try:
        head, *rows = csv.reader(io.StringIO(text), strict=True)
        count = int(head[1])
    except (ValueError, IndexError, csv.Error) as error:
        raise _Garbled from error
    if count == 0:
        return None
    row = next((row for row in rows if len(row) >= COLUMNS_MIN and row[NUMBER] == number), None)
    if row is None:
        raise _Garbled
    return row


def _invoice_registration(key: str, asked: Asked) -> Finding:
    query = {"id": key, "number": asked.invoice_registration_number, "type": "21", "history": "0"}
    entry = _announced(_fetched(INVOICE_REGISTRATIONS, query), str(asked.invoice_registration_number))
    if entry is None:
        return Finding(Registry.INVOICE_REGISTRATIONS, Outcome.UNKNOWN)
    ended = entry.get("disposalDate") or entry.get("expireDate") or None
    is_ended = ended is not None and str(ended) <= clock.today().isoformat()
    # Registered may be a person: the name is compared, and not kept.
    matches = rules.names_match(str(entry.get("name", "")), asked.name_ja)
    facts = {"name_matches": matches, "registered_on": entry.get("registrationDate") or None, "ended_on": ended}
    outcome = Outcome.MATCHES if matches and not is_ended else Outcome.DIFFERS
    return Finding(Registry.INVOICE_REGISTRATIONS, outcome, facts)


def _announced(text: str, number: str) -> dict[str, Any] | None:
    """Return what is announced of a number, None where nothing is; raises _Garbled."""
    try:
        answer = json.loads(text)
        count, entries = int(answer["count"]), answer["announcement"]
        if count == 0:
            return None
        entry: dict[str, Any] = next(entry for entry in entries if entry["registratedNumber"] == number)
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError) as error:
        raise _Garbled from error
    return entry


def _fetched(base: str, query: dict[str, str | None]) -> str:
    body = outbound.fetch(f"{base}?{urlencode(query)}", MEDIA_TYPES)
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Garbled from error
