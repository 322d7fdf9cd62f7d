"""Has the published verifier of Standard Webhooks judge a message; prints what it says as JSON."""

import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError

asked = json.load(sys.stdin)
try:
    told = {"done": Webhook(asked["secret"]).verify(asked["body"], asked["headers"])}
except WebhookVerificationError as error:
    told = {"raised": str(error)}
json.dump(told, sys.stdout)
