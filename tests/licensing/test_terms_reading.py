"""Usage terms read from documents: strictly, in two languages, with a pointer for every fault."""

from datetime import date

import pytest

from marketplace.kit.errors import Invalid
from marketplace.licensing import rules
from marketplace.licensing.regions import COUNTRIES, NAMES
from marketplace.licensing.states import (
    ContractType,
    DisclosureScope,
    ExpressWarranty,
    Fee,
    GoverningLaw,
    Nda,
    PeriodUnit,
    Template,
    UseApplication,
)
from marketplace.licensing.templates import PUBLIC_LICENCES, TEMPLATES
from marketplace.licensing.terms import ITEMS, Choice, DataPeriod, LicencePeriod, PriceRange, UsageTerms
from marketplace.privacy.states import PrivacyClass
from tests.factories.licensing import FULL

ENGLISH = FULL | {
    "contract_type": "license",
    "nda": "required",
    "use_application": [{"code": "other", "text": "防災計画の策定"}, "education", "research"],
    "scope_of_disclosure": "groupCompanies",
    "permissible_region": ["JP-13", "jp-01"],
    "personal_data": "nonPersonalInformation",
    "fee": "Paid",
    "express_warranty": ["thirdPartyRightsCleared", "certifiedInstrument"],
    "legal_compliance": "JP",
}


def faults(document):
    with pytest.raises(Invalid) as caught:
        rules.read_terms(document)
    return {fault["pointer"]: fault["detail"] for fault in caught.value.errors}


def only_fault(**changes):
    found = faults(FULL | changes)
    assert len(found) == 1, found
    return next(iter(found.items()))


def test_all_fifteen_items_are_read_from_japanese_words():
    assert rules.read_terms(FULL) == UsageTerms(
        contract_type=ContractType.LICENCE,
        nda=Nda.REQUIRED,
        use_application=(
            Choice(UseApplication.RESEARCH),
            Choice(UseApplication.EDUCATION),
            Choice(UseApplication.OTHER, "防災計画の策定"),
        ),
        scope_of_disclosure=Choice(DisclosureScope.GROUP),
        permissible_region=("JP-01", "JP-13"),
        notices="利用状況の報告義務あり",
        personal_data=Choice(PrivacyClass.NON_PERSONAL),
        data_effective_period=DataPeriod(start=date(2026, 4, 1), end=date(2036, 3, 31)),
        usage_license_period=LicencePeriod(end=date(2036, 3, 31)),
        fee=Fee.PAID,
        sales_info_url="https://data.example.jp/販売/人流",
        price_range=PriceRange(1_000, 50_000),
        notices_of_price="長期契約は優待価格とする",
        express_warranty=(Choice(ExpressWarranty.INSTRUMENT), Choice(ExpressWarranty.RIGHTS_CLEARED)),
        legal_compliance=Choice(GoverningLaw.JAPAN),
    )


def test_english_codes_in_another_order_make_the_same_terms_with_the_same_name():
    assert rules.read_terms(ENGLISH) == rules.read_terms(FULL)
    assert rules.terms_sha256(rules.read_terms(ENGLISH)) == rules.terms_sha256(rules.read_terms(FULL))


def test_the_items_carry_the_numbers_and_keys_of_cadde():
    assert [item.number for item in ITEMS] == list(range(13010, 13160, 10))
    assert len({item.extras_key for item in ITEMS}) == 15
    assert {item.field for item in ITEMS} == set(UsageTerms.__dataclass_fields__) - {
        "template",
        "tracing",
        "data_policy",
    }


@pytest.mark.parametrize("codes", [ContractType, Nda, UseApplication, DisclosureScope, Fee, ExpressWarranty, Template])
def test_every_code_is_read_by_its_code_its_label_and_its_aliases(codes):
    for known in codes:
        for word in (known.value, known.value.upper(), known.ja, *known.aliases):
            assert codes.named(word) is known
        assert known.en.isascii()


def test_no_two_codes_of_a_list_share_a_spelling():
    for codes in (ContractType, Nda, UseApplication, DisclosureScope, Fee, ExpressWarranty, Template, PeriodUnit):
        words = [word for known in codes for word in (known.value, known.ja, *known.aliases)]
        assert len(words) == len(set(words))


CC_BY_NAME = "dce48d940919b36a2367de4d803356bb4e095c01659389aee06dcf7dcdcdef2f"
FULL_NAME = "a90b31dc4d8414922c7085ab6af89c884b9678bf3fef838748e90ba279e80a29"


