"""Sends requests, each on a connection of its own, and after each one a request that is in order.

Reads from standard input {"port": …, "good": REQUEST, "requests": [REQUEST, …]}, where a REQUEST is
{"method", "path", "headers": {…}, "body": "base64"}; prints [{"status", "headers", "body", "next"}, …], where `next` is
the status of the good request that followed.
"""

import base64
import http.client
import json
import sys


def send(port, request):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(
            request["method"], request["path"], base64.b64decode(request["body"]), request["headers"])
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


script = json.load(sys.stdin)
answers = []
for request in script["requests"]:
    status, headers, body = send(script["port"], request)
    answers.append({
        "status": status,
        "headers": {name.lower(): value for name, value in headers.items()},
        "body": body,
        "next": send(script["port"], script["good"])[0],
    })
json.dump(answers, sys.stdout)
