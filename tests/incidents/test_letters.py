"""Under which law the authority is told."""

import pytest

from marketplace.identity.states import OrganizationKind
from marketplace.incidents import letters
from marketplace.incidents.models import Incident
from marketplace.incidents.states import IncidentKind
from marketplace.kit import clock


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        (OrganizationKind.MUNICIPALITY, "個人情報保護法第68条に"),
        (OrganizationKind.PUBLIC_BODY, "個人情報保護法（第26条または第68条）に"),
        (OrganizationKind.UNIVERSITY, "個人情報保護法第26条に"),
        (OrganizationKind.COMPANY, "個人情報保護法第26条に"),
    ],
)
def test_the_letter_names_the_article_that_binds_the_operator(kind: OrganizationKind, law: str) -> None:
    now = clock.now()
    incident = Incident(
        id="inc_1", kind=IncidentKind.LEAK.value, began_at=now, noticed_at=now, summary_ja="概要", summary_en="Summary"
    )
    body = letters.to_authority(incident, kind.value).body
    assert law in body
    assert body.count("条") == law.count("条")
