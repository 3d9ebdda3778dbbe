"""Sends with elasticsearch-py or opensearch-py: URL, KEY and the package are its arguments.

With a further COUNT it sends so many numbered documents, each with an id, again and again until it
is told that they are there, and writes the numbers of those.
"""

import importlib
import sys
import time

url, key, package = sys.argv[1:4]
count = int(sys.argv[4]) if len(sys.argv) > 4 else 0
library = importlib.import_module(package)
helpers = importlib.import_module(f"{package}.helpers")

if package == "elasticsearch":
    client = library.Elasticsearch(url, api_key=("id", key), request_timeout=60)
else:
    client = library.OpenSearch(url, http_auth=("user", key), timeout=60)
refused = (
    library.exceptions.TransportError,
    library.exceptions.ConnectionError,
    getattr(library, "ApiError", ConnectionError),
)
for first in range(0, count, 10):
    texts = [f"number {number:06d} of elastic" for number in range(first, first + 10)]
    actions = [
        {"_op_type": "create", "_index": "orders", "_id": text[7:13], "message": text}
        for text in texts
    ]
    while texts:
        try:
            answers = list(helpers.streaming_bulk(client, actions, raise_on_error=False))
        except refused:
            time.sleep(0.05)
            continue
        for text, (_ok, answer) in zip(texts, answers):
            assert answer["create"]["status"] in (201, 409), answer
            print(text, flush=True)
        texts = []
if count:
    sys.exit()

assert client.ping()
documents = [
    {"_op_type": "create", "_index": "orders", "_id": "a1", "message": "order 7 failed", "n": 7},
    {"_op_type": "index", "_index": "orders", "message": "naïve — ünïcode", "sum": {"eur": 1.5}},
]
for _ in range(2):
    # The second time the first one is there: a conflict, which is an error of that one alone.
    answers = helpers.streaming_bulk(client, documents, raise_on_error=False)
    print([list(answer.values())[0]["status"] for _ok, answer in answers])
    del documents[1:]
one = {"message": "a single one"}
if package == "elasticsearch":
    answer = client.index(index="orders", document=one, id="a2")
else:
    answer = client.index(index="orders", body=one, id="a2")
print(answer["result"])
try:
    client.bulk(body=["{\"upsert\":{}}", "{}"])
except library.exceptions.TransportError if package == "opensearchpy" else library.ApiError as error:
    print(getattr(error, "status_code", None))
