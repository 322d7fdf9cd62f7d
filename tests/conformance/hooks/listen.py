"""Takes webhooks over TLS and has the published verifier of Standard Webhooks judge each; a line of JSON tells of it."""

import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

told = json.loads(sys.stdin.readline())
now = {"secret": told["secret"], "statuses": told["statuses"]}
seen, turn = set(), threading.Lock()


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with turn:
            status, message = self.judged(body)
            say(message | {"status": status})
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def judged(self, body):
        named = self.headers["webhook-id"]
        try:
            event = Webhook(now["secret"]).verify(body, dict(self.headers))
        except WebhookVerificationError as error:
            now["secret"] = now.pop("after_refusal", now["secret"])
            return 401, {"id": named, "refused": str(error)}
        is_fresh = named not in seen
        seen.add(named)
        return now["statuses"].pop(0) if now["statuses"] else 204, {"id": named, "event": event, "is_fresh": is_fresh}

    def log_message(self, *_given):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(told["certificate"], told["key"])
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
say({"port": server.server_port})
for line in sys.stdin:
    with turn:
        now |= json.loads(line)
    say({"heard": True})
