"""Whether data of a class may be offered from a dataset: the class alone, what was found, what its provider states."""

from marketplace.kit import settings
from marketplace.privacy import queries, rules
from marketplace.privacy.errors import AnonymisationUnpublished, BasisMissing, PrivacyClassNotListable
from marketplace.privacy.states import PrivacyClass


def require(dataset_id: str, privacy_class: PrivacyClass, pointer: str) -> None:
    """Refuse what the law does not let go to third parties.

    Raises PrivacyClassNotListable, whatever else is stated, AnonymisationUnpublished or BasisMissing.
    """
    reason = rules.listing_refusal(privacy_class)
    if reason is not None and not (privacy_class in rules.PERSONAL and settings.current().personal_data_offers):
        raise PrivacyClassNotListable(
            reason,
            errors=[{"pointer": pointer, "detail": f"the terms state {privacy_class.ja}"}],
            privacy_class=privacy_class.value,
        )
    statement = queries.find_statement(dataset_id)
    if privacy_class in rules.PROCESSED:
        told = statement is not None and rules.is_published(
            statement.items, (statement.method_ja, statement.method_en), statement.standards
        )
        if not told:
            raise AnonymisationUnpublished
    is_personal = privacy_class in rules.PERSONAL
    if is_personal and (statement is None or statement.basis is None):
        raise BasisMissing
    if not is_personal and queries.holds_personal_data(dataset_id):
        raise BasisMissing(privacy_class=privacy_class.value)
