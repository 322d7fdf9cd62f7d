"""Copies that differ by grant, and whom a leak names: the right one, or nobody."""

import csv
import io
import random
from fractions import Fraction

import pytest

from marketplace.delivery.tracing import marking, matching, reading
from marketplace.delivery.tracing.marking import Pools
from marketplace.delivery.tracing.matching import ERROR_MAX, WAYS, Leak
from marketplace.delivery.tracing.reading import NoTable

KEY = bytes(range(32))
SHA256 = "ab" * 32
GRANTS = [f"grt_{number:032x}" for number in range(200)]
SEEDS = {grant: marking.seed_of(KEY, grant, SHA256) for grant in GRANTS}
GUILTY = GRANTS[137]
WAYS_TO_WRITE = pytest.mark.parametrize(
    ("encoding", "ending", "delimiter"),
    [("utf-8", "\n", ","), ("utf-8-sig", "\r\n", ","), ("cp932", "\r\n", ","), ("euc_jp", "\n", "\t")],
    ids=["utf-8", "utf-8 with mark", "cp932", "euc"],
)


def table_of(rows):
    """Footfall of so many places and hours, as bytes."""
    dice = random.Random(7)
    lines = ["日時,地点,人数,気温,番号"]
    for number in range(rows):
        place = f'"{number % 40}番街, 表口"' if number % 7 == 0 else f"{number % 40}番街ソ"
        day = f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}"
        lines.append(f"{day},{place},{dice.randrange(5000)},{dice.randrange(400)},{number}")
    return "\n".join([*lines, ""]).encode()


SOURCE = reading.split(table_of(2000))
POOLS = Pools.of(SOURCE.table)


def leak_of(content):
    return Leak.of(reading.read(content), SOURCE.table)


def accused_by_order(content):
    leak = leak_of(content)
    scores = {grant: matching.order_score(leak, seed) for grant, seed in SEEDS.items()}
    return matching.named(scores, len(GRANTS) * WAYS)


def accused_by_canaries(content):
    leak = leak_of(content)
    scores = {grant: matching.canary_score(leak, POOLS, seed) for grant, seed in SEEDS.items()}
    return matching.named(scores, len(GRANTS))


def part_of(content, first, last, *, head=True):
    """Some lines of a text, below its first."""
    lines = content.splitlines(keepends=True)
    return b"".join([*(lines[:1] if head else []), *lines[first:last]])


def rewritten(content, columns=None):
    """The same rows by another program: other encoding, quoting, line ends and delimiter, perhaps fewer columns."""
    rows = list(csv.reader(io.StringIO(content.decode())))
    kept = [[row[column] for column in columns] if columns else row for row in rows]
    text = io.StringIO()
    csv.writer(text, delimiter="\t", quoting=csv.QUOTE_ALL).writerows(kept)
    return text.getvalue().encode("cp932")


def test_a_reordered_copy_has_the_same_rows_byte_for_byte():
    copy = marking.reordered(SOURCE, SEEDS[GUILTY])
    before, after = table_of(2000).splitlines(), copy.splitlines()
    assert after[0] == before[0]
    assert after != before
    assert sorted(after) == sorted(before)


def test_a_copy_is_the_same_whenever_it_is_made_and_another_for_each_grant():
    for make in (marking.reordered, marking.with_canaries):
        assert make(SOURCE, SEEDS[GUILTY]) == make(SOURCE, SEEDS[GUILTY])
        assert len({make(SOURCE, SEEDS[grant]) for grant in GRANTS[:20]}) == 20
    assert marking.seed_of(KEY, GUILTY, "cd" * 32) != SEEDS[GUILTY] != marking.seed_of(bytes(32), GUILTY, SHA256)


def test_a_copy_with_markers_has_all_rows_in_their_order_and_a_few_that_nobody_measured():
    copy = marking.with_canaries(SOURCE, SEEDS[GUILTY]).splitlines()
    there = set(table_of(2000).splitlines())
    assert [line for line in copy if line in there] == table_of(2000).splitlines()
    added = reading.read(b"\n".join([copy[0], *(line for line in copy if line not in there)]))
    assert len(added.rows) == 20
    for row in added.rows:
        assert all(cell in pool for cell, pool in zip(row, POOLS.columns, strict=True))


@WAYS_TO_WRITE
def test_encoding_line_ends_preamble_and_trailing_lines_stay(encoding, ending, delimiter):
    lines = ["#LINK", "列,値".replace(",", delimiter), *(f"ソ{n}{delimiter}{n % 3}" for n in range(50))]
    content = (ending.join(lines) + ending * 3).encode(encoding)
    for make in (marking.reordered, marking.with_canaries):
        copy = make(reading.split(content), SEEDS[GUILTY])
        head = ending.join(lines[:2]).encode(encoding)
        assert copy.startswith(head)
        assert copy.endswith(ending.encode() * 3)
        assert set(content.splitlines()) <= set(copy.splitlines())
        assert copy.decode(encoding).count(ending) == copy.count(b"\n")
        assert reading.read(copy).names == ("列", "値")
    assert copy.decode(encoding).count("\ufeff") == 0


