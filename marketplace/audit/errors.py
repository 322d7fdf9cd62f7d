"""What the record refuses."""

from marketplace.kit.errors import Conflict


class HoldLifted(Conflict):
    """A legal hold that was lifted is not lifted again."""

    slug = "hold-lifted"
    title, title_ja = "Hold lifted already", "保全はすでに解除されています"
    cause = "The legal hold was lifted before, for the reason that is kept with it."
    cure = "Place another hold where something must be kept again."
    cause_ja = "この法的保全は、記録された理由によりすでに解除されています。"
    cure_ja = "再び保全が必要な場合は、新しい保全を設定してください。"