def test_a_name_stays_the_same_over_releases_of_the_program():
    # These hashes name terms that buyers accepted; a change here orphans every acceptance.
    assert rules.terms_sha256(TEMPLATES[Template.CC_BY]) == CC_BY_NAME
    assert rules.terms_sha256(rules.read_terms(FULL)) == FULL_NAME


def test_a_template_alone_is_enough():
    for template in TEMPLATES:
        assert rules.read_terms({"template": template.value}) == TEMPLATES[template]
        assert rules.read_terms({"template": template.ja}).template is template


def test_a_template_fills_what_is_left_out():
    terms = rules.read_terms({"template": "research", "permissible_region": ["日本"], "fee": "無償"})
    assert terms.use_application == TEMPLATES[Template.RESEARCH].use_application
    assert terms.permissible_region == ("JP",)
    assert terms.fee is Fee.FREE


def test_custom_terms_must_state_what_has_no_default():
    assert set(faults({})) == {
        "/contract_type",
        "/nda",
        "/use_application",
        "/scope_of_disclosure",
        "/personal_data",
        "/fee",
    }


def test_unknown_fields_are_refused_by_name():
    assert set(faults(FULL | {"license": "CC BY", "a/b~c": 1})) == {"/license", "/a~1b~0c"}


@pytest.mark.parametrize("document", [None, [], "標準商用", 7, True])
def test_what_is_no_object_is_refused(document):
    assert set(faults(document)) == {""}


def test_all_faults_are_named_at_once():
    broken = FULL | {
        "nda": "maybe",
        "use_application": ["研究", "軍事", 3],
        "fee": None,
        "sales_info_url": "ftp://x.jp/",
    }
    assert set(faults(broken)) == {"/nda", "/use_application/1", "/use_application/2", "/fee", "/sales_info_url"}


def test_the_refusal_of_a_code_lists_the_codes_in_both_languages():
    pointer, detail = only_fault(nda="たぶん")
    assert pointer == "/nda"
    assert "required (求める)" in detail


@pytest.mark.parametrize("value", [[], "研究", {"0": "研究"}, ["研究"] * 251, None])
def test_purposes_are_a_list_of_at_least_one(value):
    assert only_fault(use_application=value)[0] == "/use_application"


def test_a_value_stands_in_a_list_once_in_whatever_words():
    assert only_fault(use_application=["研究", "教育", "research"])[0] == "/use_application/2"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("use_application", ["制限なし", "研究"]),
        ("permissible_region", ["JP", "noLimit"]),
        ("express_warranty", ["特になし", "本人同意あり"]),
    ],
)
def test_no_limit_and_nothing_in_particular_stand_alone(name, values):
    pointer, detail = only_fault(**{name: values})
    assert pointer == f"/{name}"
    assert "alone" in detail


@pytest.mark.parametrize("name", ["scope_of_disclosure", "personal_data", "legal_compliance"])
@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ("other", ""),
        ("その他", ""),
        ({"code": "other"}, ""),
        ({"code": "other", "text": "  "}, "/text"),
        ({"code": "bogus", "text": "x"}, "/code"),
        ({"text": "x"}, "/code"),
        ({"code": "other", "text": "x", "more": 1}, "/more"),
        ("その他（　）", ""),
        (None, ""),
    ],
)
def test_other_needs_words_of_its_own(name, value, pointer):
    assert only_fault(**{name: value})[0] == f"/{name}{pointer}"


def test_no_other_code_takes_words():
    assert only_fault(scope_of_disclosure={"code": "ownCompany", "text": "子会社を含む"})[0] == "/scope_of_disclosure"
    assert only_fault(nda="その他(応相談)")[0] == "/nda"


@pytest.mark.parametrize(
    "value", ["その他(市内の学校)", "その他（市内の学校）", {"code": "OTHER", "text": " 市内の学校\r\n"}]
)
def test_words_of_other_are_kept_without_outer_blanks(value):
    terms = rules.read_terms(FULL | {"scope_of_disclosure": value})
    assert terms.scope_of_disclosure == Choice(DisclosureScope.OTHER, "市内の学校")


@pytest.mark.parametrize(
    "value",
    ["", "   ", 5, "a" * 4_001, "安全\x00", "\ud800", "\x1b[2J", "無償\u202e償有", "\u2066x", ["list"]],
)
def test_a_text_that_may_deceive_or_break_is_refused(value):
    assert only_fault(notices=value)[0] == "/notices"


