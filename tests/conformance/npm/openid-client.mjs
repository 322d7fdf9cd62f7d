// openid-client against our authorization server; each journey returns what the test asserts.
import * as client from "openid-client";
import { refusal, run, visit } from "./lines.mjs";

const ON_LOOPBACK = { algorithm: "oauth2", execute: [client.allowInsecureRequests] };

async function proof({ secret, jwk }) {
  if (secret) return client.ClientSecretBasic(secret);
  if (!jwk) return client.None();
  const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
  return client.PrivateKeyJwt({ key, kid: jwk.kid });
}

// Discovery, and a trail of every answer since: path and status.
async function known(facts) {
  const config = await client.discovery(new URL(facts.issuer), facts.client_id, {}, await proof(facts), ON_LOOPBACK);
  const trail = [];
  config[client.customFetch] = async (address, options) => {
    const answer = await fetch(address, options);
    trail.push(`${new URL(address).pathname} ${answer.status}`);
    return answer;
  };
  const keys = facts.dpop ? await client.randomDPoPKeyPair("ES256") : null;
  const how = () => ({ DPoP: keys ? client.getDPoPHandle(config, keys) : undefined });
  // Two holders of the key, each of which learns the nonce by itself: one asks for tokens, the other reads with them.
  return { config, trail, how: how(), reading: how() };
}

async function asked({ config, how }, facts) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const parameters = {
    redirect_uri: facts.redirect_uri,
    scope: facts.scope,
    state,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  };
  const address = facts.par
    ? await client.buildAuthorizationUrlWithPAR(config, parameters, how)
    : client.buildAuthorizationUrl(config, parameters);
  const back = new URL(await visit(address));
  return { address, back, checks: { pkceCodeVerifier: verifier, expectedState: state } };
}

function read({ config, reading }, facts, token) {
  return client.fetchProtectedResource(config, token, new URL(facts.own), "GET", undefined, undefined, reading);
}

async function code(facts) {
  const at = await known(facts);
  const { address, back, checks } = await asked(at, facts);
  const first = await client.authorizationCodeGrant(at.config, back, checks, undefined, at.how);
  const own = await (await read(at, facts, first.access_token)).json();
  const looked = facts.jwk || facts.secret ? await client.tokenIntrospection(at.config, first.access_token) : null;
  const second = await client.refreshTokenGrant(at.config, first.refresh_token, undefined, at.how);
  const again = await refusal(() => client.refreshTokenGrant(at.config, first.refresh_token, undefined, at.how));
  const family = await refusal(() => client.refreshTokenGrant(at.config, second.refresh_token, undefined, at.how));
  const parameters = [...address.searchParams.keys()].sort();
  return { parameters, first, own, looked, second, again, family, trail: at.trail };
}

async function ended(facts) {
  const at = await known(facts);
  const { back, checks } = await asked(at, facts);
  const tokens = await client.authorizationCodeGrant(at.config, back, checks, undefined, at.how);
  await client.tokenRevocation(at.config, tokens.refresh_token);
  const looked = await client.tokenIntrospection(at.config, tokens.access_token);
  const status = await refusal(() => read(at, facts, tokens.access_token));
  return { looked, status, trail: at.trail };
}

// An answer that another server gave, or that nobody signed with a name (RFC 9207 section 2.4).
async function mixed(facts) {
  const at = await known(facts);
  const { back, checks } = await asked(at, facts);
  const foreign = new URL(back);
  foreign.searchParams.set("iss", "https://another.example");
  const nameless = new URL(back);
  nameless.searchParams.delete("iss");
  return {
    foreign: await refusal(() => client.authorizationCodeGrant(at.config, foreign, checks, undefined, at.how)),
    nameless: await refusal(() => client.authorizationCodeGrant(at.config, nameless, checks, undefined, at.how)),
    good: (await client.authorizationCodeGrant(at.config, back, checks, undefined, at.how)).token_type,
  };
}

async function machine(facts) {
  const at = await known(facts);
  const tokens = await client.clientCredentialsGrant(at.config, { scope: facts.scope }, at.how);
  const own = await (await read(at, facts, tokens.access_token)).json();
  const looked = await client.tokenIntrospection(at.config, tokens.access_token);
  await client.tokenRevocation(at.config, tokens.access_token);
  const after = await client.tokenIntrospection(at.config, tokens.access_token);
  return { tokens, own, looked, after, trail: at.trail };
}

async function device(facts) {
  const at = await known(facts);
  const started = await client.initiateDeviceAuthorization(at.config, { scope: facts.scope });
  await visit(started.verification_uri_complete);
  const tokens = await client.pollDeviceAuthorizationGrant(at.config, started, undefined, at.how);
  const own = await (await read(at, facts, tokens.access_token)).json();
  return { started, tokens, own };
}

async function register(facts) {
  const wanted = { client_name: "集計", redirect_uris: [facts.redirect_uri], grant_types: ["authorization_code"] };
  const how = { ...ON_LOOPBACK, initialAccessToken: facts.initial_access_token };
  const config = await client.dynamicClientRegistration(new URL(facts.issuer), wanted, undefined, how);
  return config.clientMetadata();
}

// What the strict profile says to a program that neither pushes nor binds.
async function lax(facts) {
  const at = await known(facts);
  const { back, checks } = await asked(at, facts);
  return {
    address: await refusal(() => client.authorizationCodeGrant(at.config, back, checks)),
    token: await refusal(() => client.clientCredentialsGrant(at.config, { scope: facts.scope })),
  };
}

await run({ code, ended, mixed, machine, device, register, lax });
