"""The reader's language: what the address asks for, or what the browser prefers."""

from urllib.parse import urlencode

from flask import request

from marketplace.kit.language import Language, preferred

NAMES: dict[Language, str] = {"ja": "日本語", "en": "English"}


def asked() -> Language | None:
    """Return the language that the address names in ``?lang=``, None where it names none of ours."""
    word = request.args.get("lang", "")
    return next((language for language in NAMES if language == word), None)


def chosen() -> Language:
    """Return the language of the page: the address decides before the browser; English where neither does."""
    return asked() or preferred(request.accept_languages)


def say(ja: str, en: str) -> str:
    """Return the text in the reader's language."""
    return ja if chosen() == "ja" else en


def link(path: str, query: list[tuple[str, str]] | None = None) -> str:
    """Return an address within the exchange that keeps a language which the reader has chosen by hand."""
    kept = asked()
    pairs = [*(query or []), *([("lang", kept)] if kept else [])]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def switch(language: Language) -> str:
    """Return the address of this same page in a language."""
    pairs = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
    # Only the query: the page stays where it is, whatever its path looks like.
    return "?" + urlencode([*pairs, ("lang", language)])
