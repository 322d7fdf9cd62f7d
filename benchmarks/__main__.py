"""`python -m benchmarks NAME [options]`: run one benchmark, or all of them without a name."""

import importlib
import sys

from benchmarks import machine

BENCHMARKS = {
    "download": ("benchmarks.download", "1 GiB and 10 KiB against a bare sendfile server; memory with slow readers"),
}


def main(arguments: list[str]) -> int:
    """Run the named benchmark, or all; each module has ``main(arguments)`` that prints its figures."""
    if arguments and arguments[0] not in BENCHMARKS:
        print("usage: python -m benchmarks [NAME [options]]")
        for name, (_, duty) in BENCHMARKS.items():
            print(f"  {name:10} {duty}")
        return 2
    print(machine.header())
    for name in arguments[:1] or BENCHMARKS:
        module, duty = BENCHMARKS[name]
        print(f"\n== {name}: {duty}", flush=True)
        importlib.import_module(module).main(arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
