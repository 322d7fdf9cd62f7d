"""Ranges against an oracle that thinks in single bytes."""

from hypothesis import example, given
from hypothesis import strategies as st

from marketplace.delivery import ranges

positions = st.integers(0, 40)
spec = st.one_of(st.tuples(positions, positions), st.tuples(positions, st.none()), st.tuples(st.none(), positions))
spaces = st.sampled_from(["", " ", "\t", " ,"])


def write(pair):
    first, last = ("" if part is None else str(part) for part in pair)
    return f"{first}-{last}"


def bytes_asked_for(pair, size):
    first, last = pair
    if first is None:
        return set(range(max(0, size - last), size))
    return set(range(first, size if last is None else min(last + 1, size)))


def is_satisfiable(pair, size):
    first, last = pair
    return last > 0 if first is None else first < size


def oracle(specs, size):
    """What the RFC allows for a server without multipart: a set of bytes, 'unsatisfiable', or None."""
    if any(None not in pair and pair[0] > pair[1] for pair in specs):
        return None
    if not any(is_satisfiable(pair, size) for pair in specs):
        return "unsatisfiable"
    wanted = set().union(*(bytes_asked_for(pair, size) for pair in specs))
    if not wanted or wanted != set(range(min(wanted), max(wanted) + 1)):
        return None
    return wanted


@given(specs=st.lists(spec, min_size=1, max_size=5), size=st.integers(0, 30), gap=spaces)
@example(specs=[(None, 0)], size=5, gap="")
@example(specs=[(None, 3)], size=0, gap="")
@example(specs=[(0, 1), (2, 3)], size=9, gap=" ,")
def test_the_span_is_what_an_oracle_of_single_bytes_says(specs, size, gap):
    answer = ranges.select("bytes=" + f"{gap},{gap}".join(write(pair) for pair in specs), size)
    expected = oracle(specs, size)
    if isinstance(answer, ranges.Span):
        assert set(range(answer.start, answer.end)) == expected
    elif answer is None:
        assert expected is None
    else:
        assert expected == "unsatisfiable"


@given(field=st.one_of(st.text(), st.from_regex(r"bytes=[0-9,\- ]{0,60}", fullmatch=True)), size=st.integers(0, 2**62))
def test_no_field_whatever_breaks_the_reader_or_leaves_the_file(field, size):
    answer = ranges.select(field, size)
    if isinstance(answer, ranges.Span):
        assert answer.start >= 0
        assert answer.length > 0
        assert answer.end <= size


@given(first=st.integers(0, 10**30), length=st.integers(1, 10**30), size=st.integers(1, 2**60))
def test_large_numbers_are_exact_or_clipped_to_the_file(first, length, size):
    answer = ranges.select(f"bytes={first}-{first + length - 1}", size)
    if first >= size:
        assert answer is ranges.UNSATISFIABLE
    else:
        assert answer == ranges.Span(first, min(first + length, size) - first)
