"""What a server holds in memory: idle, and while many slow readers download."""

import argparse
import json
import subprocess
import time
from collections.abc import Sequence

from benchmarks import machine
from benchmarks.download import GIB, KIB, MIB, VARIANTS, Load, Target, Variant, client_command, measure_download

READERS = 200
BYTES_PER_SECOND = 100_000
SECONDS, SECONDS_QUICK = 6.0, 3.0
FIRST = Load("first", 10 * KIB, connections=1, requests=20)


def main(arguments: list[str], variants: Sequence[Variant] = VARIANTS) -> None:
    """Print the memory of each variant; one at a time, so that none shares its pages with another."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks memory")
    parser.add_argument("--quick", action="store_true", help="a shorter look")
    seconds = SECONDS_QUICK if parser.parse_args(arguments).quick else SECONDS
    load = Load("slow readers", GIB, READERS, seconds=seconds, bytes_per_second=BYTES_PER_SECOND)
    print(
        f"all processes of a server; busy: {READERS} readers of {BYTES_PER_SECOND} bytes/s each; the limit: no growth"
    )
    for variant in variants:
        try:
            with variant.running("cubic") as target:
                _print(variant.name, target, load)
        except machine.Skipped as reason:
            print(f"  {variant.name:36} skipped: {reason}")


def _print(name: str, target: Target, load: Load) -> None:
    measure_download(target, machine.file_of(FIRST.size_bytes), FIRST)  # idle, but awake: everything is loaded
    idle, (busy, served) = machine.memory_bytes(target.process_id), _while_reading(target, load)
    growth = (busy[1] - idle[1]) / served / KIB if served else float("nan")
    print(
        f"  {name:36} idle RSS {idle[0] / MIB:6.1f} PSS {idle[1] / MIB:6.1f} MiB, "
        f"busy RSS {busy[0] / MIB:6.1f} PSS {busy[1] / MIB:6.1f} MiB, "
        f"readers served {served} of {READERS}, {growth:.1f} KiB a reader",
        flush=True,
    )


def _while_reading(target: Target, load: Load) -> tuple[tuple[int, int], int]:
    url = target.address_of(machine.file_of(load.size_bytes))
    client = subprocess.Popen(
        client_command(url, target.headers, load), stdout=subprocess.PIPE, text=True,
        preexec_fn=machine.pinned_to(machine.client_core()),  # noqa: PLW1509 - no threads here
    )  # fmt: skip
    time.sleep(load.seconds * 0.8)
    busy = machine.memory_bytes(target.process_id)
    return busy, int(json.loads(client.communicate()[0])["served"])
