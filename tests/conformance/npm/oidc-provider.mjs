// oidc-provider as somebody else's staff directory: one page to sign in, and a word for how surely (acr).
import Provider from "oidc-provider";
import { tell, told } from "./lines.mjs";

const facts = await told();
const provider = new Provider(facts.issuer, {
  clients: [
    {
      client_id: facts.client_id,
      client_secret: facts.client_secret,
      redirect_uris: [facts.redirect_uri],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      token_endpoint_auth_method: "client_secret_basic",
    },
  ],
  acrValues: facts.acr_values,
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  async loadExistingGrant(context) {
    const { client, session } = context.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope("openid");
    await grant.save();
    return grant;
  },
});

const PAGE = `<!doctype html><html lang="en"><title>Staff directory</title><main><h1>Staff directory</h1>
<form method="post"><label>Name <input name="login"></label><button>Enter</button></form></main></html>`;

async function posted(request) {
  let body = "";
  for await (const piece of request) body += piece;
  return new URLSearchParams(body);
}

provider.use(async (context, next) => {
  if (!context.path.startsWith("/interaction/")) return next();
  if (context.method === "GET") {
    context.type = "html";
    context.body = PAGE;
    return;
  }
  const login = { accountId: (await posted(context.req)).get("login"), acr: facts.acr_values[0] };
  await provider.interactionFinished(context.req, context.res, { login });
  context.respond = false;
});

provider.listen(facts.port, "127.0.0.1", () => tell({ ready: facts.issuer }));
