"""The machine: folders, secret files, room on the disk, time zones."""

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from marketplace.delivery.stores import choosing
from marketplace.doctor.findings import Finding, Ward
from marketplace.kit import clock
from marketplace.kit.settings import Settings

FREE_BYTES_MIN = 2 * 2**30
KEY_AGE_ADVISED = timedelta(days=365)
JAPAN = timedelta(hours=9)


@dataclass(frozen=True, slots=True)
class Machine:
    """What was seen of the machine; a file that is not there has no mode and no age."""

    settings: Settings
    store_writable: bool
    free_bytes: int
    signing_key_mode: int | None
    signing_key_age: timedelta | None
    installation_key_mode: int | None
    japan_offset: timedelta | None
    bucket_trouble: str | None = None


def examine(given: Settings) -> Machine:
    """Look at the machine, and at the bucket by a small object that is removed again; nothing is left or changed."""
    signing, installation = _stat(given.signing_key_path), _stat(given.installation_key_path)
    return Machine(
        settings=given,
        store_writable=os.access(given.store_dir, os.W_OK | os.X_OK),
        free_bytes=shutil.disk_usage(_existing(given.data_dir)).free,
        signing_key_mode=stat.S_IMODE(signing.st_mode) if signing else None,
        signing_key_age=timedelta(seconds=clock.now().timestamp() - signing.st_mtime) if signing else None,
        installation_key_mode=stat.S_IMODE(installation.st_mode) if installation else None,
        japan_offset=_japan_offset(ZoneInfo),
        bucket_trouble=_bucket_trouble(given),
    )


def store_writable(seen: Machine) -> Finding | None:
    """See whether what providers upload can be kept."""
    if seen.store_writable:
        return None
    return Finding(
        "The store folder cannot be written.",
        f"Create {seen.settings.store_dir}, or give the server's account the right to write there.",
        "ファイルの保管フォルダーに書き込めません。",
        f"{seen.settings.store_dir}を作るか、サーバーのアカウントに書込み権限を与えてください。",
    )


def bucket_answers(seen: Machine) -> Finding | None:
    """See whether the bucket, where files lie in one, takes and gives what it is asked."""
    if seen.bucket_trouble is None:
        return None
    return Finding(
        f"The bucket of MARKETPLACE_STORE does not do as it is asked: {seen.bucket_trouble}.",
        "See that the bucket is there, and that its address, region, keys and rights are right (docs/storage.md).",
        f"MARKETPLACE_STOREのバケットが正しく応答しません：{seen.bucket_trouble}。",
        "バケットの有無と、アドレス、リージョン、鍵、権限を確かめてください（docs/storage.md）。",
    )


def room_left(seen: Machine) -> Finding | None:
    """See whether there is room: a full disk ends uploads first, and then the embedded database."""
    if seen.free_bytes >= FREE_BYTES_MIN:
        return None
    free = seen.free_bytes // 2**20
    return Finding(
        f"Only {free} MiB are free where the data lies.",
        "Free room on that disk, or move MARKETPLACE_DATA_DIR to a larger one.",
        f"データのあるディスクの空きが{free} MiBしかありません。",
        "空きを作るか、MARKETPLACE_DATA_DIRを大きなディスクに移してください。",
    )


def largest_upload_fits(seen: Machine) -> Finding | None:
    """See whether one upload of the largest size fits."""
    if seen.free_bytes >= seen.settings.upload_size_bytes_max:
        return None
    return Finding(
        "The largest upload that is allowed does not fit on the disk.",
        "Make room, or lower MARKETPLACE_UPLOAD_SIZE_BYTES_MAX.",
        "許可されている最大のアップロードが、ディスクに入りません。",
        "空きを作るか、MARKETPLACE_UPLOAD_SIZE_BYTES_MAXを下げてください。",
        wrong=False,
    )


def signing_key_secret(seen: Machine) -> Finding | None:
    """See whether others can read the key with which tokens are made."""
    return _open_to_others(seen.signing_key_mode, seen.settings.signing_key_path)


