"""Has ckanapi call one action, by POST or by GET; prints what came of it as JSON."""

import json
import sys

from ckanapi import NotAuthorized, NotFound, RemoteCKAN, ValidationError
from ckanapi.errors import CKANAPIError

asked = json.load(sys.stdin)
with RemoteCKAN(asked["url"], apikey=asked.get("key"), get_only=asked.get("get_only", False)) as remote:
    try:
        told = {"done": remote.call_action(asked["action"], asked.get("parameters") or {})}
    except (NotAuthorized, NotFound, ValidationError, CKANAPIError) as error:
        told = {"raised": type(error).__name__, "said": str(error)}
json.dump(told, sys.stdout)
