"""Signed notes: what is written is read again, and whatever is not exactly that is refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from marketplace.kit import notes
from marketplace.kit.notes import BadKey, BadNote, Checkpoint, Note

LOG, WITNESS = "data.city.sapporo.example/audit", "witness.example"
PRIVATE, SEEN = Ed25519PrivateKey.from_private_bytes(b"\1" * 32), Ed25519PrivateKey.from_private_bytes(b"\2" * 32)
KEY, WITNESS_KEY = notes.key_of(LOG, PRIVATE), notes.key_of(WITNESS, SEEN, notes.COSIGNATURE)
TREE = Checkpoint(LOG, 20852163, b"\7" * 32)


def signed(tree: Checkpoint = TREE) -> Note:
    return Note(tree.text, (notes.sign(LOG, PRIVATE, tree.text), notes.cosign(WITNESS, SEEN, tree.text, 1679315147)))


def test_a_note_is_read_as_it_was_written() -> None:
    note = notes.read(signed().written)
    assert note == signed()
    assert notes.verified(note, [KEY, WITNESS_KEY]) == {KEY: None, WITNESS_KEY: 1679315147}
    assert notes.opened(note.written, [KEY]) == TREE
    assert notes.read_signatures(note.signatures[1].line) == note.signatures[1:]


def test_keys_are_read_as_people_pass_them_on() -> None:
    assert [notes.read_key(key.text) for key in (KEY, WITNESS_KEY)] == [KEY, WITNESS_KEY]
    # The example of C2SP signed-note and of golang.org/x/mod/sumdb/note.
    known = notes.read_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    assert (known.name, known.kind, known.id.hex()) == ("PeterNeumann", 1, "c74f20a3")


def test_a_note_that_a_go_program_signed_is_verified() -> None:
    known = notes.read_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    assert notes.verified(notes.read(text), [known]) == {known: None}


@pytest.mark.parametrize(
    "wrong",
    [
        "", "\n", TREE.text, f"{TREE.text}\n", signed().written[:-1], signed().written.replace("\u2014", "-"),
        signed().written.replace(LOG, f"{LOG} ", 2), f"{signed().written}\u2014 a\n", f"{signed().written}\u2014 a AAAA\n",
        f"\t{signed().written}", f"{TREE.text}\n\u2014 a+b AAAAAAAA\n",
        f"{TREE.text}\n" + "\u2014 a AAAAAAAA\n" * 101, "x" * 2**21,
    ],
    ids=range(13),
)  # fmt: skip
def test_what_is_no_note_is_refused(wrong: str) -> None:
    with pytest.raises(BadNote):
        notes.read(wrong)


def test_a_text_that_was_altered_is_refused_and_one_that_nobody_known_signed() -> None:
    altered = signed().written.replace("20852163", "20852164")
    for key in (KEY, WITNESS_KEY):
        with pytest.raises(BadNote, match="not of this text"):
            notes.verified(notes.read(altered), [key])
    stranger = notes.key_of(LOG, SEEN)
    assert notes.verified(notes.read(signed().written), [stranger]) == {}
    with pytest.raises(BadNote, match="none of the known keys"):
        notes.opened(signed().written, [stranger])


def test_the_time_of_a_witness_is_signed_as_well() -> None:
    line = signed().signatures[1]
    later = line._replace(value=(1679315148).to_bytes(8) + line.value[8:])
    with pytest.raises(BadNote):
        notes.verified(Note(TREE.text, (later,)), [WITNESS_KEY])


@pytest.mark.parametrize(
    "wrong",
    [
        "", "a+b", KEY.text.replace(KEY.id.hex(), "00000000"), KEY.text[:-1], f"a b+{KEY.text.split('+', 1)[1]}",
        KEY.text.replace("+A", "+B"),
    ],
    ids=range(6),
)  # fmt: skip
def test_what_is_no_key_is_refused(wrong: str) -> None:
    with pytest.raises(BadKey):
        notes.read_key(wrong)


@pytest.mark.parametrize("wrong", ["", "a\n1\n", "a\n01\nAAAA\n", f"a\n-1\n{TREE.text.split()[2]}\n", "a\n1\nAAAA\n"])
def test_what_is_no_checkpoint_is_refused(wrong: str) -> None:
    with pytest.raises(BadNote):
        notes.read_checkpoint(wrong)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (notes.read, notes.read_checkpoint):
        try:
            read(text)
        except BadNote:
            continue
