"""Names that the protocol allows: no blank, slash or dot, at most 255 characters, alike whatever their case."""

import hashlib
import re

SCHEMA = "default"
_LENGTH_MAX = 200
_PLAIN = re.compile(r"(?P<stem>[\w-]+)\.(?P<extension>[A-Za-z0-9]{1,8})")
_FOREIGN = re.compile(r"[^\w-]+")


def share_of(dataset_id: str) -> str:
    """Return the name of a dataset's share: its id, which never changes, whatever becomes of its title."""
    return dataset_id


def dataset_of(share: str) -> str:
    """Return the id of the dataset whose share has this name."""
    return share.casefold()


def table_of(file_name: str) -> str:
    """Return the name of a file's table: ``people.csv`` is ``people_csv``.

    What else had to be changed is made up for by a piece of the name's hash, so that two files never share a name.
    """
    plain = _PLAIN.fullmatch(file_name)
    if plain is not None and len(file_name) <= _LENGTH_MAX:
        return f"{plain['stem']}_{plain['extension']}"
    digest = hashlib.sha256(file_name.casefold().encode()).hexdigest()[:8]
    return f"{_FOREIGN.sub('_', file_name)[:_LENGTH_MAX].strip('_')}_{digest}"
