"""The keys in letters by which whoever gets them ends them without signing in."""

import hmac
from hashlib import sha256

from marketplace.kit import installation_key
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id


def made(letters: str, of_id: str) -> str:
    """Return the key for one kind of letters about one thing: HMAC-SHA256, in hex; nobody can guess another's."""
    return hmac.new(installation_key.derived(letters), of_id.encode("utf-8", "replace"), sha256).hexdigest()


def require(letters: str, of_id: str, key: str) -> None:
    """Raise NotFound for a key that is another's, or of nothing."""
    is_right = hmac.compare_digest(key.encode("utf-8", "replace"), made(letters, of_id).encode())
    if not (is_right and is_id(of_id)):
        raise NotFound
