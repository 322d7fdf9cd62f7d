"""What may be listed, by class of personal data."""

import pytest

from marketplace.kit.errors import all_refusals
from marketplace.privacy import rules
from marketplace.privacy.errors import PrivacyClassNotListable
from marketplace.privacy.states import ListingCondition, PrivacyClass

LISTABLE = {PrivacyClass.NON_PERSONAL, PrivacyClass.ANONYMISED, PrivacyClass.DEIDENTIFIED}


def test_the_classes_are_the_seven_of_cadde():
    assert [known.ja for known in PrivacyClass] == [
        "非個人情報",
        "個人情報(要配慮含む)",
        "個人情報(要配慮含まない)",
        "匿名加工情報",
        "仮名加工情報",
        "非識別加工情報",
        "その他",
    ]


@pytest.mark.parametrize("known", PrivacyClass)
def test_every_class_is_either_refused_with_a_reason_or_bound_to_conditions(known):
    refusal, conditions = rules.listing_refusal(known), rules.listing_conditions(known)
    assert (refusal is None) == (known in LISTABLE)
    assert bool(conditions) == (known in LISTABLE)


def test_pseudonymised_data_never_goes_to_third_parties():
    assert "third parties" in rules.listing_refusal(PrivacyClass.PSEUDONYMISED)


def test_personal_information_is_refused_and_the_special_care_kind_for_a_further_reason():
    plain = rules.listing_refusal(PrivacyClass.PERSONAL)
    special = rules.listing_refusal(PrivacyClass.PERSONAL_SENSITIVE)
    assert "consent" in plain
    assert special.startswith(plain)
    assert "pecial-care" in special


@pytest.mark.parametrize("known", [PrivacyClass.ANONYMISED, PrivacyClass.DEIDENTIFIED])
def test_anonymised_data_may_be_listed_and_never_matched_with_persons(known):
    assert rules.listing_conditions(known) == (
        ListingCondition.PROCESSING_STANDARDS,
        ListingCondition.ITEMS_PUBLISHED,
        ListingCondition.STATED_AS_ANONYMISED,
        ListingCondition.NO_REIDENTIFICATION,
    )


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("nonPersonalInformation", PrivacyClass.NON_PERSONAL),
        ("個人情報（要配慮含む）", PrivacyClass.PERSONAL_SENSITIVE),
        ("行政機関等匿名加工情報", PrivacyClass.DEIDENTIFIED),
        (" ANONYMOUSLYPROCESSEDINFORMATION ", PrivacyClass.ANONYMISED),
        ("個人情報", None),
        ("", None),
    ],
)
def test_a_class_is_known_by_code_label_and_alias_in_any_width_and_case(word, known):
    assert PrivacyClass.named(word) is known


def test_every_code_has_labels_in_both_languages():
    for code in (*PrivacyClass, *ListingCondition):
        assert code.ja
        assert code.en.isascii()
        assert str(code) == code.value


def test_the_refusal_is_a_documented_problem():
    assert all_refusals()["privacy-class-not-listable"] is PrivacyClassNotListable
    assert PrivacyClassNotListable.status == 422
