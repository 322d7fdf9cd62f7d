"""Usage terms: read strictly, checked as a whole, written canonically, named by their hash. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from marketplace.kit.canonical import digest_of
from marketplace.kit.labels import Labelled
from marketplace.licensing import periods, reading
from marketplace.licensing.data_policy import DataPolicy
from marketplace.licensing.offers import Limits, OfferDraft, check_offer
from marketplace.licensing.prices import Price
from marketplace.licensing.reading_policies import read_data_policy, write_data_policy
from marketplace.licensing.states import (
    ContractType,
    DisclosureScope,
    ExpressWarranty,
    Fee,
    GoverningLaw,
    Nda,
    Template,
    Tracing,
    UseApplication,
)
from marketplace.licensing.templates import (
    BOUND_BY_PUBLIC_LICENCE,
    PUBLIC_LICENCES,
    PURPOSES_ALLOWED,
    TEMPLATES,
)
from marketplace.licensing.terms import (
    ANYWHERE,
    ITEMS,
    Choice,
    DataPeriod,
    LicencePeriod,
    PriceRange,
    UsageTerms,
)
from marketplace.privacy import rules as privacy
from marketplace.privacy.states import ListingCondition, PrivacyClass

__all__ = [
    "Limits",
    "OfferDraft",
    "Price",
    "TermsDraft",
    "UsageTerms",
    "check_offer",
    "read_terms",
    "restore_terms",
    "terms_document",
    "terms_sha256",
]

C = TypeVar("C", bound=Labelled)
VOCABULARY = "CADDE-4.0"


@dataclass(frozen=True, slots=True)
class TermsDraft:
    """Terms as their provider asks for them: a document, and titles where the template's are not wanted."""

    document: Mapping[str, Any]
    title_ja: str | None = None
    title_en: str | None = None


def _choices(codes: type[C]) -> Callable[[Any, str], tuple[Choice[C], ...]]:
    rank = {code: index for index, code in enumerate(codes)}
    return reading.several(reading.choice(codes), lambda one: (rank[one.code], one.text or ""))


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "contract_type": reading.code(ContractType),
    "nda": reading.code(Nda),
    "use_application": _choices(UseApplication),
    "scope_of_disclosure": reading.choice(DisclosureScope),
    "permissible_region": reading.several(periods.read_region, str),
    "notices": reading.optional(reading.text),
    "personal_data": reading.choice(PrivacyClass),
    "data_effective_period": reading.optional(periods.read_data_period),
    "usage_license_period": reading.optional(periods.read_licence_period),
    "fee": reading.code(Fee),
    "sales_info_url": reading.optional(reading.url),
    "price_range": reading.optional(periods.read_price_range),
    "notices_of_price": reading.optional(reading.text),
    "express_warranty": _choices(ExpressWarranty),
    "legal_compliance": reading.choice(GoverningLaw),
    "tracing": reading.code(Tracing),
    "data_policy": reading.optional(read_data_policy),
}
_REQUIRED = ("contract_type", "nda", "use_application", "scope_of_disclosure", "personal_data", "fee")
# Every field of _BLANK that matters is required of custom terms, so none of these values is ever kept.
_BLANK = replace(TEMPLATES[Template.COMMERCIAL], template=Template.CUSTOM)


def read_terms(document: Any) -> UsageTerms:
    """Read new terms from decoded JSON; codes may be English or Japanese, a template fills what is left out.

    Raises Invalid naming every fault with a JSON pointer (RFC 6901), for single fields first, then for
    items that disagree. Reading what ``terms_document`` wrote gives back the same terms.
    """
    terms = restore_terms(document)
    collector = reading.Collector()
    for pointer, detail in _disagreements(terms):
        collector.add(pointer, detail)
    collector.settle()
    return terms


def restore_terms(document: Any) -> UsageTerms:
    """Read kept terms: as ``read_terms``, but rules that came later about how items agree do not unmake them."""
    fields = reading.table(document, "", ("vocabulary", "template", *_READERS))
    collector = reading.Collector()
    if fields.get("vocabulary", VOCABULARY) != VOCABULARY:
        collector.add("/vocabulary", f"only {VOCABULARY} is understood")
    named = fields.get("template", Template.CUSTOM.value)
    template = collector.take(reading.code(Template), named, "/template", Template.CUSTOM)
    missing = [name for name in _REQUIRED if name not in fields] if template is Template.CUSTOM else []
    for name in missing:
        collector.add(f"/{name}", "this field is needed")
    base = TEMPLATES.get(template, _BLANK)
    values = {
        name: collector.take(read, fields[name], f"/{name}", getattr(base, name))
        for name, read in _READERS.items()
        if name in fields
    }
    collector.settle()
    return replace(base, **values)


