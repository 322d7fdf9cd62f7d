"""One source, three renderings: ODRL, Japanese and English say the same."""

from dataclasses import replace
from datetime import date

import pytest

from marketplace.licensing import policy, rules, wording
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
from marketplace.licensing.terms import ITEMS, Choice, DataPeriod, LicencePeriod, PriceRange
from marketplace.privacy.states import PrivacyClass
from tests.factories.licensing import FULL

# The ODRL vocabulary 2.2 (W3C Recommendation, 15 February 2018): the terms not marked as deprecated.
ACTIONS = set(
    """use transfer acceptTracking aggregate annotate anonymize archive attribute compensate concurrentUse delete derive
    digitize display distribute ensureExclusivity execute extract give grantUse include index inform install modify move
    nextPolicy obtainConsent play present print read reproduce reviewPolicy sell stream synchronize textToSpeech
    transform translate uninstall watermark""".split()  # noqa: SIM905 - copied as it stands
)
LEFT_OPERANDS = set(
    """absolutePosition absoluteSpatialPosition absoluteTemporalPosition absoluteSize count dateTime delayPeriod
    deliveryChannel elapsedTime event fileFormat industry language media meteredTime payAmount percentage product purpose
    recipient relativePosition relativeSpatialPosition relativeTemporalPosition relativeSize resolution spatial
    spatialCoordinates systemDevice timeInterval unitOfCount version virtualLocation""".split()  # noqa: SIM905 - copied as it stands
)
OPERATORS = {"eq", "gt", "gteq", "lt", "lteq", "neq", "isA", "hasPart", "isPartOf", "isAllOf", "isAnyOf", "isNoneOf"}
POLICY = {"uid", "profile", "assigner", "conflict", "permission", "prohibition", "obligation", "target"}
UID, ASSIGNER, TARGET = "urn:offer:1", "urn:organization:1", "urn:dataset:1"

CHANGES = {
    "contract_type": ContractType.JOINT_USE,
    "nda": Nda.NOT_REQUIRED,
    "use_application": (Choice(UseApplication.MEDICAL),),
    "scope_of_disclosure": Choice(DisclosureScope.OTHER, "市内の学校"),
    "permissible_region": ("JP-01", "KR"),
    "notices": "複製禁止",
    "personal_data": Choice(PrivacyClass.DEIDENTIFIED),
    "data_effective_period": DataPeriod(start=date(2027, 1, 1)),
    "usage_license_period": LicencePeriod(value=2, unit=PeriodUnit.YEAR),
    "fee": Fee.FREE,
    "sales_info_url": "https://data.example.jp/another",
    "price_range": PriceRange(2_000),
    "notices_of_price": "見積による",
    "express_warranty": (Choice(ExpressWarranty.OTHER, "欠測率1%未満"),),
    "legal_compliance": Choice(GoverningLaw.OTHER, "英国法"),
}


@pytest.fixture
def terms():
    return rules.read_terms(FULL)


def odrl(terms):
    return policy.to_odrl(terms, UID, ASSIGNER, TARGET)


def without_name(document):
    return {name: value for name, value in document.items() if name != "dct:identifier"}


def check_rule(rule, allowed):
    assert set(rule) <= allowed
    check_action(rule["action"])
    for constraint in rule.get("constraint", []):
        check_constraint(constraint)
    for duty in rule.get("duty", []):
        check_rule(duty, {"action", "constraint"})


def check_action(action):
    if isinstance(action, list):
        assert [set(one) for one in action] == [{"rdf:value", "refinement"}]
        assert action[0]["rdf:value"]["@id"].removeprefix("odrl:") in ACTIONS
        for constraint in action[0]["refinement"]:
            check_constraint(constraint)
    else:
        assert action in ACTIONS or action.startswith("musubi:")


def check_constraint(constraint):
    assert set(constraint) <= {"leftOperand", "operator", "rightOperand", "unit"}
    assert constraint["leftOperand"] in LEFT_OPERANDS
    assert constraint["operator"] in OPERATORS
    assert constraint["rightOperand"]


def check_policy(document):
    assert document["@context"][0] == "http://www.w3.org/ns/odrl.jsonld"
    assert document["@type"] == "Offer"
    for name in set(document) - {"@context", "@type"}:
        assert name in POLICY or name.startswith(("musubi:", "dct:"))
    assert document["profile"] == "urn:musubi:odrl:1"
    assert document["conflict"] == "prohibit"
    assert document["permission"]
    for rule in document["permission"]:
        check_rule(rule, {"action", "constraint", "duty"})
    for rule in document.get("prohibition", []) + document.get("obligation", []):
        check_rule(rule, {"action", "constraint"})


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_makes_a_policy_of_official_words(template):
    check_policy(odrl(TEMPLATES[template]))


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_of_an_item_makes_a_policy_of_official_words(terms, name):
    check_policy(odrl(replace(terms, **{name: CHANGES[name]})))


