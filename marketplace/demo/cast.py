"""The organizations of the demo; all invented, and saying so."""

from typing import Any

from marketplace.identity.rules import corporate_check_digit


def corporate_number(serial: int) -> str:
    """Return an invented corporate number with a right check digit."""
    base = f"7999{serial:08d}"
    return f"{corporate_check_digit(base)}{base}"


def application(serial: int, name_ja: str, name_en: str, kind: str, *capacities: str) -> dict[str, Any]:
    """Return what an organization sends to take part."""
    number = corporate_number(serial)
    return {
        "name_ja": f"{name_ja}（合成）",
        "name_en": f"{name_en} (synthetic)",
        "kind": kind,
        "capacities": list(capacities),
        "corporate_number": number,
        "invoice_registration_number": f"T{number}" if "provider" in capacities else None,
    }


OPERATOR = application(1, "さっぽろ圏データ取引所", "Sapporo Area Data Exchange", "public_body", "operator")
AUDITOR = application(2, "札幌市監査室", "City of Sapporo Audit Office", "public_body", "auditor")
PROVIDER = application(3, "北都人流計測", "Hokuto Footfall", "company", "provider")
BUYER = application(4, "石狩リテール", "Ishikari Retail", "company", "buyer")
STRANGER = application(5, "通りすがり商会", "Passer-by Trading", "company", "buyer")
