// Takes webhooks over TLS and has the published verifier of Standard Webhooks judge each; a line of JSON tells of it.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { Webhook } from "standardwebhooks";
import { tell, told } from "./lines.mjs";

const asked = await told();
let { secret, statuses, after_refusal: next } = asked;
const seen = new Set();

function judged(headers, body) {
  const id = headers["webhook-id"];
  let event;
  try {
    event = new Webhook(secret).verify(body, headers);
  } catch (error) {
    [secret, next] = [next ?? secret, undefined];
    return { id, refused: error.message, status: 401 };
  }
  const isFresh = !seen.has(id);
  seen.add(id);
  return { id, event, is_fresh: isFresh, status: statuses.shift() ?? 204 };
}

const keys = { cert: readFileSync(asked.certificate), key: readFileSync(asked.key) };
const server = createServer(keys, async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const message = judged(request.headers, Buffer.concat(chunks).toString("utf-8"));
  tell(message);
  response.writeHead(message.status, { "Content-Length": 0 }).end();
});
server.listen(0, "127.0.0.1", () => tell({ port: server.address().port }));
for (;;) {
  ({ secret, statuses, after_refusal: next } = { secret, statuses, after_refusal: next, ...(await told()) });
  tell({ heard: true });
}
