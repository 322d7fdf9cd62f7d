"""Reads a page of a catalogue as CKAN's harvester does, with ckanext-dcat's parser; without a CKAN server."""

import json
import sys

from ckanext.dcat.processors import RDFParser


def main() -> None:
    asked = json.load(sys.stdin)
    parser = RDFParser(profiles=["euro_dcat_ap_3"])
    parser.parse(asked["document"], _format=asked["notation"])
    json.dump({"datasets": list(parser.datasets()), "next": parser.next_page()}, sys.stdout)


main()
