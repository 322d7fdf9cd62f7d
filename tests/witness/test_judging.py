"""What a witness answers to whom: the statuses of C2SP tlog-witness, and no signature but the right one."""

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace.kit import merkle, notes
from marketplace.kit.notes import Checkpoint, Note
from marketplace.witness.judging import Verdict, Witness
from marketplace.witness.memory import Memory, MemoryUnusable

LOG, NAME = "data.city.sapporo.example/audit", "city.otaru.example/witness"
PRIVATE, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
SHORT = f'{{"{LOG}": {{"size": 3, "root": "AAAA"}}}}'


class Tree:
    """A log of the test's own."""

    def __init__(self, size: int, word: str = "札幌") -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}
        for position in range(size):
            leaf = merkle.leaf_hash(f"{word} {position}".encode())
            for level, at, value in merkle.grow(position, leaf, self.node):
                self.nodes[level, at] = value

    def node(self, level: int, position: int) -> bytes:
        return self.nodes[level, position]

    def submission(self, old: int, size: int, *, private: Ed25519PrivateKey = PRIVATE, origin: str = LOG) -> bytes:
        checkpoint = Checkpoint(origin, size, merkle.root(size, self.node))
        note = Note(checkpoint.text, (notes.sign(origin, private, checkpoint.text),)).written
        path = merkle.consistency(old, size, self.node) if old <= size else []
        steps = "".join(f"{base64.b64encode(step).decode()}\n" for step in path)
        return f"old {old}\n{steps}\n{note}".encode()


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    logs = {LOG: [notes.key_of(LOG, PRIVATE)]}
    return Witness(NAME, OTHER, logs, Memory(tmp_path / "signed.json").begin())


def status(witness: Witness, submission: bytes) -> int:
    return int(witness.judge(submission).status)


def is_signed(witness: Witness, verdict: Verdict, checkpoint: Checkpoint) -> bool:
    note = Note(checkpoint.text, notes.read_signatures(verdict.text))
    return list(notes.verified(note, [witness.key])) == [witness.key]


def test_a_log_is_signed_step_by_step_and_again_where_it_has_not_grown(witness: Witness) -> None:
    tree = Tree(20)
    for old, size in ((0, 3), (3, 3), (3, 8), (8, 20)):
        verdict = witness.judge(tree.submission(old, size))
        assert verdict.status == 200, verdict
        assert is_signed(witness, verdict, Checkpoint(LOG, size, merkle.root(size, tree.node)))


def test_each_refusal_has_its_status_and_forgets_nothing(witness: Witness) -> None:
    tree, forged = Tree(20), Tree(20, "小樽")
    assert status(witness, tree.submission(0, 8)) == 200
    for submission, wanted in (
        (tree.submission(0, 20), 409),  # it does not go on from what was signed
        (tree.submission(5, 20), 409),
        (tree.submission(5, 5), 409),  # smaller than what was signed
        (forged.submission(8, 8), 409),  # of the same size, and another
        (forged.submission(8, 20), 422),  # larger, and another
        (tree.submission(20, 8), 400),
        (tree.submission(8, 20, private=OTHER), 403),
        (tree.submission(8, 20, origin="other.example/log"), 404),
    ):
        assert status(witness, submission) == wanted
    conflict = witness.judge(tree.submission(0, 20))
    assert (conflict.text, conflict.media_type) == ("8\n", "text/x.tlog.size")
    assert status(witness, tree.submission(8, 20)) == 200


@pytest.mark.parametrize(
    "submission",
    [
        b"", b"\n", b"old 1\n", b"old\n\n", b"old -1\n\nx", b"old 01\n\nx", b"\xff\xfe", b"old 0\nAAAA\n\nx\n1\nAAAA\n\nx",
        b"old 0\n" + b"A" * 43 + b"=\n" * 70 + b"\nx", "old ١\n\nx".encode(),
    ],
    ids=range(10),
)  # fmt: skip
def test_what_is_no_submission_is_refused(witness: Witness, submission: bytes) -> None:
    assert status(witness, submission) == 400


def test_of_two_trees_that_race_one_is_signed(tmp_path: Path) -> None:
    logs = {LOG: [notes.key_of(LOG, PRIVATE)]}
    witnesses = [Witness(NAME, OTHER, logs, Memory(tmp_path / "signed.json").begin()) for _ in range(8)]
    trees = [Tree(5, f"案{number}").submission(0, 5) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(status, witnesses, trees))
    assert sorted(found) == [200] + [409] * 7


def test_what_was_signed_outlives_the_witness(tmp_path: Path) -> None:
    logs = {LOG: [notes.key_of(LOG, PRIVATE)]}
    tree, forged = Tree(9), Tree(9, "小樽")
    assert status(Witness(NAME, OTHER, logs, Memory(tmp_path / "signed.json").begin()), tree.submission(0, 5)) == 200
    again = Witness(NAME, OTHER, logs, Memory(tmp_path / "signed.json"))
    assert status(again, forged.submission(0, 9)) == 409
    assert status(again, tree.submission(5, 9)) == 200


@pytest.mark.parametrize("told", ["{", "", "[]", '""', "null", f'{{"{LOG}": {{}}}}', f'{{"{LOG}": null}}', SHORT])
def test_a_memory_of_another_shape_signs_nothing(witness: Witness, tmp_path: Path, told: str) -> None:
    file = tmp_path / "signed.json"
    file.write_text(told)
    with pytest.raises(MemoryUnusable, match="others have seen"):
        witness.judge(Tree(3).submission(0, 3))
    assert file.read_text() == told


def test_a_memory_that_is_gone_signs_nothing(witness: Witness, tmp_path: Path) -> None:
    file = tmp_path / "signed.json"
    file.unlink()
    with pytest.raises(MemoryUnusable, match=r"signed\.json"):
        witness.judge(Tree(3).submission(0, 3))
    assert not file.exists()
