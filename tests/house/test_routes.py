"""Every address is guarded by one permission of the one table, or stands in a short list with a reason."""

import ast

import pytest

from marketplace.identity.permissions import PERMISSIONS, Permission
from tests.house.project import PACKAGE, modules, tree

UNGUARDED = {
    "oauth.": "the client's own secret, or the token itself, is the credential (RFC 6749, 7009, 7662)",
    "api-docs.openapi_json": "the public description of the API",
    "sandbox.": "a stand-in for Stripe with a key of its own; absent when real payments are configured",
    "web.static": "public files of the pages",
    "static": "public files of the pages",
}
SAFE = {"GET", "HEAD", "OPTIONS"}
ASKING = {
    "delta_sharing.query": "the protocol asks by POST",
    "rows.read": "a query has a body",
    "mcp.receive": "JSON-RPC comes by POST; what is fetched is metered",
    "ckan.call": "CKAN's clients send parameters as a body",
    "ckan.datastore_search": "CKAN's clients send parameters as a body",
}


def permission_of(app, rule):
    return getattr(app.view_functions[rule.endpoint], "_permission", None)


def excused(endpoint):
    return [prefix for prefix in UNGUARDED if endpoint == prefix or (prefix[-1] == "." and endpoint.startswith(prefix))]


def test_every_address_is_guarded_or_stands_in_the_list(shared_app):
    for rule in shared_app.url_map.iter_rules():
        guarded = isinstance(permission_of(shared_app, rule), Permission)
        assert guarded != bool(excused(rule.endpoint)), rule


def test_the_list_of_exceptions_names_only_what_is_there(shared_app):
    used = {prefix for rule in shared_app.url_map.iter_rules() for prefix in excused(rule.endpoint)}
    assert used | {"static", "web.static"} == set(UNGUARDED)


def test_every_permission_guards_something(shared_app):
    guarding = {permission_of(shared_app, rule) for rule in shared_app.url_map.iter_rules()}
    assert guarding - {None} == set(Permission)


def test_what_changes_something_is_guarded_by_a_permission_that_says_so(shared_app):
    for rule in shared_app.url_map.iter_rules():
        permission = permission_of(shared_app, rule)
        if permission is not None:
            changes = bool(rule.methods - SAFE) and rule.endpoint not in ASKING
            assert PERMISSIONS[permission].changes == changes, rule


def test_what_asks_by_another_method_than_get_is_there_and_does_not_change_anything(shared_app):
    asking = {rule.endpoint: rule.methods - SAFE for rule in shared_app.url_map.iter_rules() if rule.endpoint in ASKING}
    assert asking == {endpoint: {"POST"} for endpoint in ASKING}


@pytest.mark.parametrize("edge", ["api", "protocols", "web"])
def test_no_route_wears_two_guards_or_hides_one_below_its_address(edge):
    for path in modules(edge):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef):
                names = [ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list]
                routed = [name for name in names if name.endswith((".route", ".get", ".post", ".put", ".delete"))]
                if routed and path.name != "oauth.py":
                    where = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                    assert names.count("guarded") == 1, where
                    # Decorators run from the inside out: the guard must stand inside the route, outside the rest.
                    assert names.index("guarded") == len(routed), where