def test_every_item_shows_in_the_policy(terms):
    document = odrl(terms)
    use, distribute = document["permission"]
    assert (document["uid"], document["assigner"]) == (UID, ASSIGNER)
    assert document["target"] == TARGET
    assert document["musubi:contractType"] == {"@id": "musubi:contractType:license"}
    assert document["obligation"] == [{"action": "musubi:keepConfidential"}]
    purposes = [{"@id": "musubi:purpose:research"}, {"@id": "musubi:purpose:education"}, "防災計画の策定"]
    places = [
        {"@id": "https://www.itu.int/tML/tML-ISO-3166:jp-01"},
        {"@id": "https://www.itu.int/tML/tML-ISO-3166:jp-13"},
    ]
    where = {"leftOperand": "spatial", "operator": "isAnyOf", "rightOperand": places}
    until = {
        "leftOperand": "dateTime",
        "operator": "lteq",
        "rightOperand": {"@value": "2036-03-31", "@type": "xsd:date"},
    }
    assert use["action"] == "use"
    assert use["constraint"] == [
        {"leftOperand": "purpose", "operator": "isAnyOf", "rightOperand": purposes},
        where,
        until,
    ]
    circle = [{"@id": "musubi:recipient:groupCompanies"}]
    assert distribute["action"] == "distribute"
    assert distribute["constraint"] == [
        {"leftOperand": "recipient", "operator": "isAnyOf", "rightOperand": circle},
        where,
        until,
    ]
    assert document["prohibition"] == [
        {"action": "use", "constraint": [{"leftOperand": "purpose", "operator": "isNoneOf", "rightOperand": purposes}]},
        {
            "action": "distribute",
            "constraint": [{"leftOperand": "recipient", "operator": "isNoneOf", "rightOperand": circle}],
        },
        {"action": "sell"},
    ]
    assert document["musubi:notices"] == "利用状況の報告義務あり"
    assert document["musubi:personalData"] == {"@id": "musubi:personalData:nonPersonalInformation"}
    assert document["musubi:dataEffectivePeriod"] == {"musubi:start": "2026-04-01", "musubi:end": "2036-03-31"}
    amounts = use["duty"][0]["action"][0]["refinement"]
    assert [(one["operator"], one["rightOperand"]["@value"]) for one in amounts] == [
        ("gteq", "1000"),
        ("lteq", "50000"),
    ]
    assert document["musubi:salesInfo"] == {"@id": "https://data.example.jp/販売/人流"}
    assert document["musubi:noticesOfPrice"] == "長期契約は優待価格とする"
    assert document["musubi:expressWarranty"] == [
        {"@id": "musubi:expressWarranty:certifiedInstrument"},
        {"@id": "musubi:expressWarranty:thirdPartyRightsCleared"},
    ]
    assert document["musubi:governingLaw"] == {"@id": "musubi:governingLaw:JP"}
    assert document["dct:identifier"] == f"sha256:{rules.terms_sha256(terms)}"


JAPANESE = {
    "contract_type": ["利用許諾", "権限を留保"],
    "nda": ["求める", "秘密として管理する"],
    "use_application": ["研究、教育、その他：防災計画の策定"],
    "scope_of_disclosure": ["グループ会社", "転売は禁止"],
    "permissible_region": ["北海道 (ISO 3166 JP-01)、東京都 (ISO 3166 JP-13)"],
    "notices": ["利用状況の報告義務あり"],
    "personal_data": ["非個人情報", "検査に合格"],
    "data_effective_period": ["2026年4月1日から2036年3月31日まで"],
    "usage_license_period": ["2036年3月31日まで"],
    "fee": ["有償"],
    "sales_info_url": ["https://data.example.jp/販売/人流"],
    "price_range": ["1,000円から50,000円まで"],
    "notices_of_price": ["長期契約は優待価格とする"],
    "express_warranty": ["測定機器が公的検定、第三者DB著作物のライセンス処理済"],
    "legal_compliance": ["日本"],
}
ENGLISH = {
    "contract_type": ["Licence", "keeps its rights"],
    "nda": ["Required", "keeps the data confidential"],
    "use_application": ["Research; Education; Other: 防災計画の策定"],
    "scope_of_disclosure": ["Group companies", "resale to third parties are prohibited"],
    "permissible_region": ["Hokkaido (ISO 3166 JP-01); Tokyo (ISO 3166 JP-13)"],
    "notices": ["利用状況の報告義務あり"],
    "personal_data": ["Non-personal information", "inspection"],
    "data_effective_period": ["from 2026-04-01 until 2036-03-31"],
    "usage_license_period": ["until 2036-03-31"],
    "fee": ["For a fee"],
    "sales_info_url": ["https://data.example.jp/販売/人流"],
    "price_range": ["from JPY 1,000 to JPY 50,000"],
    "notices_of_price": ["長期契約は優待価格とする"],
    "express_warranty": ["officially certified; Third-party database rights"],
    "legal_compliance": ["Japan"],
}


