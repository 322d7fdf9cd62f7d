"""What an upload must say of itself before its bytes come: pure functions."""

from dataclasses import dataclass

from marketplace.catalog import rules
from marketplace.kit.errors import Invalid, TooLarge

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass(frozen=True, slots=True)
class UploadDraft:
    """What a client announces: the file's name, type, size and, if it knows it, SHA-256 in hex."""

    release_id: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str | None = None
    announced: str = ""


def check_draft(draft: UploadDraft, size_bytes_max: int) -> None:
    """Return for what may become a file; raises FileNameUnsafe, Invalid or TooLarge."""
    rules.check_file_name(draft.name)
    rules.check_content(draft.media_type, draft.sha256 or EMPTY_SHA256, draft.size_bytes)
    if draft.size_bytes > size_bytes_max:
        raise TooLarge(f"A file may have at most {size_bytes_max} bytes.", limit_bytes=size_bytes_max)
    if draft.size_bytes == 0 and draft.sha256 not in {None, EMPTY_SHA256}:
        raise Invalid(errors=[{"pointer": "/sha256", "detail": "is not that of an empty file"}])
