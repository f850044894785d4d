"""What programs do with the requests library: one session, every way to send and to receive.

    sessions.py PORT
"""

import gzip
import json
import sys
import zlib

import requests

url = f"http://127.0.0.1:{sys.argv[1]}"
session = requests.Session()
rows = [[0.5, -1.0, 2.0, 0.25], [1e-3, 3.25, -7.0, 0.0]]
expected = session.post(f"{url}/v1/ffn", json={"input": rows}).json()["output"]
assert len(expected) == 2 and len(expected[0]) == 4, expected


def check(response):
    assert response.status_code == 200, (response.status_code, response.text)
    assert response.json()["output"] == expected, response.text


body = json.dumps({"input": rows}).encode()
kind = {"Content-Type": "application/json"}
check(session.post(f"{url}/v1/ffn", data=body, headers=kind))
# A generator is sent in chunks, one for each piece.
check(session.post(f"{url}/v1/ffn", data=(body[i : i + 3] for i in range(0, len(body), 3)), headers=kind))
check(session.post(f"{url}/v1/ffn", data=gzip.compress(body), headers={**kind, "Content-Encoding": "gzip"}))
check(session.post(f"{url}/v1/ffn", data=zlib.compress(body), headers={**kind, "Content-Encoding": "deflate"}))
unknown = session.post(f"{url}/v1/ffn", data=body, headers={**kind, "Content-Encoding": "br"})
assert unknown.status_code == 415 and "gzip" in unknown.headers["Accept-Encoding"], unknown.headers

# requests asks for gzip by itself; a reply that is large enough comes compressed and reads as without.
many = json.dumps({"input": rows * 500}).encode()
large = session.post(f"{url}/v1/ffn", data=many, headers=kind)
assert large.headers["Content-Encoding"] == "gzip", large.headers
assert "Accept-Encoding" in large.headers["Vary"], large.headers
assert large.json()["output"] == expected * 500
plain = session.post(f"{url}/v1/ffn", data=many, headers={**kind, "Accept-Encoding": "gzip;q=0"})
assert "Content-Encoding" not in plain.headers and plain.json()["output"] == expected * 500

get, head = session.get(f"{url}/v1/models"), session.head(f"{url}/v1/models")
assert head.content == b"" and head.headers["Content-Type"] == get.headers["Content-Type"]
refused = session.put(f"{url}/v1/ffn", data=body, headers=kind)
assert refused.status_code == 405 and "POST" in refused.headers["Allow"], refused.headers
assert session.get(f"{url}/nowhere").headers["Content-Type"] == "application/problem+json"
