"""The public document of a dataset, and asking whether it has changed."""

from tests.api.trade import call, ok


def test_an_unchanged_document_is_not_sent_again(app, market, goods):
    path = f"/v1/catalog/{goods.dataset_id}"
    first = call(app, "GET", path)
    again = call(app, "GET", path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])


def test_a_changed_document_is_sent_under_another_tag(app, market, goods):
    path = f"/v1/catalog/{goods.dataset_id}"
    first = call(app, "GET", path)
    market.offer(goods.dataset_id)
    second = call(app, "GET", path, headers={"If-None-Match": first.headers["ETag"]})
    assert len(ok(second)["offers"]) == len(ok(first)["offers"]) + 1
    assert second.headers["ETag"] != first.headers["ETag"]


def test_documents_are_written_in_their_own_script(app, market, goods):
    answer = call(app, "GET", f"/v1/catalog/{goods.dataset_id}")
    assert ok(answer)["title_ja"].encode() in answer.data


def test_numbers_beyond_64_bits_are_written_whole(app):
    with app.test_request_context():
        assert app.json.response({"max": 10**30}).json == {"max": 10**30}
