"""The charged bytes against an oracle that keeps a set of single bytes."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.metering import queries
from marketplace.metering import service as metering
from marketplace.metering.models import Coverage
from tests.factories.metering import entitlement_of

SIZE = 60
QUICK = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
spans = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(sorted)


downloads = st.lists(
    st.tuples(spans, st.integers(0, SIZE), st.sampled_from(["complete", "broken", "stalled"]), st.booleans()),
    max_size=10,
)


@QUICK
@given(plan=downloads)
def test_any_order_of_opening_and_closing_charges_the_union_of_what_was_acknowledged(session, plan):
    savepoint = session.begin_nested()
    entitlement, seen, running = entitlement_of(size_bytes=SIZE), set(), []
    for (first, end), acked, outcome, at_once in plan:
        opened = metering.open_delivery(entitlement, first, end - first, None)
        assert opened.reserved_bytes == len(set(range(first, end)) - seen)
        running.append((opened, min(acked, end - first), outcome))
        while at_once and running:
            seen |= close(*running.pop(0), seen)
    for each in reversed(running):
        seen |= close(*each, seen)
    quota = queries.get_quota(entitlement.grant_id)
    assert (quota.used_bytes, quota.reserved_bytes) == (len(seen), 0)
    stored = session.get(Coverage, (entitlement.grant_id, entitlement.sha256), populate_existing=True)
    assert {n for part in (stored.ranges if stored else ()) for n in range(part.lower, part.upper)} == seen
    savepoint.rollback()


def close(opened, acked, outcome, seen):
    received = set(range(opened.start_byte, opened.start_byte + acked))
    usage = metering.close_delivery(opened.id, acked, acked, outcome)
    assert usage.bytes_new == len(received - seen) <= usage.bytes_acked == acked
    assert (usage.state == "complete") == (acked == opened.length)
    return received
