"""CKAN's organizations, groups, tags and licences, from publishers, themes, keywords and licence codes. Pure."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from marketplace.catalog.states import LICENCE_LABELS, THEME_LABELS, Licence, Theme

_TAGS = uuid.UUID("0f7d4a0e-5d0a-5b53-8f6e-2b0f1c1d9a44")
# As CKAN's own validators have it (tag_length_validator, tag_name_validator).
_TAG = re.compile(r"[\w \-.]{2,100}")
_OPEN = frozenset({Licence.CC_BY, Licence.CC_BY_SA, Licence.CC0, Licence.PUBLIC_DOMAIN, Licence.GOVERNMENT_2})
_CC = "https://creativecommons.org/licenses"
_URLS = {
    Licence.CC_BY: f"{_CC}/by/4.0/",
    Licence.CC_BY_SA: f"{_CC}/by-sa/4.0/",
    Licence.CC_BY_ND: f"{_CC}/by-nd/4.0/",
    Licence.CC_BY_NC: f"{_CC}/by-nc/4.0/",
    Licence.CC_BY_NC_SA: f"{_CC}/by-nc-sa/4.0/",
    Licence.CC_BY_NC_ND: f"{_CC}/by-nc-nd/4.0/",
    Licence.CC0: "https://creativecommons.org/publicdomain/zero/1.0/",
    Licence.PUBLIC_DOMAIN: "https://creativecommons.org/publicdomain/mark/1.0/",
    Licence.GOVERNMENT_2: "https://cio.go.jp/policy-opendata",
}


def organization(publisher: Mapping[str, Any]) -> dict[str, Any]:
    """Return a publisher as packages show it; its name is its id, which never changes."""
    return {
        "id": publisher["id"],
        "name": publisher["id"],
        "title": publisher["name_ja"] or publisher["name_en"],
        "title_translated": {"ja": publisher["name_ja"], "en": publisher["name_en"]},
        "type": "organization",
        "description": "",
        "image_url": "",
        "image_display_url": "",
        "is_organization": True,
        "approval_status": "approved",
        "state": "active",
    }


def group(theme: str) -> dict[str, Any]:
    """Return a theme as a group."""
    title = THEME_LABELS[Theme(theme)] if theme in set(Theme) else None
    return {
        "id": theme,
        "name": theme,
        "title": title.ja if title else theme,
        "display_name": title.ja if title else theme,
        "title_translated": {"ja": title.ja if title else theme, "en": title.en if title else theme},
        "description": "",
        "image_display_url": "",
    }


def shown(thing: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return an organization or a group as its own action shows it."""
    return dict(thing) | {
        "display_name": thing["title"],
        "package_count": count,
        "num_followers": 0,
        "extras": [],
        "groups": [],
        "tags": [],
        "users": [],
        "is_organization": thing.get("is_organization", False),
        "type": thing.get("type", "group"),
        "state": "active",
        "approval_status": "approved",
    }


def is_tag(word: str) -> bool:
    """Tell whether CKAN takes a keyword for a tag; a portal that harvests refuses the dataset of any other."""
    return bool(_TAG.fullmatch(word))


def tag(word: str) -> dict[str, Any]:
    """Return a keyword as a tag."""
    named = str(uuid.uuid5(_TAGS, word))
    return {"id": named, "name": word, "display_name": word, "state": "active", "vocabulary_id": None}


def licence(code: str | None) -> dict[str, Any] | None:
    """Return what is known of a licence by its code, None for none."""
    if code not in set(Licence):
        return None
    found = Licence(code)
    label = LICENCE_LABELS[found]
    return {
        "id": found.value,
        "title": f"{label.ja} / {label.en}",
        "url": _URLS.get(found, ""),
        "is_open": found in _OPEN,
    }


def licences() -> list[dict[str, Any]]:
    """Return all licences as license_list does."""
    return [_listed(code) for code in Licence]


def _listed(code: Licence) -> dict[str, Any]:
    known = licence(code.value)
    is_open = code in _OPEN
    return (known or {}) | {
        "status": "active",
        "maintainer": "",
        "family": "",
        "is_okd_compliant": is_open,
        "is_osi_compliant": False,
        "od_conformance": "approved" if is_open else "not reviewed",
        "osd_conformance": "not reviewed",
        "domain_content": True,
        "domain_data": True,
        "domain_software": False,
        "is_generic": code is Licence.OTHER,
    }
