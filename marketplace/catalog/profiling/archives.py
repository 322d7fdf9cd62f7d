"""Zip archives, judged by their directory before anything in them is unpacked."""

import struct
import zipfile
from typing import Any, BinaryIO

from marketplace.catalog.profiling.result import MIB, ProfileLimits, Unreadable

_END = b"PK\x05\x06"
_END_BYTES = 22
_COMMENT_MAX = 0xFFFF
_DIRECTORY_BYTES_MAX = 8 * MIB
_XML_NAMES = (".xml", ".rels", ".vml")
_DOCUMENT_TYPES = tuple("<!DOCTYPE".encode(code) for code in ("ascii", "utf-16-le", "utf-16-be"))
_RATIO_MATTERS_FROM = MIB


def opened(file: BinaryIO, size_bytes: int, limits: ProfileLimits) -> zipfile.ZipFile:
    """Return the archive once its directory is known to be small and its members to unpack to a sane size."""
    _check_directory(file, size_bytes, limits)
    file.seek(0)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as error:
        raise Unreadable("damaged", format="ZIP", reason=str(error)) from error
    members = archive.infolist()
    if len(members) > limits.archive_members:
        raise Unreadable("too-many-members", members=len(members), limit=limits.archive_members)
    _check_size(members, limits)
    return archive


def _check_directory(file: BinaryIO, size_bytes: int, limits: ProfileLimits) -> None:
    """Read the end record alone: the directory of a hostile archive may be larger than memory."""
    start = max(0, size_bytes - _END_BYTES - _COMMENT_MAX)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_BYTES:
        raise Unreadable("truncated", format="ZIP")
    members, directory_bytes = struct.unpack("<HI", tail[place + 10 : place + 16])
    if directory_bytes > _DIRECTORY_BYTES_MAX:
        raise Unreadable("too-many-members", members=members, limit=limits.archive_members)


def _check_size(members: list[zipfile.ZipInfo], limits: ProfileLimits) -> None:
    packed = sum(member.compress_size for member in members)
    unpacked = sum(member.file_size for member in members)
    is_dense = unpacked > _RATIO_MATTERS_FROM and unpacked > packed * limits.unpacked_ratio
    if unpacked > limits.unpacked_bytes or is_dense:
        raise Unreadable(
            "unpacks-too-large",
            unpacked_bytes=unpacked,
            packed_bytes=packed,
            limit_bytes=limits.unpacked_bytes,
            limit_ratio=limits.unpacked_ratio,
        )


def refuse_document_types(archive: zipfile.ZipFile) -> None:
    """Refuse XML members with a document type declaration, by which entities and foreign files come in."""
    for member in archive.infolist():
        if member.filename.lower().endswith(_XML_NAMES) and _declares_type(archive, member):
            raise Unreadable("document-type-forbidden", member=member.filename[:100])


def _declares_type(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    kept = b""
    with archive.open(member) as content:
        while chunk := content.read(MIB):
            window = kept + chunk
            if any(mark in window for mark in _DOCUMENT_TYPES):
                return True
            kept = window[-32:]
    return False


def directory(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return what an archive's directory says, as a part of a profile."""
    members = archive.infolist()
    return {"members": len(members), "unpacked_bytes": sum(member.file_size for member in members)}
