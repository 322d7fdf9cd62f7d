"""Let what the machine of money compares be told when it differs."""

import pytest

pytest.register_assert_rewrite(
    "tests.properties.money_checks", "tests.properties.money_model", "tests.properties.money_world"
)