def test_texts_are_composed_so_that_what_looks_the_same_has_the_same_name():
    composed = rules.read_terms(FULL | {"notices": "データ利用\n\tガイド"})
    apart = rules.read_terms(FULL | {"notices": "\u3000テ\u3099ータ利用\r\n\tカ\u3099イト\u3099 "})
    assert rules.terms_sha256(composed) == rules.terms_sha256(apart)


@pytest.mark.parametrize(
    "value",
    [
        "ftp://data.example.jp/",
        "javascript:alert(1)",
        "//data.example.jp/",
        "https://",
        "https://user:pass@data.example.jp/",
        "https://data.example.jp/ x",
        'https://data.example.jp/"x',
        "https://data.example.jp:99999/",
        "https://[::1/",
        "https://data.example.jp/" + "a" * 2_000,
        7,
    ],
)
def test_a_sales_address_is_an_absolute_web_address(value):
    assert only_fault(sales_info_url=value)[0] == "/sales_info_url"


@pytest.mark.parametrize("value", ["ZZ", "JP-48", "JP-1", "日本国", "ZZ-1", "J", "", 81, "US-", "JP,US"])
def test_a_region_is_an_iso_3166_code(value):
    assert only_fault(permissible_region=["JP", value])[0] == "/permissible_region/1"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("制限なし", "noLimit"),
        ("NOLIMIT", "noLimit"),
        ("日本", "JP"),
        ("北海道", "JP-01"),
        ("us-ca", "US-CA"),
        ("kr", "KR"),
    ],
)
def test_a_region_is_read_by_code_or_japanese_name(value, code):
    assert rules.read_terms(FULL | {"permissible_region": [value]}).permissible_region == (code,)


def test_the_tables_of_regions_are_complete():
    assert len(COUNTRIES) == 249
    assert len(NAMES) == 48
    assert NAMES["JP-13"] == ("東京都", "Tokyo")
    assert NAMES["JP-47"] == ("沖縄県", "Okinawa")


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"kind": "startEndDate"}, ""),
        ({"kind": "startEndDate", "start": "2026-04-02", "end": "2026-04-01"}, "/end"),
        ({"kind": "startEndDate", "start": "20260401"}, "/start"),
        ({"kind": "startEndDate", "start": "2026-02-30"}, "/start"),
        ({"kind": "startEndDate", "start": "２０２６-０４-０１"}, "/start"),
        ({"kind": "startEndDate", "start": 20260401}, "/start"),
        ({"kind": "startEndDate", "start": "2026-04-01", "note": "x"}, "/note"),
        ({"kind": "note"}, "/note"),
        ({"kind": "note", "note": ""}, "/note"),
        ({"kind": "forever"}, "/kind"),
        ({}, "/kind"),
        ("2026-04-01", "/kind"),
        ([], "/kind"),
    ],
)
def test_the_validity_of_data_is_a_span_or_a_note(value, pointer):
    assert only_fault(data_effective_period=value)[0] == f"/data_effective_period{pointer}"


@pytest.mark.parametrize(
    ("value", "pointers"),
    [
        ({"kind": "endDate"}, {"/end"}),
        ({"kind": "endDate", "end": "never"}, {"/end"}),
        ({"kind": "period", "value": 0, "unit": "year"}, {"/value"}),
        ({"kind": "period", "value": 1.5, "unit": "year"}, {"/value"}),
        ({"kind": "period", "value": True, "unit": "year"}, {"/value"}),
        ({"kind": "period", "value": "10", "unit": "year"}, {"/value"}),
        ({"kind": "period", "value": 10, "unit": "century"}, {"/unit"}),
        ({"kind": "period", "value": 10}, {"/unit"}),
        ({"kind": "note", "note": None}, {"/note"}),
        ({"kind": ["note"]}, {"/kind"}),
    ],
)
def test_the_term_of_the_licence_is_an_end_a_period_or_a_note(value, pointers):
    found = faults(FULL | {"usage_license_period": value})
    assert set(found) == {f"/usage_license_period{pointer}" for pointer in pointers}


