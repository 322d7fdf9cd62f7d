"""Reads shared tables as a notebook would, with the official client: told what to do by JSON lines, answers in kind."""

import io
import json
import sys
import tempfile
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import delta_sharing  # noqa: E402 - after the warnings of its dependencies are silenced
from delta_sharing.protocol import DeltaSharingProfile  # noqa: E402
from delta_sharing.rest_client import DataSharingRestClient  # noqa: E402


def listed(profile: Path) -> list[list[str]]:
    client = delta_sharing.SharingClient(str(profile))
    assert client.list_shares()
    assert client.list_schemas(client.list_shares()[0])
    return [[table.share, table.schema, table.name] for table in client.list_all_tables()]


def read(profile: Path, table: list[str], **options: object) -> dict[str, object]:
    frame = delta_sharing.load_as_pandas(f"{profile}#{'.'.join(table)}", **options)
    rows = json.loads(frame.to_json(orient="records", date_format="iso", force_ascii=False))
    return {"rows": rows, "types": {name: str(kind) for name, kind in frame.dtypes.items()}}


def changed(profile: Path, table: list[str], **options: object) -> list[dict[str, object]]:
    frame = delta_sharing.load_table_changes_as_pandas(f"{profile}#{'.'.join(table)}", **options)
    return json.loads(frame.to_json(orient="records", date_format="iso", force_ascii=False))


def since(profile: Path, table: list[str], **options: object) -> list[dict[str, object]]:
    """Read files that came and went: the client has a reader for these, and no question, which is put in its place."""
    got = DataSharingRestClient._get_internal

    def instead(self: DataSharingRestClient, target: str, *given: object, **named: object) -> object:
        path, _, asked = target.partition("/changes?startingVersion=")
        if not asked:
            return got(self, target, *given, **named)
        return self._post_internal(f"{path}/query", {"startingVersion": int(asked.partition("&")[0])}, **named)

    DataSharingRestClient._get_internal = instead
    return changed(profile, table, **options)


def version(profile: Path, table: list[str]) -> int:
    return delta_sharing.get_table_version(f"{profile}#{'.'.join(table)}")


def impatiently() -> None:
    """Fail at once where the client would try again for minutes."""
    made = DataSharingRestClient.__init__

    def once(self: DataSharingRestClient, profile: DeltaSharingProfile, num_retries: int = 0) -> None:
        made(self, profile, num_retries)

    DataSharingRestClient.__init__ = once


def main() -> None:
    asked = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, io.StringIO()
    deeds = {"listed": listed, "read": read, "changed": changed, "since": since, "version": version}
    if asked.pop("impatient", False):
        impatiently()
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder, "exchange.share")
        profile.write_text(json.dumps(asked.pop("profile")))
        try:
            answer = {"done": deeds[asked.pop("deed")](profile, **asked)}
        except Exception as error:  # noqa: BLE001 - the test judges what the client raised
            answer = {"raised": f"{type(error).__name__}: {error}"}
    json.dump(answer, out)


main()
