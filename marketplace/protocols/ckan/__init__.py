"""CKAN's Action API, as far as reading goes: what its clients and harvesters ask of a portal."""
