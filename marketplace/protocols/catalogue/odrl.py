"""Offers as ODRL 2.2 policies in RDF: what ``licensing.policy`` says of the terms, and what is to be paid. Pure."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson

from marketplace.licensing import policy
from marketplace.licensing.terms import UsageTerms
from marketplace.protocols.catalogue.rdf import (
    PREFIXES,
    Iri,
    Literal,
    Node,
    Said,
    Value,
    both,
    iri,
    moment,
    text,
    typed,
)
from marketplace.protocols.catalogue.site import Site

# The members whose texts are terms of ODRL, and those whose texts are names already (its JSON-LD context says so).
_TERMS = frozenset({"action", "leftOperand", "operator", "conflict"})
_NAMES = frozenset({"profile", "unit", "assigner", "target"})
_CLASSES = {"permission": "Permission", "prohibition": "Prohibition", "obligation": "Duty", "duty": "Duty"}
_OF_AN_OFFER = frozenset({"@context", "@type", "uid", "assigner", "target"})
_AMOUNTS = frozenset({"one_off", "subscription", "package"})
USE = "use"


def offer(listed: Mapping[str, Any], terms: UsageTerms | None, site: Site, assigner: str, target: str) -> Node:
    """Return an offer of a public document; one whose terms cannot be read says what is to be paid alone."""
    first, agreed = _agreed(terms) if terms is not None else ({"action": USE}, ())
    permission = ("odrl:permission", _object("permission", _priced(first, listed)))
    parties = (("odrl:assigner", iri(assigner)), ("odrl:target", iri(target)))
    said = (*parties, permission, *agreed, *_particulars(listed, site))
    return Node(("odrl:Policy", "odrl:Offer"), said, site.offer(listed["id"]))


@lru_cache(maxsize=1024)  # many offers stand under the same terms
def _agreed(terms: UsageTerms) -> tuple[dict[str, Any], tuple[tuple[str, Value], ...]]:
    """Return the first permission of terms, to which the duty to pay belongs, and all else that they say."""
    said = policy.to_odrl(terms, "", "")
    first, *others = said["permission"]
    kept = {name: value for name, value in said.items() if name not in _OF_AN_OFFER} | {"permission": others}
    return first, tuple(_properties(kept))


def _priced(permission: dict[str, Any], listed: Mapping[str, Any]) -> dict[str, Any]:
    """Return a permission with the duty to pay what the offer asks, in the place of the range that its terms allow."""
    if listed["price_kind"] == "free":
        return permission
    duties = [duty for duty in permission.get("duty", []) if not _is_compensation(duty)]
    return permission | {"duty": [*duties, _compensation(listed)]}


def _compensation(listed: Mapping[str, Any]) -> dict[str, Any]:
    is_fixed = listed["price_kind"] in _AMOUNTS
    amount = {
        "leftOperand": "payAmount",
        "operator": "eq" if is_fixed else "gteq",
        "rightOperand": {"@value": str(listed["amount_yen"]), "@type": "xsd:integer"},
        "unit": policy.YEN,
    }
    return {"action": [{"rdf:value": {"@id": "odrl:compensate"}, "refinement": [amount]}]}


def _is_compensation(duty: dict[str, Any]) -> bool:
    action = duty["action"]
    return action == "compensate" or (isinstance(action, list) and action[0]["rdf:value"]["@id"] == "odrl:compensate")


def _particulars(listed: Mapping[str, Any], site: Site) -> Said:
    yield from both("dct:title", listed["terms_title_ja"], listed["terms_title_en"])
    yield "dct:source", Iri(site.terms(listed["terms_sha256"]))
    yield "musubi:priceKind", iri(f"{PREFIXES['musubi']}priceKind:{listed['price_kind']}")
    yield "musubi:price", text(orjson.dumps(listed["price"], option=orjson.OPT_SORT_KEYS).decode())
    if listed.get("valid_until"):
        yield "dct:valid", moment(listed["valid_until"])


def _properties(said: Mapping[str, Any]) -> Said:
    for name, value in said.items():
        predicate = name if ":" in name else f"odrl:{name}"
        for one in value if isinstance(value, list) else [value]:
            yield predicate, _value(name, one)


def _value(name: str, value: Any) -> Value:
    if isinstance(value, dict):
        return _object(name, value)
    if name in _TERMS:
        return Iri(_expanded(value if ":" in value else f"odrl:{value}"))
    if name in _NAMES:
        return iri(value)
    if isinstance(value, bool):
        return typed(str(value).lower(), "xsd:boolean")
    return typed(value, "xsd:integer") if isinstance(value, int) else text(str(value))


def _object(name: str, value: Mapping[str, Any]) -> Value:
    if set(value) == {"@id"}:
        return iri(_expanded(value["@id"]))
    if "@value" in value:
        return Literal(value["@value"], None, value["@type"])
    kind = _CLASSES.get(name) or ("Constraint" if name in {"constraint", "refinement"} else None)
    return Node((f"odrl:{kind}",) if kind else (), tuple(_properties(value)))


def _expanded(name: str) -> str:
    prefix, _, rest = name.partition(":")
    return PREFIXES[prefix] + rest if prefix in PREFIXES else name


def offers(document: Mapping[str, Any], terms: Mapping[str, UsageTerms], site: Site, target: str) -> Iterator[Node]:
    """Yield the offers of a public document, each as a policy about the dataset."""
    assigner = site.publisher(document["publisher"]["id"])
    for listed in document.get("offers", ()):
        yield offer(listed, terms.get(listed["terms_sha256"]), site, assigner, target)
