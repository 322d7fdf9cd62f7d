"""The canonical document and the name of terms, over all terms there can be."""

import hashlib
import json
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.kit.errors import Invalid
from marketplace.kit.money import AMOUNT_MAX
from marketplace.licensing import policy, rules
from marketplace.licensing.regions import COUNTRIES
from marketplace.licensing.states import (
    ContractType,
    DisclosureScope,
    ExpressWarranty,
    Fee,
    GoverningLaw,
    Nda,
    PeriodUnit,
    UseApplication,
)
from marketplace.privacy.states import PrivacyClass

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs"]), min_size=1, max_size=30).filter(
    str.strip
)
days = st.dates(date(1900, 1, 1), date(9999, 12, 31)).map(date.isoformat)
notes = st.builds(lambda note: {"kind": "note", "note": note}, words)


def one_of(codes):
    """Any code of a list, in either language; with words where it is other."""
    plain = [known for known in codes if known != "other"]
    spelled = st.sampled_from(plain).flatmap(lambda known: st.sampled_from([known.value, known.ja]))
    if len(plain) == len(codes):
        return spelled
    return spelled | st.builds(lambda text: {"code": "その他", "text": text}, words)


def some_of(codes, alone):
    """A list of different codes, of which one stands alone."""
    plain = [known for known in codes if known not in (alone, "other")]
    return st.just([alone]) | st.lists(st.sampled_from(plain), min_size=1, unique=True).map(lambda found: [*found])


spans = (
    st.lists(days, min_size=2, max_size=2)
    .map(sorted)
    .map(lambda ends: {"kind": "startEndDate", "start": ends[0], "end": ends[1]})
)
periods = st.builds(
    lambda value, unit: {"kind": "period", "value": value, "unit": unit}, st.integers(1, 9_999), one_of(PeriodUnit)
)
ranges = (
    st.lists(st.integers(0, AMOUNT_MAX), min_size=2, max_size=2)
    .map(sorted)
    .map(lambda ends: {"min_yen": ends[0], "max_yen": ends[1]})
)
documents = st.fixed_dictionaries(
    {
        "contract_type": one_of(ContractType),
        "nda": one_of(Nda),
        "use_application": some_of(UseApplication, UseApplication.NO_LIMIT),
        "scope_of_disclosure": one_of(DisclosureScope),
        "personal_data": one_of(PrivacyClass),
        "fee": st.just(Fee.PAID.value),
        "notices": words,
    },
    optional={
        "permissible_region": st.lists(st.sampled_from(sorted(COUNTRIES)), min_size=1, max_size=9, unique=True),
        "data_effective_period": st.none() | spans | notes,
        "usage_license_period": st.none() | periods | notes | days.map(lambda end: {"kind": "endDate", "end": end}),
        "sales_info_url": st.none() | st.just("https://data.example.jp/販売"),
        "price_range": st.none() | ranges,
        "notices_of_price": st.none() | words,
        "express_warranty": some_of(ExpressWarranty, ExpressWarranty.NONE),
        "legal_compliance": one_of(GoverningLaw),
    },
)


@settings(max_examples=300)
@given(documents)
def test_reading_what_was_written_gives_back_the_same_terms_under_the_same_name(document):
    terms = rules.read_terms(document)
    written = rules.terms_document(terms)
    assert rules.read_terms(json.loads(json.dumps(written))) == terms
    assert rules.restore_terms(written) == terms
    assert rules.terms_sha256(rules.read_terms(written)) == rules.terms_sha256(terms)


@settings(max_examples=200)
@given(documents)
def test_the_name_is_the_hash_of_the_sorted_compact_document(document):
    # All member names are ASCII and all numbers integers, so RFC 8785 comes to sorted compact JSON.
    terms = rules.read_terms(document)
    plain = json.dumps(rules.terms_document(terms), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert rules.terms_sha256(terms) == hashlib.sha256(plain.encode()).hexdigest()


@settings(max_examples=200)
@given(documents)
def test_any_terms_can_be_said_in_all_three_renderings(document):
    terms = rules.read_terms(document)
    for text in (policy.to_japanese(terms), policy.to_english(terms)):
        assert rules.terms_sha256(terms) in text
    json.dumps(policy.to_odrl(terms, "urn:x", "urn:y"), ensure_ascii=False)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
known_fields = st.sampled_from(
    ["template", "vocabulary", *rules.terms_document(rules.read_terms({"template": "trial"}))]
)


@settings(max_examples=300)
@given(st.dictionaries(known_fields | st.text(max_size=10), json_values, max_size=6) | json_values)
def test_whatever_json_comes_in_is_read_or_refused_with_pointers(document):
    faults = None
    try:
        rules.read_terms(document)
    except Invalid as refusal:
        faults = refusal.errors
    assert faults is None or faults
    assert all(fault["pointer"] == "" or fault["pointer"].startswith("/") for fault in faults or [])