def terms_document(terms: UsageTerms) -> dict[str, Any]:
    """Return the terms as JSON: the 15 items, null where nothing is stated, with vocabulary and template.

    ``tracing`` is a member only where copies differ by grant, ``data_policy`` only where a part is given.
    """
    items = {item.field: _written(getattr(terms, item.field)) for item in ITEMS}
    # Absent where it changes nothing, so that terms of before keep their hash.
    traced = {} if terms.tracing is Tracing.MANIFEST else {"tracing": terms.tracing.value}
    policed = {} if terms.data_policy is None else {"data_policy": _written(terms.data_policy)}
    return {"vocabulary": VOCABULARY, "template": terms.template.value, **items, **traced, **policed}


def terms_sha256(terms: UsageTerms) -> str:
    """Return the SHA-256 of the canonical document (RFC 8785): the name of the terms, the same for equal terms."""
    return digest_of(terms_document(terms))


def _written(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_written(one) for one in value]
    if isinstance(value, Choice):
        return value.code.value if value.text is None else {"code": value.code.value, "text": value.text}
    if isinstance(value, Labelled):
        return value.value
    if isinstance(value, DataPeriod | LicencePeriod):
        return periods.write_period(value)
    if isinstance(value, PriceRange):
        return {"min_yen": value.min_yen, "max_yen": value.max_yen}
    return write_data_policy(value) if isinstance(value, DataPolicy) else value


def _disagreements(terms: UsageTerms) -> Iterator[tuple[str, str]]:
    yield from _exclusions(terms)
    yield from _template_faults(terms)
    if terms.fee is Fee.FREE and terms.price_range not in (None, PriceRange(0, 0)):
        yield "/price_range", "terms without a fee state no price range"
    if terms.data_policy is not None and terms.tracing is not Tracing.MANIFEST:
        yield "/tracing", "a part of the data is given without marks; leave out tracing, or the data_policy"
    conditions = privacy.listing_conditions(terms.personal_data.code)
    unsaid = (None, TEMPLATES.get(terms.template, _BLANK).notices)
    if ListingCondition.ITEMS_PUBLISHED in conditions and terms.notices in unsaid:
        yield "/notices", "state here which items the anonymously processed information contains and how it is provided"


def _exclusions(terms: UsageTerms) -> Iterator[tuple[str, str]]:
    for name, alone, words in (
        ("use_application", Choice(UseApplication.NO_LIMIT), "no limit (制限なし)"),
        ("permissible_region", ANYWHERE, "no limit (制限なし)"),
        ("express_warranty", Choice(ExpressWarranty.NONE), "none in particular (特になし)"),
    ):
        values = getattr(terms, name)
        if alone in values and len(values) > 1:
            yield f"/{name}", f"{words} stands alone"


def _template_faults(terms: UsageTerms) -> Iterator[tuple[str, str]]:
    label = f"{terms.template.en} ({terms.template.ja})"
    purposes = {purpose.code for purpose in terms.use_application}
    if terms.template in PUBLIC_LICENCES:
        for name in BOUND_BY_PUBLIC_LICENCE:
            if getattr(terms, name) != getattr(TEMPLATES[terms.template], name):
                yield f"/{name}", f"{label} fixes this item; leave it out or use other terms"
    if not purposes <= PURPOSES_ALLOWED.get(terms.template, purposes):
        yield "/use_application", f"this purpose goes beyond the template {label}; use custom terms"
    if terms.template is Template.COMMERCIAL and not purposes & {UseApplication.COMMERCIAL, UseApplication.NO_LIMIT}:
        yield "/use_application", f"the template {label} permits commercial use; use custom terms"
    if terms.template is Template.TRIAL and terms.usage_license_period is None:
        yield "/usage_license_period", f"the template {label} ends some day"
