"""What a group may be called, and how large it gets."""

from dataclasses import dataclass

from marketplace.kit.errors import Invalid

NAME_LENGTH_MAX = 200
MEMBERS_MAX = 1_000
GROUPS_MAX = 200


@dataclass(frozen=True, slots=True)
class GroupDraft:
    """What its owner calls a group, in one language at least."""

    name_ja: str = ""
    name_en: str = ""


def check_draft(draft: GroupDraft) -> GroupDraft:
    """Return the draft without blanks around; raises Invalid."""
    names = {"name_ja": draft.name_ja.strip(), "name_en": draft.name_en.strip()}
    errors = [
        {"pointer": f"/{name}", "detail": f"must be one line of at most {NAME_LENGTH_MAX} characters"}
        for name, value in names.items()
        if len(value) > NAME_LENGTH_MAX or not all(sign.isprintable() for sign in value)
    ]
    if not any(names.values()):
        errors.append({"pointer": "/name_ja", "detail": "must be named in Japanese or English"})
    if errors:
        raise Invalid(errors=errors)
    return GroupDraft(**names)
