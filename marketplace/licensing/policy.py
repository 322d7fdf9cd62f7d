"""Usage terms for machines (ODRL 2.2) and for people (Japanese, English). Pure.

The ODRL vocabulary has no word for some items of CADDE (contract type, warranty, governing law …); those
stand in the policy under a profile of our own, as the ODRL information model section 2.1 provides.
"""

from typing import Any

from marketplace.kit.labels import Labelled
from marketplace.licensing import periods, wording
from marketplace.licensing.data_policy import DataPolicy, RowRule
from marketplace.licensing.rules import terms_sha256
from marketplace.licensing.states import (
    Comparison,
    ContractType,
    DisclosureScope,
    Fee,
    Nda,
    PeriodUnit,
    Tracing,
    Treatment,
    UseApplication,
)
from marketplace.licensing.templates import PUBLIC_LICENCES
from marketplace.licensing.terms import ANYWHERE, Choice, PriceRange, UsageTerms
from marketplace.privacy import rules as privacy
from marketplace.privacy.states import ListingCondition

PROFILE = "urn:musubi:odrl:1"
CONTEXT = [
    "http://www.w3.org/ns/odrl.jsonld",
    {"musubi": f"{PROFILE}:", "dct": "http://purl.org/dc/terms/", "xsd": "http://www.w3.org/2001/XMLSchema#"},
]
YEN = "http://dbpedia.org/resource/Japanese_yen"
_PERIOD_LETTER = {PeriodUnit.DAY: "D", PeriodUnit.WEEK: "W", PeriodUnit.MONTH: "M", PeriodUnit.YEAR: "Y"}
NO_VALUE = {"@id": "musubi:noValue"}
_OPERATORS = {
    Comparison.EQ: "eq",
    Comparison.NE: "neq",
    Comparison.LT: "lt",
    Comparison.LE: "lteq",
    Comparison.GT: "gt",
    Comparison.GE: "gteq",
    Comparison.IN: "isAnyOf",
    Comparison.PREFIX: "musubi:beginsWith",
    Comparison.IS_NULL: "eq",
    Comparison.NOT_NULL: "neq",
}
Rule = dict[str, Any]


def to_odrl(terms: UsageTerms, uid: str, assigner: str, target: str | None = None) -> dict[str, Any]:
    """Return the terms as an ODRL 2.2 Offer in JSON-LD.

    ``uid``, ``assigner`` and ``target`` are IRIs. Without a target the rules apply to whatever asset points
    to the policy with ``odrl:hasPolicy`` (ODRL information model section 2.2.3).
    """
    policy = {
        "@context": CONTEXT,
        "@type": "Offer",
        "uid": uid,
        "profile": PROFILE,
        "assigner": assigner,
        "conflict": "prohibit",
        "permission": _permissions(terms),
        "prohibition": _prohibitions(terms),
        "obligation": _obligations(terms),
        **_particulars(terms),
    }
    if target is not None:
        policy["target"] = target
    return {name: value for name, value in policy.items() if value not in ([], None)}


def to_japanese(terms: UsageTerms) -> str:
    """Return the terms as Japanese text."""
    return wording.to_text(terms, wording.JA)


def to_english(terms: UsageTerms) -> str:
    """Return the terms as English text."""
    return wording.to_text(terms, wording.EN)


def _permissions(terms: UsageTerms) -> list[Rule]:
    duties = _compensation(terms) + _attribution(terms)
    agreed = Choice(UseApplication.INDIVIDUAL)
    purposes = [purpose for purpose in terms.use_application if purpose != agreed]
    limits = _where(terms) + _until(terms)
    rules = []
    if purposes:
        rules.append(_rule(_use(terms), _purposes(terms, "isAnyOf") + limits, duties))
    if agreed in terms.use_application:
        rules.append(_rule(_use(terms), limits, [*duties, {"action": "obtainConsent"}]))
    asked = terms.scope_of_disclosure.code is DisclosureScope.INDIVIDUAL
    consent = [{"action": "obtainConsent"}] if asked else []
    rules.append(_rule("distribute", _recipients(terms, "isAnyOf") + limits, _attribution(terms) + consent))
    if terms.contract_type is ContractType.TRANSFER and not terms.closed:
        rules.append(_rule("transfer", limits, []))
    return rules


def _prohibitions(terms: UsageTerms) -> list[Rule]:
    rules = []
    if Choice(UseApplication.INDIVIDUAL) not in terms.use_application and _purposes(terms, "isNoneOf"):
        rules.append(_rule("use", _purposes(terms, "isNoneOf"), []))
    if terms.closed:
        rules.append(_rule("distribute", _recipients(terms, "isNoneOf"), []))
        rules.append(_rule("sell", [], []))
    if ListingCondition.NO_REIDENTIFICATION in privacy.listing_conditions(terms.personal_data.code):
        rules.append(_rule("musubi:reidentify", [], []))
    return rules


def _obligations(terms: UsageTerms) -> list[Rule]:
    return [{"action": "musubi:keepConfidential"}] if terms.nda is Nda.REQUIRED else []


def _use(terms: UsageTerms) -> Any:
    """Return what may be used: the data, or the part that a policy leaves, as the action's refinement (2.5.2)."""
    if terms.data_policy is None:
        return "use"
    return [{"rdf:value": {"@id": "odrl:use"}, "refinement": _part(terms.data_policy)}]