@pytest.mark.parametrize(("language", "expected"), [(wording.JA, JAPANESE), (wording.EN, ENGLISH)])
def test_every_item_shows_in_its_own_clause(terms, language, expected):
    clauses = wording.clauses(terms, language)
    assert len(clauses) == len(ITEMS) == len(expected)
    for item, clause in zip(ITEMS, clauses, strict=True):
        said = " ".join([clause.value, *clause.consequences])
        assert clause.number == item.number
        assert clause.heading == (item.ja, item.en)[language]
        assert all(words in said for words in expected[item.field]), said


def test_the_texts_hold_every_clause_and_the_name(terms):
    for text, language in ((policy.to_japanese(terms), wording.JA), (policy.to_english(terms), wording.EN)):
        for clause in wording.clauses(terms, language):
            assert f"[CADDE {clause.number}]" in text
            assert clause.sentence in text
            assert clause.value in text
        assert text.rstrip().endswith(rules.terms_sha256(terms))
    assert policy.to_japanese(terms).startswith("データ利用条件 (個別)\n")
    assert policy.to_english(terms).startswith("Terms of data use (Custom)\n")


def test_the_two_texts_differ_wherever_the_words_are_ours(terms):
    for ja, en in zip(wording.clauses(terms, wording.JA), wording.clauses(terms, wording.EN), strict=True):
        assert ja.sentence != en.sentence
        assert en.sentence.isascii()


@pytest.mark.parametrize("name", CHANGES)
def test_changing_any_item_changes_the_name_and_all_renderings(terms, name):
    changed = replace(terms, **{name: CHANGES[name]})
    assert rules.terms_sha256(changed) != rules.terms_sha256(terms)
    assert without_name(odrl(changed)) != without_name(odrl(terms))
    number = next(index for index, item in enumerate(ITEMS) if item.field == name)
    for language in (wording.JA, wording.EN):
        before, after = wording.clauses(terms, language), wording.clauses(changed, language)
        assert [index for index, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]] == [number]


@pytest.mark.parametrize("name", CHANGES)
def test_an_item_left_unsaid_is_said_to_be_unsaid(terms, name):
    if getattr(TEMPLATES[Template.CC_BY], name) is not None:
        return
    silent = replace(terms, **{name: None})
    number = next(index for index, item in enumerate(ITEMS) if item.field == name)
    assert wording.clauses(silent, wording.JA)[number].value == "定めなし"
    assert wording.clauses(silent, wording.EN)[number].value == "Not specified"
    check_policy(odrl(silent))


@pytest.mark.parametrize("template", PUBLIC_LICENCES)
def test_a_public_licence_asks_for_attribution_and_points_to_its_text(template):
    terms = TEMPLATES[template]
    document = odrl(terms)
    assert all({"action": "attribute"} in rule["duty"] for rule in document["permission"])
    assert "prohibition" not in document
    assert "obligation" not in document
    assert document["dct:license"] == {"@id": PUBLIC_LICENCES[template].url}
    assert PUBLIC_LICENCES[template].url in policy.to_japanese(terms)
    assert PUBLIC_LICENCES[template].duty_en in policy.to_english(terms)


def test_without_a_target_the_policy_names_none():
    assert "target" not in policy.to_odrl(TEMPLATES[Template.TRIAL], UID, ASSIGNER)


def test_individual_purposes_need_consent_and_close_no_other_purpose(terms):
    mixed = replace(terms, use_application=(Choice(UseApplication.RESEARCH), Choice(UseApplication.INDIVIDUAL)))
    research, agreed, _ = odrl(mixed)["permission"]
    assert {"action": "obtainConsent"} not in research["duty"]
    assert {"action": "obtainConsent"} in agreed["duty"]
    assert all(constraint["leftOperand"] != "purpose" for constraint in agreed["constraint"])
    assert all(rule["action"] != "use" for rule in odrl(mixed)["prohibition"])
    assert "事前の承諾" in policy.to_japanese(mixed)
    only = replace(terms, use_application=(Choice(UseApplication.INDIVIDUAL),))
    assert [rule["action"] for rule in odrl(only)["permission"]] == ["use", "distribute"]


