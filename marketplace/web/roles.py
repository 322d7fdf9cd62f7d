"""What a member's role lets them do, in a word."""

from marketplace.identity.states import MemberRole
from marketplace.web.language import say

WORDS: dict[MemberRole, tuple[str, str]] = {
    MemberRole.OWNER: ("組織の管理者", "owner"),
    MemberRole.CATALOGUE_EDITOR: ("カタログ編集者", "catalogue editor"),
    MemberRole.BUYER: ("購入担当", "buyer"),
    MemberRole.FINANCE: ("経理担当", "finance"),
    MemberRole.DEVELOPER: ("開発者", "developer"),
    MemberRole.REVIEWER: ("審査担当", "reviewer"),
    MemberRole.AUDITOR: ("監査担当", "auditor"),
}
"""Japanese and English, for every role."""


def words(role: str) -> str:
    """Return the name of a role in the reader's language."""
    return say(*WORDS[MemberRole(role)])
