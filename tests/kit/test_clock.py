"""The clock: stopped for one thread, or moved for the whole process."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from marketplace.kit import clock

NEW_YEAR = datetime(2028, 1, 1, tzinfo=clock.JST)


def test_a_moved_clock_stands_still_for_all_threads_until_it_is_moved() -> None:
    with clock.moved(NEW_YEAR) as hands, ThreadPoolExecutor(1) as other:
        assert clock.now() == clock.now() == other.submit(clock.now).result() == NEW_YEAR
        assert clock.now().tzinfo is UTC
        hands.move_to(NEW_YEAR + timedelta(days=59))
        assert other.submit(clock.today).result().isoformat() == "2028-02-29"
    assert clock.now().year != 2028


def test_a_moved_clock_runs_forward_only_and_is_in_one_hand() -> None:
    with clock.moved(NEW_YEAR) as hands:
        with pytest.raises(ValueError, match="backwards"):
            hands.move_to(NEW_YEAR - timedelta(seconds=1))
        with pytest.raises(RuntimeError, match="in somebody's hand"), clock.moved(NEW_YEAR):
            pass
        assert clock.now() == NEW_YEAR
    with pytest.raises(ValueError, match="not ours any more"):
        hands.move_to(NEW_YEAR)


def test_a_thread_may_be_stopped_within_a_moved_clock() -> None:
    with clock.moved(NEW_YEAR), clock.stopped(NEW_YEAR - timedelta(minutes=1)):
        assert clock.now() == NEW_YEAR - timedelta(minutes=1)
