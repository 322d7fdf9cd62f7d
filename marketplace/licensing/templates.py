"""Ready-made terms to start from, and the two public licences whose items may not be changed. Pure."""

from dataclasses import dataclass, replace

from marketplace.licensing.states import (
    ContractType,
    DisclosureScope,
    Fee,
    Nda,
    PeriodUnit,
    Template,
    UseApplication,
)
from marketplace.licensing.terms import Choice, LicencePeriod, UsageTerms
from marketplace.privacy.states import PrivacyClass

_COMMERCIAL = UsageTerms(
    template=Template.COMMERCIAL,
    contract_type=ContractType.LICENCE,
    nda=Nda.REQUIRED,
    use_application=(Choice(UseApplication.COMMERCIAL), Choice(UseApplication.RESEARCH)),
    scope_of_disclosure=Choice(DisclosureScope.COMPANY),
    personal_data=Choice(PrivacyClass.NON_PERSONAL),
    fee=Fee.PAID,
)
_OPEN = replace(
    _COMMERCIAL,
    nda=Nda.NOT_REQUIRED,
    use_application=(Choice(UseApplication.NO_LIMIT),),
    scope_of_disclosure=Choice(DisclosureScope.NO_LIMIT),
    fee=Fee.FREE,
)
TEMPLATES: dict[Template, UsageTerms] = {
    Template.COMMERCIAL: _COMMERCIAL,
    Template.RESEARCH: replace(
        _COMMERCIAL,
        template=Template.RESEARCH,
        use_application=(Choice(UseApplication.RESEARCH), Choice(UseApplication.EDUCATION)),
        notices="成果を公表するときは、データの出典を明示してください。"
        " / Please name the source of the data when you publish results.",
    ),
    Template.PUBLIC_INTEREST: replace(
        _COMMERCIAL,
        template=Template.PUBLIC_INTEREST,
        nda=Nda.NOT_REQUIRED,
        use_application=(
            Choice(UseApplication.RESEARCH),
            Choice(UseApplication.EDUCATION),
            Choice(UseApplication.PUBLIC),
        ),
        scope_of_disclosure=Choice(DisclosureScope.NO_LIMIT),
        fee=Fee.FREE,
    ),
    Template.TRIAL: replace(
        _COMMERCIAL,
        template=Template.TRIAL,
        scope_of_disclosure=Choice(DisclosureScope.PERSON_IN_CHARGE),
        usage_license_period=LicencePeriod(value=30, unit=PeriodUnit.DAY),
        fee=Fee.FREE,
        notices="期間の終了後は、取得したデータを速やかに消去してください。"
        " / Please delete the data promptly when the period has ended.",
    ),
    Template.CC_BY: replace(_OPEN, template=Template.CC_BY),
    Template.JAPAN_GOVERNMENT: replace(_OPEN, template=Template.JAPAN_GOVERNMENT),
}


@dataclass(frozen=True, slots=True)
class PublicLicence:
    """A licence whose own text binds: its address, and what it asks of the user in both languages."""

    url: str
    duty_ja: str
    duty_en: str


PUBLIC_LICENCES = {
    Template.CC_BY: PublicLicence(
        "https://creativecommons.org/licenses/by/4.0/",
        "適切なクレジットを表示し、ライセンスへのリンクを示し、変更したときはその旨を示してください。",
        "Give appropriate credit, provide a link to the licence, and indicate if changes were made.",
    ),
    Template.JAPAN_GOVERNMENT: PublicLicence(
        "https://www.digital.go.jp/resources/open_data",
        "出典を記載し、編集・加工したときはその旨を記載してください。国等が作成したかのような態様で公表してはなりません。",
        "State the source and any editing; do not publish edited data as if the government had made them.",
    ),
}

# What a public licence grants cannot be taken back by the items beside it (CC BY 4.0 section 2(a)(5)(B)
# forbids additional restrictions), so these items stand as in the template.
BOUND_BY_PUBLIC_LICENCE = (
    "contract_type",
    "nda",
    "use_application",
    "scope_of_disclosure",
    "permissible_region",
    "personal_data",
    "usage_license_period",
    "tracing",
)
# A template that promises a purpose must not be used for another.
PURPOSES_ALLOWED = {
    Template.RESEARCH: {UseApplication.RESEARCH, UseApplication.EDUCATION},
    Template.PUBLIC_INTEREST: {
        UseApplication.RESEARCH,
        UseApplication.EDUCATION,
        UseApplication.PUBLIC,
        UseApplication.MEDICAL,
    },
}
