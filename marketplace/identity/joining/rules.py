"""What an applicant's contact must look like, and how risky an application is: pure functions.

The risk is found from the top; the first that applies counts:

* **high**: no corporate number (法人番号); a contact at a free mail service; a number that a register does not know,
  or knows under another name, closed or ended.
* **low**: the register knows the corporate number under the applicant's name, and has nothing against the invoice
  registration number if one is given.
* **middle**: all others, such as where no register could be asked.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from marketplace.identity import rules
from marketplace.identity.joining.states import Ground, Outcome, Registry, Risk
from marketplace.identity.rules import MemberDraft
from marketplace.identity.states import MemberRole

FREE_MAIL = frozenset({
    "gmail.com", "googlemail.com", "yahoo.co.jp", "yahoo.com", "ymail.ne.jp", "outlook.com", "outlook.jp",
    "hotmail.com", "hotmail.co.jp", "live.jp", "live.com", "msn.com", "icloud.com", "me.com", "mac.com", "aol.com",
    "proton.me", "protonmail.com", "excite.co.jp", "goo.jp", "mail.goo.ne.jp", "nifty.com", "docomo.ne.jp",
    "ezweb.ne.jp", "au.com", "softbank.ne.jp", "i.softbank.jp", "gmx.com", "mail.com", "zoho.com", "yandex.com",
})  # fmt: skip
"""Where anybody gets an address without belonging to anything."""

_FORMS = {
    "(株)": "株式会社",
    "(有)": "有限会社",
    "(同)": "合同会社",
    "(一社)": "一般社団法人",
    "(一財)": "一般財団法人",
}
_BLANKS = re.compile(r"[\s・･.,\-‐-―−]")


@dataclass(frozen=True, slots=True)
class Contact:
    """The person who applies, who becomes the first owner."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Applicant:
    """What the risk of an application depends on."""

    email: str
    corporate_number: str | None


@dataclass(frozen=True, slots=True)
class Assessment:
    """How risky an application is, and why."""

    risk: Risk
    grounds: tuple[Ground, ...]


def checked_contact(contact: Contact) -> Contact:
    """Return the contact with its texts tidied, or raise Invalid that names every field at fault."""
    rules.refuse_my_numbers({"contact_name": contact.name, "contact_email": contact.email})
    name, email = rules.tidy(contact.name), rules.tidy(contact.email)
    rules.refuse_faults({"contact_name": rules.text_fault(name), "contact_email": _email_fault(email)})
    return Contact(name, email)


def first_member(contact: Contact) -> MemberDraft:
    """Return the applicant as the owner of the organization."""
    return MemberDraft(contact.name, MemberRole.OWNER, contact.email)


def assess(applicant: Applicant, outcomes: Mapping[Registry, Outcome]) -> Assessment:
    """Return the risk of an application, by the rules above."""
    against = tuple(_against(applicant, outcomes.values()))
    if against:
        return Assessment(Risk.HIGH, against)
    if outcomes.get(Registry.CORPORATE_NUMBERS) is Outcome.MATCHES and _is_settled(outcomes):
        return Assessment(Risk.LOW, (Ground.REGISTERED,))
    return Assessment(Risk.MIDDLE, (Ground.NOT_LOOKED_UP,))


def names_match(one: str, other: str) -> bool:
    """Tell whether two names are of one body: widths, blanks and short forms such as ㈱ make no difference."""
    return _bare(one) == _bare(other)


def domain_of(email: str) -> str:
    """Return what stands behind the last @ of an address, in small letters."""
    return email.rpartition("@")[2].lower()


def _against(applicant: Applicant, outcomes: Iterable[Outcome]) -> Iterable[Ground]:
    found = set(outcomes)
    if applicant.corporate_number is None:
        yield Ground.NO_NUMBER
    if domain_of(applicant.email) in FREE_MAIL:
        yield Ground.FREE_MAIL
    if Outcome.UNKNOWN in found:
        yield Ground.NOT_IN_REGISTER
    if Outcome.DIFFERS in found:
        yield Ground.REGISTER_DIFFERS


def _is_settled(outcomes: Mapping[Registry, Outcome]) -> bool:
    return outcomes.get(Registry.INVOICE_REGISTRATIONS, Outcome.MATCHES) is Outcome.MATCHES


def _bare(name: str) -> str:
    plain = _BLANKS.sub("", unicodedata.normalize("NFKC", name)).casefold()
    for short, long in _FORMS.items():
        plain = plain.replace(short, long)
    return plain


def _email_fault(email: str) -> str | None:
    return rules.email_fault(email) if email else "must be an e-mail address"
