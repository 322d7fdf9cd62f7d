// The published verifier of Standard Webhooks judges messages of ours.
import { Webhook } from "standardwebhooks";
import { run } from "./lines.mjs";

await run({
  verify: ({ secret, body, headers }) => {
    try {
      return { verified: new Webhook(secret).verify(body, headers) };
    } catch (error) {
      return { refused: error.message };
    }
  },
});
