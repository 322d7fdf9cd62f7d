"""How a figure stands in public, and the five principles that it belongs to."""

from enum import StrEnum

from marketplace.identity.states import OrganizationKind
from marketplace.kit.labels import Labelled


class Showing(StrEnum):
    """Whether a figure is shown, is one of a few, or is hidden so that one of a few cannot be computed."""

    SHOWN = "shown"
    FEW = "few"
    WITHHELD = "withheld"


class Principle(Labelled):
    """The five principles that Japanese cities put into their smart-city ordinances (first in Hamamatsu, 2022)."""

    EQUITY = "equity", "公平性・包摂性・社会的影響", "Equity, inclusion and social impact"
    TRANSPARENCY = "transparency", "透明性・プライバシー", "Transparency and privacy"
    SAFETY = "safety", "安全性・セキュリティ・強靱性", "Safety, security and resilience"
    OPENNESS = "openness", "相互運用性・オープン性", "Interoperability and openness"
    SUSTAINABILITY = "sustainability", "運営面・財政面の持続可能性", "Operational and financial sustainability"


class Unit(Labelled):
    """What a figure of the report counts."""

    COUNT = "count", "件", ""
    YEN = "yen", "円", "yen"
    BYTES = "bytes", "バイト", "bytes"
    SECONDS = "seconds", "秒", "seconds"
    BASIS_POINTS = "basis_points", "%", "%"


KINDS = {
    OrganizationKind.COMPANY: ("企業", "Companies"),
    OrganizationKind.MUNICIPALITY: ("自治体", "Municipalities"),
    OrganizationKind.PUBLIC_BODY: ("公的機関", "Public bodies"),
    OrganizationKind.UNIVERSITY: ("大学・研究機関", "Universities"),
    OrganizationKind.OTHER: ("その他", "Others"),
}
"""Classes of buyers and providers as the public reads them."""
