"""What private groups refuse."""

from marketplace.kit.errors import Conflict


class MemberNotOpen(Conflict):
    """An organization that cannot be named: unknown, not verified, or the owner itself; all look alike."""

    slug = "group-member-not-open"
    title, title_ja = "Cannot be in the group", "この組織はグループに加えられません"
    cause = "The organization is not a verified one that takes part, or it is the owner of the group."
    cure = "Ask the organization for its id, and whether it has been verified."
    cause_ja = "参加中の審査済みの組織ではないか、グループの所有者自身です。"
    cure_ja = "組織のIDと、審査が済んでいるかを相手に確かめてください。"


class GroupFull(Conflict):
    """More members than a group may have."""

    slug = "group-full"
    title, title_ja = "Group full", "グループの上限に達しています"
    cause = "The group has as many members and invitations as one may have, or you have as many groups; see `most`."
    cure = "Remove members who need it no longer, or make another group."
    cause_ja = "グループの組織数（招待を含む）、またはグループ数が上限です。most が上限です。"
    cure_ja = "不要になった組織を外すか、別のグループを使ってください。"


class GroupInUse(Conflict):
    """A group that cannot go while datasets are listed to it: ``datasets`` names the newest of them."""

    slug = "group-in-use"
    title, title_ja = "Group in use", "グループは使用中です"
    cause = "Datasets are listed to this group; `datasets` names the newest of them."
    cure = "Give these datasets another audience, or withdraw them."
    cause_ja = "このグループに限定して公開しているデータセットがあります。datasets がその新しいものです。"
    cure_ja = "そのデータセットの公開範囲を変えるか、取り下げてください。"
