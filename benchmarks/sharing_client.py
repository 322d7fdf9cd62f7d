"""Reads a shared table with the official client, and the same file from the disk: `sharing` runs this in its Python.

sharing_client.py PROFILE TABLE FILE ROUNDS
"""

import json
import random
import sys
import time
import warnings
from collections.abc import Callable

warnings.simplefilter("ignore")

import delta_sharing  # noqa: E402 - after the warnings of its dependencies are silenced
import pandas as pd  # noqa: E402 - as above


def main(profile: str, table: str, file: str, rounds: str) -> None:
    """Print the seconds of each way, round by round, the file on the disk first; what is read must be alike."""
    address = f"{profile}#{table}"
    deeds: dict[str, Callable[[], pd.DataFrame]] = {
        "pandas on the local file (the limit)": lambda: pd.read_parquet(file),
        "official client, parquet format": lambda: delta_sharing.load_as_pandas(address, use_delta_format=False),
        "official client, delta format": lambda: delta_sharing.load_as_pandas(address, use_delta_format=True),
    }
    rows = {len(deed()) for deed in deeds.values()}  # what they import meanwhile is not measured
    if len(rows) != 1:
        raise RuntimeError(f"not the same rows: {rows}")
    seconds: dict[str, list[float]] = {name: [] for name in deeds}
    for _ in range(int(rounds)):
        for name in random.sample(list(deeds), len(deeds)):
            start = time.perf_counter()
            deeds[name]()
            seconds[name].append(time.perf_counter() - start)
    json.dump(seconds, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
