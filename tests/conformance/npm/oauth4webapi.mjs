// oauth4webapi against our authorization server, call by call; each journey returns what the test asserts.
import * as oauth from "oauth4webapi";
import { refusal, run, visit } from "./lines.mjs";

const http = { [oauth.allowInsecureRequests]: true };

async function proof({ secret, jwk }) {
  if (secret) return oauth.ClientSecretBasic(secret);
  if (!jwk) return oauth.None();
  const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
  return oauth.PrivateKeyJwt({ key, kid: jwk.kid });
}

// Start at the resource, which names its authorization server (RFC 9728, RFC 8414).
async function known(facts) {
  const base = new URL(facts.issuer);
  const resource = await oauth.processResourceDiscoveryResponse(base, await oauth.resourceDiscoveryRequest(base, http));
  const issuer = new URL(resource.authorization_servers[0]);
  const found = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...http });
  const as = await oauth.processDiscoveryResponse(issuer, found);
  const client = { client_id: facts.client_id };
  const keys = facts.dpop ? await oauth.generateKeyPair("ES256") : null;
  const how = () => ({ DPoP: keys ? oauth.DPoP(client, keys) : undefined, ...http });
  // Two holders of the key, each of which learns the nonce by itself: one asks for tokens, the other reads with them.
  return { as, client, auth: await proof(facts), how: how(), reading: how(), nonces: 0 };
}

// Ask, and once more where a nonce was wanted (RFC 9449 sections 8 and 9).
async function withNonce(at, ask) {
  try {
    return await ask();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    at.nonces += 1;
    return await ask();
  }
}

async function asked(at, facts) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const parameters = new URLSearchParams({
    client_id: facts.client_id,
    redirect_uri: facts.redirect_uri,
    response_type: "code",
    scope: facts.scope,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  const address = new URL(at.as.authorization_endpoint);
  address.search = facts.par ? await pushed(at, parameters) : parameters;
  const back = new URL(await visit(address));
  return { back, state, verifier };
}

async function pushed(at, parameters) {
  const answer = await withNonce(at, async () => {
    const sent = await oauth.pushedAuthorizationRequest(at.as, at.client, at.auth, parameters, at.how);
    return oauth.processPushedAuthorizationResponse(at.as, at.client, sent);
  });
  return new URLSearchParams({ client_id: at.client.client_id, request_uri: answer.request_uri });
}

async function changed(at, facts, { back, state, verifier }) {
  const told = oauth.validateAuthResponse(at.as, at.client, back, state);
  return withNonce(at, async () => {
    const sent = await oauth.authorizationCodeGrantRequest(
      at.as, at.client, at.auth, told, facts.redirect_uri, verifier, at.how,
    );
    return oauth.processAuthorizationCodeResponse(at.as, at.client, sent);
  });
}

function renewed(at, token) {
  return withNonce(at, async () => {
    const sent = await oauth.refreshTokenGrantRequest(at.as, at.client, at.auth, token, at.how);
    return oauth.processRefreshTokenResponse(at.as, at.client, sent);
  });
}

async function looked(at, token) {
  const sent = await oauth.introspectionRequest(at.as, at.client, at.auth, token, http);
  return oauth.processIntrospectionResponse(at.as, at.client, sent);
}

async function end(at, token) {
  await oauth.processRevocationResponse(await oauth.revocationRequest(at.as, at.client, at.auth, token, http));
}

// Read with a token; returns the answer, and the claims that an outsider finds in what was sent (RFC 9068 section 4).
async function read(at, facts, token) {
  let sent;
  const keeping = (address, options) => {
    sent = new Request(address, options);
    return fetch(address, options);
  };
  const how = { ...at.reading, [oauth.customFetch]: keeping };
  const address = new URL(facts.own);
  const answer = await withNonce(at, () => oauth.protectedResourceRequest(token, "GET", address, undefined, null, how));
  const must = { requireDPoP: facts.dpop === true, ...http };
  const claims = await oauth.validateJwtAccessToken(at.as, sent, facts.issuer, must);
  const elsewhere = await refusal(() => oauth.validateJwtAccessToken(at.as, sent, "https://another.example", must));
  return { body: await answer.json(), claims, elsewhere };
}

async function code(facts) {
  const at = await known(facts);
  const first = await changed(at, facts, await asked(at, facts));
  const own = await read(at, facts, first.access_token);
  const introspected = facts.jwk || facts.secret ? await looked(at, first.access_token) : null;
  const second = await renewed(at, first.refresh_token);
  const again = await refusal(() => renewed(at, first.refresh_token));
  const family = await refusal(() => renewed(at, second.refresh_token));
  return { first, own: own.body, ...own, looked: introspected, second, again, family, nonces: at.nonces };
}

async function ended(facts) {
  const at = await known(facts);
  const tokens = await changed(at, facts, await asked(at, facts));
  await end(at, tokens.refresh_token);
  return { looked: await looked(at, tokens.access_token), status: await refusal(() => read(at, facts, tokens.access_token)) };
}

// An answer that another server gave, or one without a name (RFC 9207 section 2.4).
async function mixed(facts) {
  const at = await known(facts);
  const answer = await asked(at, facts);
  const foreign = new URL(answer.back);
  foreign.searchParams.set("iss", "https://another.example");
  const nameless = new URL(answer.back);
  nameless.searchParams.delete("iss");
  return {
    foreign: await refusal(() => changed(at, facts, { ...answer, back: foreign })),
    nameless: await refusal(() => changed(at, facts, { ...answer, back: nameless })),
    good: (await changed(at, facts, answer)).token_type,
  };
}

function ownToken(at, facts) {
  return withNonce(at, async () => {
    const wanted = new URLSearchParams({ scope: facts.scope });
    const sent = await oauth.clientCredentialsGrantRequest(at.as, at.client, at.auth, wanted, at.how);
    return oauth.processClientCredentialsResponse(at.as, at.client, sent);
  });
}

async function machine(facts) {
  const at = await known(facts);
  const tokens = await ownToken(at, facts);
  const own = await read(at, facts, tokens.access_token);
  const before = await looked(at, tokens.access_token);
  await end(at, tokens.access_token);
  const after = await looked(at, tokens.access_token);
  return { tokens, own: own.body, ...own, looked: before, after, nonces: at.nonces };
}

async function device(facts) {
  const at = await known(facts);
  const wanted = new URLSearchParams({ scope: facts.scope });
  const begun = await oauth.deviceAuthorizationRequest(at.as, at.client, at.auth, wanted, http);
  const started = await oauth.processDeviceAuthorizationResponse(at.as, at.client, begun);
  const poll = async () => {
    const sent = await oauth.deviceCodeGrantRequest(at.as, at.client, at.auth, started.device_code, at.how);
    return oauth.processDeviceCodeResponse(at.as, at.client, sent);
  };
  const early = await refusal(() => withNonce(at, poll));
  await visit(started.verification_uri_complete);
  await new Promise((resolve) => setTimeout(resolve, started.interval * 1000));
  const tokens = await withNonce(at, poll);
  const own = await read(at, facts, tokens.access_token);
  return { started, early, tokens, own: own.body };
}

// What the strict profile says to a program that neither pushes nor binds.
async function lax(facts) {
  const at = await known(facts);
  const answer = await asked(at, facts);
  return {
    address: await refusal(() => changed(at, facts, answer)),
    token: await refusal(() => ownToken(at, facts)),
  };
}

await run({ code, ended, mixed, machine, device, lax });
