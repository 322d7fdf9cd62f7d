"""What a sandbox may be told."""

from typing import Any

import pytest

from marketplace.sandbox.config import Knobs, SandboxConfig


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook_url": "http://127.0.0.1/hook"},
        {"webhook_url": "ftp://127.0.0.1/hook", "webhook_secret": "whsec_x"},
        {"api_key": "sk_live_x"},
        {"fee_basis_points": 10_000},
        {"fee_basis_points": -1},
    ],
)
def test_contradictions_are_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"webhook|live|fee"):
        SandboxConfig(**wrong)


def test_each_sandbox_has_knobs_of_its_own_at_rest() -> None:
    assert SandboxConfig().knobs == Knobs()
    assert SandboxConfig().knobs is not SandboxConfig().knobs
