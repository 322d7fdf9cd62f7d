"""Who may propose and approve what: somebody who may decide on overrides and may do the deed itself."""

from marketplace.identity.deeds import Permission
from marketplace.identity.overrides.states import OverrideDeed

PERMISSIONS = {
    OverrideDeed.REFUND: Permission.REFUNDS_MAKE,
    OverrideDeed.CORRECTION: Permission.USAGE_CORRECT,
    OverrideDeed.REINSTATEMENT: Permission.ORGANIZATION_JUDGE,
}
