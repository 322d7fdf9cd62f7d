"""What reputation refuses."""

from marketplace.kit.errors import Forbidden


class RaterInvolved(Forbidden):
    """A rating by somebody who gains from the sale."""

    slug = "rater-involved"
    title, title_ja = "You have a part in this dataset", "このデータセットの関係者です"
    cause = "Your organization shares in the revenue of this dataset, or manages its provider's listings."
    cause_ja = "貴組織は、このデータセットの収益の分配を受けているか、提供者の掲載を管理しています。"
    cure = "Leave the rating to buyers who have no part in it."
    cure_ja = "評価は、利害関係のない購入者に任せてください。"