def test_individual_disclosure_needs_consent(terms):
    asked = replace(terms, scope_of_disclosure=Choice(DisclosureScope.INDIVIDUAL))
    assert odrl(asked)["permission"][-1]["duty"] == [{"action": "obtainConsent"}]
    assert all(rule["action"] == "use" for rule in odrl(asked)["prohibition"])


def test_a_transfer_without_a_circle_may_be_transferred_on(terms):
    sold = replace(terms, contract_type=ContractType.TRANSFER, scope_of_disclosure=Choice(DisclosureScope.NO_LIMIT))
    closed = replace(terms, contract_type=ContractType.TRANSFER)
    assert odrl(sold)["permission"][-1]["action"] == "transfer"
    assert all(rule["action"] != "transfer" for rule in odrl(closed)["permission"])


@pytest.mark.parametrize("known", [PrivacyClass.ANONYMISED, PrivacyClass.DEIDENTIFIED])
def test_anonymised_data_forbid_reidentification_in_all_renderings(terms, known):
    anonymised = replace(terms, personal_data=Choice(known))
    assert {"action": "musubi:reidentify"} in odrl(anonymised)["prohibition"]
    assert "照合してはならない" in policy.to_japanese(anonymised)
    assert "must not match" in policy.to_english(anonymised)


@pytest.mark.parametrize(
    ("period", "said_ja", "said_en", "duration"),
    [
        (
            LicencePeriod(value=30, unit=PeriodUnit.DAY),
            "購入日から30日間",
            "30 day(s) from the day of purchase",
            "P30D",
        ),
        (LicencePeriod(value=2, unit=PeriodUnit.WEEK), "購入日から2週間", "2 week(s) from the day of purchase", "P2W"),
        (
            LicencePeriod(value=6, unit=PeriodUnit.MONTH),
            "購入日から6か月間",
            "6 month(s) from the day of purchase",
            "P6M",
        ),
        (LicencePeriod(value=1, unit=PeriodUnit.YEAR), "購入日から1年間", "1 year(s) from the day of purchase", "P1Y"),
    ],
)
def test_a_licence_period_is_counted_from_the_day_of_purchase(terms, period, said_ja, said_en, duration):
    lasting = replace(terms, usage_license_period=period)
    assert said_ja in policy.to_japanese(lasting)
    assert said_en in policy.to_english(lasting)
    assert {
        "leftOperand": "elapsedTime",
        "operator": "lteq",
        "rightOperand": {"@value": duration, "@type": "xsd:duration"},
    } in odrl(lasting)["permission"][0]["constraint"]


def test_notes_stand_for_periods_that_no_program_can_read(terms):
    noted = replace(
        terms,
        usage_license_period=LicencePeriod(note="契約書による"),
        data_effective_period=DataPeriod(note="観測の続く限り"),
    )
    assert odrl(noted)["musubi:usageLicensePeriod"] == "契約書による"
    assert odrl(noted)["musubi:dataEffectivePeriod"] == {"musubi:note": "観測の続く限り"}
    for text in (policy.to_japanese(noted), policy.to_english(noted)):
        assert "契約書による" in text
        assert "観測の続く限り" in text


@pytest.mark.parametrize(
    ("period", "said_ja", "said_en"),
    [
        (DataPeriod(start=date(2026, 4, 1)), "2026年4月1日から", "from 2026-04-01"),
        (DataPeriod(end=date(2027, 3, 31)), "2027年3月31日まで", "until 2027-03-31"),
    ],
)
def test_the_validity_of_data_may_be_open_at_one_end(terms, period, said_ja, said_en):
    valid = replace(terms, data_effective_period=period)
    assert wording.clauses(valid, wording.JA)[7].value == said_ja
    assert wording.clauses(valid, wording.EN)[7].value == said_en


def test_a_fee_without_a_range_asks_for_compensation_of_any_amount(terms):
    open_price = replace(terms, price_range=None)
    assert odrl(open_price)["permission"][0]["duty"] == [{"action": "compensate"}]
    assert "1,000円以上" in policy.to_japanese(replace(terms, price_range=PriceRange(1_000)))
    assert "JPY 1,000 or more" in policy.to_english(replace(terms, price_range=PriceRange(1_000)))


def test_free_terms_ask_for_no_compensation(terms):
    free = replace(terms, fee=Fee.FREE, price_range=None)
    assert "duty" not in odrl(free)["permission"][0]
