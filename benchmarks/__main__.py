"""`python -m benchmarks NAME [options]`: run one benchmark, or all of them without a name."""

import importlib
import sys

from benchmarks import machine

BENCHMARKS = {
    "download": "1 GiB, 1 MiB and 10 KiB against nginx, a bare sendfile server and Flask's send_file",
    "memory": "an idle server, and one serving 200 slow downloads",
    "readers": "5,000 slow readers on one process: memory, and what others wait meanwhile",
    "billing": "what is charged against what arrived, as the client's kernel counted it",
    "revocation": "from the commit of a revocation to the last byte of a hundred streams",
    "purchase": "orders a second against pgbench's TPC-B on the same database server",
    "paid": "paid purchases, also by way of the sandbox, against pgbench's TPC-B; statements of each",
    "ledger": "ledger transactions and sales a second against pgbench; sums over a million entries",
    "rating": "a million usage events claimed, summed and rated against a bare SUM of them",
    "search": "catalogue search at 5 k, 100 k and a million datasets against a raw tantivy query",
    "joins": "what a dataset joins with, at 5 k, 100 k and a million datasets, against one row by its key",
    "formats": "the catalogue as DCAT, Croissant, Atom and others, by pages and whole, against COPY and rdflib",
    "judging": "judged queries over a real catalogue against PostgreSQL's full text and pg_trgm",
    "harvest": "foreign catalogues taken over, from a started site and from a file, against bare rows of the same JSON",
    "sharing": "a table by Delta Sharing against pyarrow and pandas on the same local file",
    "rows": "a page of rows out of 2 million against DuckDB on the same local file",
    "upload": "1 GiB and 64 MiB against plain copy and SHA-256 of the same file; memory over 10 GiB",
    "documents": "an invoice of 1,000 lines as PDF against the bare library drawing the same texts",
    "tokens": "signatures against the bare library; tokens, Bearer and DPoP against a bare route of the same server",
    "logins": "what others wait while a hundred people sign in at once",
    "events": "deliveries metered, one and a hundred to a transaction, against pgbench inserting bare rows",
    "privacy": "precision and recall of the privacy gate on generated, labelled tables; megabytes a second",
    "oversight": "searches of the record by every combination of filters, with the plans of the slow ones",
    "records": "audit entries placed and verified, deliveries metered",
    "transparency": "purchases with and without the record; how soon deeds are placed and signed; proofs; bytes",
    "archive": "a million entries verified by verify_audit.py on one core against reading and hashing alone",
}


def main(arguments: list[str]) -> int:
    """Run the named benchmark, or all; each module has ``main(arguments)`` that prints its figures."""
    names = list(BENCHMARKS)
    if arguments and not arguments[0].startswith("-"):
        names, arguments = arguments[:1], arguments[1:]
    if not set(names) <= set(BENCHMARKS) or (len(names) > 1 and not set(arguments) <= {"--quick"}):
        print("usage: python -m benchmarks [NAME] [--quick] [options of NAME]")
        for name, duty in BENCHMARKS.items():
            print(f"  {name:10} {duty}")
        return 2
    print(machine.header())
    try:
        for name in names:
            print(f"\n== {name}: {BENCHMARKS[name]}", flush=True)
            _run(name, arguments)
    finally:
        machine.tidy()
    print(f"\nload average at the end: {machine.load_average()}")
    return 0


def _run(name: str, arguments: list[str]) -> None:
    try:
        importlib.import_module(f"benchmarks.{name}").main(arguments)
    except machine.Skipped as reason:
        print(f"  skipped: {reason}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
