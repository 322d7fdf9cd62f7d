"""Has ckanext-harvest's CKAN harvester gather from a portal, without a CKAN of its own; prints what it took as JSON."""

import json
import logging
import sys

from ckanext.harvest.harvesters.ckanharvester import CKANHarvester, SearchError

logging.disable(logging.CRITICAL)
asked = json.load(sys.stdin)
harvester = CKANHarvester()
harvester._set_config(json.dumps(asked.get("config", {})))
deed = asked["deed"]
try:
    if deed == "search":
        told = {"done": harvester._search_for_datasets(asked["url"], asked.get("fq_terms"))}
    elif deed == "organization":
        told = {"done": harvester._get_organization(asked["url"], asked["name"])}
    else:
        told = {"done": harvester._get_group(asked["url"], {"id": asked["name"]})}
except SearchError as error:
    told = {"raised": type(error).__name__, "said": str(error)}
json.dump(told, sys.stdout)