def test_a_row_with_a_line_break_is_moved_as_one_and_a_last_row_without_its_end_gets_one():
    content = b'a,b\n1,"x\ny"\n2,z\n3,w'
    copies = {marking.reordered(reading.split(content), seed) for seed in SEEDS.values()}
    assert len(copies) == 6
    assert all(b'1,"x\ny"\n' in copy for copy in copies)
    assert all(len(copy) == len(content) + 1 for copy in copies)


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n", b'a,b\n1,"x\n', "a,b\n1,2\n".encode("utf-16"), b"\x80\x81\xff\n1\n", b"a\n1\n\n2\n"],
    ids=["empty", "no rows", "open quotation", "utf-16", "no text", "a gap"],
)
def test_what_is_no_table_of_rows_is_not_taken_apart(content):
    with pytest.raises(NoTable):
        reading.split(content)


def test_what_has_no_other_rows_gets_no_markers():
    with pytest.raises(NoTable):
        marking.with_canaries(reading.split(b"a\n1\n2\n"), SEEDS[GUILTY])


def test_five_percent_of_a_reordered_copy_name_the_grant_among_two_hundred():
    copy = marking.reordered(SOURCE, SEEDS[GUILTY])
    for leaked in (part_of(copy, 1, 101), part_of(copy, 900, 1000), part_of(copy, 500, 600, head=False)):
        assert accused_by_order(leaked) == [GUILTY]
        assert accused_by_order(rewritten(leaked)) == [GUILTY]


def test_rows_picked_here_and_there_and_fewer_columns_name_it_too():
    copy = marking.reordered(SOURCE, SEEDS[GUILTY])
    lines = copy.splitlines(keepends=True)
    picked = b"".join([lines[0], *lines[1::20]])
    assert accused_by_order(picked) == [GUILTY]
    assert accused_by_order(rewritten(picked, columns=(2, 0, 3))) == [GUILTY]


def test_a_leak_mixed_with_rows_of_elsewhere_and_shuffled_in_small_parts_still_names_it():
    dice = random.Random(3)
    lines = marking.reordered(SOURCE, SEEDS[GUILTY]).splitlines(keepends=True)[1:601]
    blocks = [lines[start : start + 20] for start in range(0, len(lines), 20)]
    for block in blocks:
        dice.shuffle(block)
    invented = b"2026-01-01,nowhere,1,1,x\n"
    assert accused_by_order(invented + b"".join(b"".join(block) + invented for block in blocks)) == [GUILTY]


@pytest.mark.parametrize("number", range(5))
def test_a_leak_without_an_order_and_one_of_the_source_name_nobody(number):
    lines = marking.reordered(SOURCE, SEEDS[GUILTY]).splitlines(keepends=True)
    shuffled = lines[1:]
    random.Random(number).shuffle(shuffled)
    assert accused_by_order(lines[0] + b"".join(shuffled)) == []
    assert accused_by_order(lines[0] + b"".join(sorted(lines[1:101]))) == []
    assert accused_by_order(table_of(2000)) == []


def test_too_few_rows_name_nobody():
    copy = marking.reordered(SOURCE, SEEDS[GUILTY])
    assert accused_by_order(part_of(copy, 1, 41)) == []


def test_the_copy_of_a_grant_that_nobody_compares_names_no_other():
    stranger = marking.seed_of(KEY, "grt_" + "f" * 32, SHA256)
    assert accused_by_order(marking.reordered(SOURCE, stranger)) == []
    assert accused_by_canaries(marking.with_canaries(SOURCE, stranger)) == []


def test_part_of_a_copy_with_markers_names_the_grant_or_nobody_in_any_order():
    copy = marking.with_canaries(SOURCE, SEEDS[GUILTY])
    lines = copy.splitlines(keepends=True)
    outcomes = []
    for start in range(1, 2001, 100):
        leaked = lines[start : start + 100]
        random.Random(start).shuffle(leaked)
        outcomes.append(accused_by_canaries(rewritten(lines[0] + b"".join(leaked))))
    assert all(outcome in ([], [GUILTY]) for outcome in outcomes)
    assert outcomes.count([GUILTY]) >= 8
    assert accused_by_canaries(copy) == [GUILTY]


def test_two_who_put_their_copies_together_are_both_named_by_markers():
    both = [marking.with_canaries(SOURCE, SEEDS[grant]) for grant in (GUILTY, GRANTS[3])]
    assert sorted(accused_by_canaries(both[0] + part_of(both[1], 1, None, head=False))) == sorted([GUILTY, GRANTS[3]])


def test_the_chance_is_that_of_a_fair_coin():
    copy = marking.reordered(SOURCE, SEEDS[GUILTY])
    guilty = matching.order_score(leak_of(part_of(copy, 1, 101)), SEEDS[GUILTY])
    assert (guilty.hits, guilty.of, guilty.chance) == (50, 50, Fraction(1, 2**50))
    leak = leak_of(table_of(2000))
    scores = [matching.order_score(leak, seed) for seed in SEEDS.values()]
    heads = sum(score.hits for score in scores)
    assert abs(heads * 2 - sum(score.of for score in scores)) < sum(score.of for score in scores) // 20
    assert min(score.chance for score in scores) > ERROR_MAX


def test_markers_out_of_few_values_are_no_evidence():
    small = reading.split(("a,b\n" + "".join(f"{n % 3},{n % 2}\n" for n in range(0, 60, 7))).encode())
    pools = Pools.of(small.table)
    seed = SEEDS[GUILTY]
    try:
        copy = marking.with_canaries(small, seed)
    except NoTable:
        copy = b"a,b\n2,2\n0,0\n"
    score = matching.canary_score(Leak.of(reading.read(copy), small.table), pools, seed)
    assert score.chance > ERROR_MAX