def _part(policy: DataPolicy) -> list[Rule]:
    omitted = [one.column for one in policy.columns if one.treatment is Treatment.OMIT]
    masked = [
        {"musubi:column": one.column, "musubi:treatment": _iri("treatment", one.treatment)}
        | ({} if one.length is None else {"musubi:length": one.length})
        for one in policy.columns
        if one.treatment is not Treatment.OMIT
    ]
    said = (("musubi:columns", "isNoneOf", omitted), ("musubi:maskedColumns", "isAllOf", masked))
    return [_constraint(*one) for one in said if one[2]] + [_cell(one) for one in policy.rows]


def _cell(rule: RowRule) -> Rule:
    value: Any = list(rule.value) if isinstance(rule.value, tuple) else rule.value
    right = NO_VALUE if value is None else value
    return {"musubi:column": rule.column} | _constraint("musubi:cell", _OPERATORS[rule.operator], right)


def _rule(action: Any, constraints: list[Rule], duties: list[Rule]) -> Rule:
    rule: Rule = {"action": action}
    if constraints:
        rule["constraint"] = constraints
    if duties:
        rule["duty"] = duties
    return rule


def _purposes(terms: UsageTerms, operator: str) -> list[Rule]:
    codes = [
        purpose
        for purpose in terms.use_application
        if purpose.code not in {UseApplication.NO_LIMIT, UseApplication.INDIVIDUAL}
    ]
    return [_constraint("purpose", operator, [_coded("purpose", one) for one in codes])] if codes else []


def _recipients(terms: UsageTerms, operator: str) -> list[Rule]:
    return (
        [_constraint("recipient", operator, [_coded("recipient", terms.scope_of_disclosure)])] if terms.closed else []
    )


def _where(terms: UsageTerms) -> list[Rule]:
    if terms.permissible_region == (ANYWHERE,):
        return []
    # The form of ISO 3166 address that the ODRL information model itself uses in its examples.
    places = [{"@id": f"https://www.itu.int/tML/tML-ISO-3166:{code.lower()}"} for code in terms.permissible_region]
    return [_constraint("spatial", "isAnyOf", places)]


def _until(terms: UsageTerms) -> list[Rule]:
    period = terms.usage_license_period
    if period is None or period.note is not None:
        return []
    if period.end is not None:
        return [_constraint("dateTime", "lteq", {"@value": period.end.isoformat(), "@type": "xsd:date"})]
    length = f"P{period.value}{_PERIOD_LETTER[period.unit]}" if period.unit else ""
    return [_constraint("elapsedTime", "lteq", {"@value": length, "@type": "xsd:duration"})]


def _compensation(terms: UsageTerms) -> list[Rule]:
    if terms.fee is Fee.FREE:
        return []
    bounds = _bounds(terms.price_range) if terms.price_range else []
    if not bounds:
        return [{"action": "compensate"}]
    return [{"action": [{"rdf:value": {"@id": "odrl:compensate"}, "refinement": bounds}]}]


def _bounds(prices: PriceRange) -> list[Rule]:
    ends = (("gteq", prices.min_yen), ("lteq", prices.max_yen))
    return [
        {**_constraint("payAmount", operator, {"@value": str(yen), "@type": "xsd:integer"}), "unit": YEN}
        for operator, yen in ends
        if yen is not None
    ]


def _attribution(terms: UsageTerms) -> list[Rule]:
    return [{"action": "attribute"}] if terms.template in PUBLIC_LICENCES else []


def _constraint(left: str, operator: str, right: Any) -> Rule:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def _coded(kind: str, choice: Choice[Any]) -> Any:
    return choice.text if choice.text is not None else {"@id": f"musubi:{kind}:{choice.code.value}"}


def _particulars(terms: UsageTerms) -> dict[str, Any]:
    licence = PUBLIC_LICENCES.get(terms.template)
    note = terms.usage_license_period.note if terms.usage_license_period else None
    conditions = privacy.listing_conditions(terms.personal_data.code)
    return {
        "dct:identifier": f"sha256:{terms_sha256(terms)}",
        "dct:license": {"@id": licence.url} if licence else None,
        "musubi:template": _iri("template", terms.template),
        "musubi:contractType": _iri("contractType", terms.contract_type),
        "musubi:nda": _iri("nda", terms.nda),
        "musubi:notices": terms.notices,
        "musubi:personalData": _coded("personalData", terms.personal_data),
        "musubi:condition": [_iri("condition", condition) for condition in conditions],
        "musubi:dataEffectivePeriod": _validity(terms),
        "musubi:usageLicensePeriod": note,
        "musubi:fee": _iri("fee", terms.fee),
        "musubi:salesInfo": {"@id": terms.sales_info_url} if terms.sales_info_url else None,
        "musubi:noticesOfPrice": terms.notices_of_price,
        "musubi:expressWarranty": [_coded("expressWarranty", one) for one in terms.express_warranty],
        "musubi:governingLaw": _coded("governingLaw", terms.legal_compliance),
        "musubi:tracing": None if terms.tracing is Tracing.MANIFEST else _iri("tracing", terms.tracing),
    }


def _validity(terms: UsageTerms) -> Any:
    period = terms.data_effective_period
    if period is None:
        return None
    written = periods.write_period(period)
    names = {"start": "musubi:start", "end": "musubi:end", "note": "musubi:note"}
    return {names[name]: value for name, value in written.items() if name in names and value is not None}


def _iri(kind: str, code: Labelled) -> dict[str, str]:
    return {"@id": f"musubi:{kind}:{code.value}"}
