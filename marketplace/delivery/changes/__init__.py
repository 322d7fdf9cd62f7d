"""What changed in a table from one release to the next: found in a confined process of its own, once."""

from marketplace.delivery.changes.parent import CHANGE_TYPE, NotComparable, compare

__all__ = ["CHANGE_TYPE", "NotComparable", "compare"]
