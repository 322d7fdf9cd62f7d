"""How an organization stands to a group."""

from enum import StrEnum


class Membership(StrEnum):
    """Only a member sees what is listed to the group; whoever is invited sees the invitation."""

    INVITED = "invited"
    MEMBER = "member"