@pytest.mark.parametrize(
    ("value", "period", "days"),
    [
        ({"kind": "period", "value": 2, "unit": "年"}, LicencePeriod(value=2, unit=PeriodUnit.YEAR), 732),
        ({"kind": "period", "value": 6.0, "unit": "か月"}, LicencePeriod(value=6, unit=PeriodUnit.MONTH), 186),
        ({"kind": "period", "value": 3, "unit": "week"}, LicencePeriod(value=3, unit=PeriodUnit.WEEK), 21),
        ({"kind": "note", "note": "契約書による"}, LicencePeriod(note="契約書による"), None),
        (None, None, None),
    ],
)
def test_periods_are_typed_and_know_their_longest_length(value, period, days):
    read = rules.read_terms(FULL | {"usage_license_period": value}).usage_license_period
    assert read == period
    assert (read and read.days_max) == days


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"max_yen": 5}, "/min_yen"),
        ({"min_yen": -1}, "/min_yen"),
        ({"min_yen": 10, "max_yen": 9}, "/max_yen"),
        ({"min_yen": 10, "max_yen": 1_000_000_000_000}, "/max_yen"),
        ({"min_yen": 10.5}, "/min_yen"),
        ({"min_yen": 10, "currency": "USD"}, "/currency"),
        ("日本円：200,000円～1,000,000円", ""),
    ],
)
def test_a_price_range_is_in_whole_yen(value, pointer):
    assert only_fault(price_range=value)[0] == f"/price_range{pointer}"


def test_a_price_range_may_be_open_above():
    prices = rules.read_terms(FULL | {"price_range": {"min_yen": 500.0}}).price_range
    assert prices == PriceRange(500)
    assert 499 not in prices
    assert 10**11 in prices


def test_free_terms_state_no_price_range():
    assert only_fault(fee="無償")[0] == "/price_range"
    assert rules.read_terms(FULL | {"fee": "無償", "price_range": {"min_yen": 0, "max_yen": 0}})


@pytest.mark.parametrize("template", PUBLIC_LICENCES)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("use_application", ["研究"]),
        ("contract_type", "譲渡"),
        ("nda", "求める"),
        ("scope_of_disclosure", "自社"),
        ("permissible_region", ["JP"]),
        ("usage_license_period", {"kind": "endDate", "end": "2030-01-01"}),
        ("personal_data", "仮名加工情報"),
    ],
)
def test_a_public_licence_cannot_be_narrowed(template, name, value):
    assert set(faults({"template": template.value, name: value})) == {f"/{name}"}


def test_a_public_licence_may_be_sold_and_come_with_notices():
    terms = rules.read_terms({"template": "cc-by-4.0", "fee": "有償", "notices": "年1回更新"})
    assert terms.fee is Fee.PAID


@pytest.mark.parametrize(
    ("template", "name", "value"),
    [
        ("research", "use_application", ["研究", "商用"]),
        ("public-interest", "use_application", ["制限なし"]),
        ("standard-commercial", "use_application", ["教育"]),
        ("trial", "usage_license_period", None),
    ],
)
def test_a_template_is_not_used_against_its_name(template, name, value):
    assert set(faults({"template": template, name: value})) == {f"/{name}"}


def test_commercial_terms_may_lift_all_limits():
    assert rules.read_terms({"template": "standard-commercial", "use_application": ["制限なし"]})


@pytest.mark.parametrize("known", [PrivacyClass.ANONYMISED, PrivacyClass.DEIDENTIFIED])
@pytest.mark.parametrize("template", ["standard-commercial", "research"])
def test_anonymised_data_come_with_the_published_items(known, template):
    document = {"template": template, "personal_data": known.ja}
    assert set(faults(document)) == {"/notices"}
    assert rules.read_terms(document | {"notices": "項目: 年代、性別、滞在時間。提供の方法: 本取引所からの配信"})


def test_only_our_vocabulary_and_known_templates_are_read():
    assert set(faults(FULL | {"vocabulary": "CADDE-9", "template": "MIT"})) == {"/vocabulary", "/template"}
    assert set(faults(FULL | {"template": None})) == {"/template"}


def test_kept_terms_stay_readable_when_rules_grow_stricter():
    document = rules.terms_document(rules.read_terms(FULL)) | {"fee": "free"}
    assert rules.restore_terms(document).fee is Fee.FREE
    assert set(faults(document)) == {"/price_range"}


def test_an_absurdly_long_field_name_is_shortened_in_its_pointer():
    assert set(faults(FULL | {"x" * 500: 1})) == {"/" + "x" * 80}
