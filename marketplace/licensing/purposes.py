"""Declared purposes (利用用途): whether the terms permit what somebody says the data are for. Pure."""

from marketplace.licensing.errors import PurposeNotPermitted, PurposeUnknown
from marketplace.licensing.states import UseApplication
from marketplace.licensing.terms import UsageTerms


def read(declared: str) -> UseApplication:
    """Return the purpose that a code of item 13030 names; raises PurposeUnknown."""
    try:
        return UseApplication(declared.strip())
    except ValueError as error:
        raise PurposeUnknown(
            errors=[{"pointer": "/purpose", "detail": f"one of {', '.join(UseApplication)}"}]
        ) from error


def require(terms: UsageTerms, purpose: UseApplication) -> None:
    """Refuse a purpose that the terms do not permit; raises PurposeNotPermitted, which names those they do.

    What they leave to agreement (個別調整) is permitted to who declares just that: the agreement itself is not here.
    """
    permitted = [choice.code for choice in terms.use_application]
    if UseApplication.NO_LIMIT not in permitted and purpose not in permitted:
        raise PurposeNotPermitted(purpose=purpose.value, permitted=[code.value for code in permitted])
