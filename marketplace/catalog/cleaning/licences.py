"""Licences as people write them: Creative Commons in all spellings, and the terms of the Japanese government."""

import re
import unicodedata
from typing import NamedTuple

from marketplace.catalog.states import Licence

CURRENT = "4.0"
_OURS = {
    "": Licence.CC_BY,
    "sa": Licence.CC_BY_SA,
    "nd": Licence.CC_BY_ND,
    "nc": Licence.CC_BY_NC,
    "nc-sa": Licence.CC_BY_NC_SA,
    "nc-nd": Licence.CC_BY_NC_ND,
}
_EXACT = {code.casefold(): code for code in Licence}
_ZERO = re.compile(r"cc-?0|cc-?zero|publicdomain/zero", re.ASCII)
_MARK = re.compile(r"publicdomain/mark|\bpdm\b|other-pd|パブリックドメイン", re.ASCII)
_COMMONS = re.compile(
    r"(?:licenses/|cc[-_ ]?|クリエイティブ・?コモンズ(?:・?ライセンス)?[-_ ]?)by((?:[-_ ]?(?:nc|nd|sa))*)", re.ASCII
)
_SPOKEN = re.compile(r"(?:クリエイティブ・?コモンズ.{0,12}?)?表示((?:[-‐–ー・ ]?(?:非営利|改変禁止|継承))*)")
_VERSION = re.compile(r"(?:[-_/ v]|第)*([1-4]\.[0-9])", re.ASCII)
_PARTS = {"非営利": "nc", "改変禁止": "nd", "継承": "sa"}
_STANDARD_TERMS = re.compile(r"政府標準利用規約|gjstu|government of japan standard terms")
_PUBLIC_DATA = re.compile(r"公共データ利用規約|\bpdl[-_ ]?1?|public data license", re.ASCII)


class ReadLicence(NamedTuple):
    """A licence: our code, the family and version that are named, and how sure the reading is (0 to 100)."""

    code: Licence
    family: str
    version: str
    confidence: int

    @property
    def name(self) -> str:
        """The licence as one word, such as CC-BY-3.0."""
        return f"{self.family}-{self.version}" if self.version else self.family


def licence_of(text: str) -> ReadLicence | None:
    """Read a licence out of an id, an address or a sentence; None where none is named."""
    folded = unicodedata.normalize("NFKC", text).casefold().strip()
    if not folded or folded in {"notspecified", "none", "-"}:
        return None
    if folded in _EXACT and _EXACT[folded] is not Licence.OTHER:
        return _exact(_EXACT[folded])
    if _ZERO.search(folded):
        return ReadLicence(Licence.CC0, "CC0", "1.0", 95)
    if _MARK.search(folded):
        return ReadLicence(Licence.PUBLIC_DOMAIN, "PDM", "1.0", 90)
    return _commons(folded) or _government(folded)


def differ(one: ReadLicence, other: ReadLicence) -> bool:
    """Tell whether two licences say different things: other terms, or another version of the same."""
    versions = {one.version, other.version} - {""}
    return one.family != other.family or len(versions) > 1


def _exact(code: Licence) -> ReadLicence:
    family, _, version = code.value.rpartition("-")
    return ReadLicence(code, family, version, 100)


def _commons(folded: str) -> ReadLicence | None:
    found = _COMMONS.search(folded)
    if found:
        parts = re.findall("nc|nd|sa", found[1])
    else:
        found = _SPOKEN.search(folded)
        if found is None or ("コモンズ" not in folded and "cc" not in folded):
            return None
        parts = [part for word, part in _PARTS.items() if word in found[1]]
    terms = "-".join(sorted(set(parts)))
    if terms not in _OURS:
        return None
    version = _VERSION.match(folded[found.end() :].lstrip(") /"))
    family = "CC-BY" + (f"-{terms.upper()}" if terms else "")
    if version is None:
        return ReadLicence(_OURS[terms], family, "", 70)
    is_current = version[1] == CURRENT
    return ReadLicence(_OURS[terms] if is_current else Licence.OTHER, family, version[1], 95)


def _government(folded: str) -> ReadLicence | None:
    if _PUBLIC_DATA.search(folded):
        return ReadLicence(Licence.PUBLIC_DATA, "PDL", "1.0", 95)
    if not _STANDARD_TERMS.search(folded):
        return None
    version = re.search(r"([12])\.[0-9]", folded)
    is_second = version is None or version[1] == "2"
    return ReadLicence(Licence.GOVERNMENT_2 if is_second else Licence.OTHER, "GJSTU", "2.0" if is_second else "1.0", 95)
