"""Datasets that are about the same: those that share the rarest words with a title and its tags."""

from collections.abc import Sequence
from typing import Any

from marketplace.catalog import words
from marketplace.catalog.entries import HEAD, schema
from marketplace.catalog.narrowing import any_term
from marketplace.catalog.sighted import Sighted

WORDS_MAX = 12
"""So many words are asked for: what it costs grows with them, not with the text."""
RAREST_POINTS = 24
"""What a word is worth that nobody else has; each doubling of those who have it takes one away."""


def nearest(searcher: Sighted, texts: Sequence[str], but: str, size: int) -> list[str]:
    """Return the ids of documents that share a third of the words or more, by the rarity of what is shared."""
    from tantivy import Occur, Query

    # The head holds the titles too.
    wanted = [_weighed(searcher, any_term(schema(), [HEAD], word.forms)) for word in telling(texts)]
    if not wanted:
        return []
    query = Query.boolean_query([(Occur.Should, one) for one in wanted], (len(wanted) + 2) // 3)
    found = searcher.search(query, size + 1, count=False).hits
    ids = [str(searcher.doc(at)["id"][0]) for _score, at in found]
    return [one for one in ids if one != but][:size]


def _weighed(searcher: Sighted, query: Any) -> Any:
    """Return a query that scores the less, the more documents its reader sees that have it.

    The index's own measure of rarity counts what is hidden too: the order of the others would tell of it.
    """
    from tantivy import Query

    common = int(searcher.search(query, 1).count).bit_length()
    return Query.boost_query(Query.const_score_query(query, 1.0), float(max(1, RAREST_POINTS - common)))


def telling(texts: Sequence[str]) -> list[words.Word]:
    """Return the words of texts that tell what they are about, each once, the first texts first."""
    found = (word for text in texts for word in words.read_query(text, WORDS_MAX).parts if not word.particle)
    return list(dict.fromkeys(found))[:WORDS_MAX]