def installation_key_secret(seen: Machine) -> Finding | None:
    """See whether others can read the key that opens what is sealed."""
    return _open_to_others(seen.installation_key_mode, seen.settings.installation_key_path)


def signing_key_fresh(seen: Machine) -> Finding | None:
    """See whether the signing key was replaced lately, so that replacing it is known to work."""
    if seen.signing_key_age is None or seen.signing_key_age <= KEY_AGE_ADVISED:
        return None
    days = seen.signing_key_age.days
    return Finding(
        f"The signing key is {days} days old.",
        "Run `marketplace keys rotate`, and `marketplace keys prune` an hour later.",
        f"署名鍵が{days}日間、更新されていません。",
        "marketplace keys rotateを、1時間後にmarketplace keys pruneを実行してください。",
        wrong=False,
    )


def installation_key_apart(seen: Machine) -> Finding | None:
    """See whether a backup of the data would hold the sealed things and their key at once."""
    if seen.settings.database_url or not seen.settings.installation_key_path.is_relative_to(seen.settings.data_dir):
        return None
    return Finding(
        "The installation key lies in the data folder, beside the database whose secrets it seals.",
        "Set MARKETPLACE_INSTALLATION_KEY_FILE to a place outside, and back the file up apart from the database.",
        "インストール鍵が、それで封じた秘密を持つデータベースと同じフォルダーにあります。",
        "MARKETPLACE_INSTALLATION_KEY_FILEで別の場所にし、データベースとは別にバックアップしてください。",
        wrong=False,
    )


def installation_key_made(seen: Machine) -> Finding | None:
    """See whether there is a key to back up; whether it is backed up, the operator alone knows."""
    if seen.installation_key_mode is not None:
        return None
    return Finding(
        f"There is no installation key at {seen.settings.installation_key_path} yet: it is made at first use.",
        "Where people signed in before, restore the file from its backup; else start once, and back it up then.",
        f"{seen.settings.installation_key_path}にインストール鍵がまだありません。最初の利用時に作られます。",
        "以前に利用者がいた場合はバックアップから戻してください。初めての場合は、一度起動してからバックアップしてください。",
        wrong=False,
    )


def time_zones_known(seen: Machine) -> Finding | None:
    """See whether days and months of bills can be Japan's."""
    if seen.japan_offset == JAPAN:
        return None
    return Finding(
        "The time zone Asia/Tokyo is not known, or is not nine hours ahead of UTC.",
        "Install the time-zone data of your system (tzdata).",
        "タイムゾーンAsia/Tokyoが見つからないか、UTCより9時間進んでいません。",
        "システムのタイムゾーンデータ（tzdata）を導入してください。",
    )


MACHINE: Ward[Machine] = Ward(
    (
        store_writable, bucket_answers, room_left, largest_upload_fits, signing_key_secret, installation_key_secret,
        signing_key_fresh, installation_key_apart, installation_key_made, time_zones_known,
    )
)  # fmt: skip


def _bucket_trouble(given: Settings) -> str | None:
    # Only a bucket is opened: a folder would be made by that.
    return None if choosing.place_of(given) is None else choosing.store_of(given).trouble()


def _open_to_others(mode: int | None, path: Path) -> Finding | None:
    if mode is None or not mode & 0o077:
        return None
    return Finding(
        f"Others on this machine can read {path} (mode {mode:04o}).",
        f"Run chmod 600 {path}. If others had accounts here, replace the key.",
        f"{path}を、この機械の他の利用者が読めます（モード{mode:04o}）。",
        f"chmod 600 {path} を実行してください。他人のアカウントがあった場合は鍵を取り替えてください。",
    )


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _existing(path: Path) -> Path:
    return next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())


def _japan_offset(zone: Callable[[str], ZoneInfo]) -> timedelta | None:
    try:
        return datetime(2026, 1, 1, tzinfo=zone("Asia/Tokyo")).utcoffset()
    except ZoneInfoNotFoundError:
        return None
