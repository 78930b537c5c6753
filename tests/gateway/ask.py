"""Makes one HTTP request, told by JSON on its input; prints the status, then the answer."""

import json
import sys
import urllib.error
import urllib.request

told = json.load(sys.stdin)
body = told["body"] and json.dumps(told["body"]).encode()
request = urllib.request.Request(
    told["url"], data=body or None, headers={"Content-Type": "application/json"}
)
try:
    with urllib.request.urlopen(request, timeout=told["timeout"]) as answer:
        status, text = answer.status, answer.read()
except urllib.error.HTTPError as error:
    status, text = error.code, error.read()
sys.stdout.buffer.write(f"{status}\n".encode() + text)
