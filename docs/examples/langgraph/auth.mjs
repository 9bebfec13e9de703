// SPDX-License-Identifier: Apache-2.0
// Makes a LangGraph server (JS) obey mod_agentauth: the signed assertion that
// comes with each request says who is calling and what was decided.
//
// langgraph.json:  "auth": { "path": "./auth.mjs:auth", "disable_studio_auth": true }
//
// Environment, all required:
//   AGENTAUTH_JWKS      https://agents.example/.well-known/agentauth/jwks.json
//   AGENTAUTH_ISSUER    https://agents.example         ServerName of the gateway
//   AGENTAUTH_AUDIENCE  http://127.0.0.1:2024          AgentAuthAssertionAudience
//
// Nothing here decides. What the assertion does not grant is refused: no
// assertion is 401, an event that was not decided is 403, a filter that this
// server cannot apply exactly is 500.
import { createHash, createPublicKey, verify } from "node:crypto";
import { Auth, HTTPException } from "@langchain/langgraph-sdk/auth";

const TYP = "agentauth+jwt";
const LEEWAY = 5; // seconds between the clocks of gateway and backend
const ASSERTION_MAX = 8192; // bytes
const JWKS_MAX = 65536; // bytes
const JWKS_TIMEOUT = 5000; // ms
const JWKS_FRESH = 300_000; // ms; after that the set is fetched again
const JWKS_STALE = 3_600_000; // ms; how long an old set outlives a dead gateway
const JWKS_INTERVAL = 10_000; // ms between fetches for an unknown kid
const JWKS_FIRST = 1_000; // the same while there is no set at all

// A symbol: the server copies it from user to user with the rest, yet it is
// left out when the user is written into a run's configuration.
const DECISIONS = Symbol("agentauth decisions");

class Refused extends Error {}

function must(condition, why) {
  if (!condition) throw new Refused(why);
}

const isObject = (v) => typeof v === "object" && v !== null && !Array.isArray(v);

const sha256 = (data) => createHash("sha256").update(data).digest("base64url");

function same(a, b) {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b) return false;
  const keys = Object.keys(a);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    keys.length === Object.keys(b).length &&
    keys.every((k) => Object.hasOwn(b, k) && same(a[k], b[k]))
  );
}

// ---------------------------------------------------------------- keys

/** The gateway's public keys. One fetch serves all who wait for it. */
class KeySet {
  #keys = new Map();
  #fetched = -Infinity; // last success
  #asked = -Infinity; // last attempt
  #pending = null;

  constructor(url, { interval = JWKS_INTERVAL, now = Date.now } = {}) {
    this.url = url;
    this.interval = interval;
    this.now = now;
  }

  async get(kid) {
    const age = this.now() - this.#fetched;
    if (!this.#keys.has(kid) || age > JWKS_FRESH) await this.#refresh();
    must(this.now() - this.#fetched <= JWKS_STALE, "no key set to verify with");
    const key = this.#keys.get(kid);
    must(key, "signed with an unknown key");
    return key;
  }

  #refresh() {
    const wait = this.#keys.size
      ? this.interval
      : Math.min(this.interval, JWKS_FIRST);
    if (!this.#pending && this.now() - this.#asked >= wait) {
      this.#asked = this.now();
      this.#pending = this.#fetch()
        .catch((error) => console.warn(`agentauth: ${this.url}: ${error.message}`))
        .finally(() => (this.#pending = null));
    }
    return this.#pending;
  }

  async #fetch() {
    const response = await fetch(this.url, {
      redirect: "error",
      signal: AbortSignal.timeout(JWKS_TIMEOUT),
    });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const text = await response.text();
    if (text.length > JWKS_MAX) throw new Error("too large");
    const keys = new Map();
    for (const jwk of JSON.parse(text).keys) {
      if (jwk?.kty !== "EC" || jwk.crv !== "P-256" || typeof jwk.kid !== "string")
        continue;
      if ((jwk.use ?? "sig") !== "sig" || (jwk.alg ?? "ES256") !== "ES256") continue;
      const { kty, crv, x, y } = jwk;
      keys.set(jwk.kid, createPublicKey({ key: { kty, crv, x, y }, format: "jwk" }));
    }
    if (!keys.size) throw new Error("holds no ES256 key");
    this.#keys = keys;
    this.#fetched = this.now();
  }
}

// ----------------------------------------------------------- assertion

function decodePart(part) {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  } catch {
    throw new Refused("not JSON inside");
  }
}

/** Signature first: no claim is looked at before a key has verified it. */
async function verified(token, keys) {
  must(token.length <= ASSERTION_MAX, "too long");
  const parts = token.split(".");
  must(parts.length === 3, "not a compact JWS");
  must(parts.every((p) => /^[A-Za-z0-9_-]+$/.test(p)), "not base64url");
  const header = decodePart(parts[0]);
  must(isObject(header), "header is no object");
  must(header.alg === "ES256", "alg is not ES256");
  must(header.typ === TYP, "typ is another");
  must(!("crit" in header), "has critical extensions");
  must(typeof header.kid === "string", "names no key");
  const key = await keys.get(header.kid);
  const good = verify(
    "sha256",
    Buffer.from(`${parts[0]}.${parts[1]}`),
    { key, dsaEncoding: "ieee-p1363" },
    Buffer.from(parts[2], "base64url"),
  );
  must(good, "signature is wrong");
  const claims = decodePart(parts[1]);
  must(isObject(claims), "claims are no object");
  return claims;
}

/** Meant for this backend, now. */
function checkClaims(claims, { issuer, audience, now }) {
  const seconds = now() / 1000;
  must(claims.iss === issuer, "iss is another");
  must([claims.aud].flat().includes(audience), "aud is another");
  must(Number.isFinite(claims.iat) && Number.isFinite(claims.exp), "no iat or exp");
  must(claims.iat <= seconds + LEEWAY, "issued in the future");
  must(claims.exp > seconds - LEEWAY, "expired");
  must(typeof claims.sub === "string" && claims.sub !== "", "no sub");
  must(isObject(claims.usr), "no usr");
  must((claims.usr.identity ?? claims.sub) === claims.sub, "two identities");
  must(Array.isArray(claims.perm ?? []), "perm is no list");
  must((claims.perm ?? []).every((p) => typeof p === "string"), "perm is no list");
  must(Array.isArray(claims.dec), "no dec");
  for (const d of claims.dec) {
    must(isObject(d) && typeof d.res === "string" && typeof d.act === "string", "dec is malformed");
    must(d.kind === "all" || (d.kind === "filter" && isObject(d.flt)), "dec is malformed");
    must(isObject(d.set ?? {}), "dec is malformed");
  }
}

const foldHead = (method) => (method === "HEAD" ? "GET" : method);

/** Meant for just this request. */
async function checkRequest(claims, request) {
  const url = new URL(request.url);
  const query = url.search.slice(1);
  // Request has the query in the URL Standard's spelling; the gateway hashed
  // what was sent, where these four may have stood bare.
  const bare = query.replace(/%2[27]|%3[CE]/g, decodeURIComponent);
  must(foldHead(claims.htm) === foldHead(request.method), "made for another method");
  must(claims.htp === url.pathname, "made for another path");
  must([query, bare].some((q) => claims.htq === sha256(q)), "made for another query");
  if (claims.bdy === undefined) return;
  // A clone, so that the server can still read the body itself.
  const body = request.body ? await request.clone().arrayBuffer() : new ArrayBuffer(0);
  must(claims.bdy === sha256(Buffer.from(body)), "made for another body");
}

// ----------------------------------------------------------- decisions

/* What the server asks of itself while it carries out a request that was
 * decided as something else: streaming or waiting for the run just made reads
 * it, multitask_strategy and on_disconnect cancel runs of the same thread, a
 * rollback deletes them. Only what is listed here follows, and always under
 * the filter of the decision it follows from. */
const follows = {
  "threads:read": () => ["threads:create_run", "threads:update"],
  "threads:update": (value) => (value?.action ? ["threads:create_run"] : []),
  "threads:delete": (value) => (value?.run_id ? ["threads:create_run", "threads:update"] : []),
};

/** The decisions of one request, taken by event. */
class Decisions {
  #events = new Map();

  constructor(dec) {
    for (const d of dec) {
      const event = `${d.res}:${d.act}`;
      if (!this.#events.has(event)) this.#events.set(event, { list: [], taken: 0 });
      this.#events.get(event).list.push(d);
    }
  }

  /** undefined: this event was not decided. */
  take(event, value) {
    const own = this.#next(event);
    if (own) return own;
    for (const first of follows[event]?.(value) ?? []) {
      const list = this.#events.get(first)?.list;
      // Of several elements' decisions none is this one's unless they agree.
      if (list && list.every((d) => same(d.flt, list[0].flt) && d.kind === list[0].kind))
        return { ...list[0], set: undefined };
    }
    return undefined;
  }

  /* A batch has one decision an element, in order. A single one, or equal
   * ones, answer as often as they are asked (history asks twice). */
  #next(event) {
    const own = this.#events.get(event);
    if (!own) return undefined;
    if (own.taken < own.list.length) return own.list[own.taken++];
    return own.list.every((d) => same(d, own.list[0])) ? own.list[0] : undefined;
  }
}

/** In place: copy keeps only what is changed in the object it handed out. */
function stamp(value, set) {
  for (const [member, wanted] of Object.entries(set ?? {})) {
    if (member === "__proto__") continue;
    if (isObject(value[member]) && isObject(wanted)) {
      for (const [key, v] of Object.entries(wanted))
        if (key !== "__proto__") value[member][key] = v;
    } else value[member] = wanted;
  }
}

const cannot = (what) =>
  new HTTPException(500, { message: `this server cannot apply a filter with ${what}` });

const isScalar = (v) => v === null || ["string", "number", "boolean"].includes(typeof v);

/* This server lets everything pass that it does not know: $or, $and, and $eq
 * or $contains of a falsy value. So equality goes out as the shorthand,
 * $contains as a list, and what cannot be said so is refused. */
function condition(key, wanted) {
  if (isScalar(wanted)) return wanted;
  if (!isObject(wanted)) throw cannot(`a list for ${key}`);
  const [operator, ...more] = Object.keys(wanted);
  if (more.length) throw cannot(`two operators for ${key}`);
  if (operator === "$eq" && isScalar(wanted.$eq)) return wanted.$eq;
  if (operator === "$contains") {
    const list = [wanted.$contains].flat();
    if (list.length && list.every((v) => v !== null && isScalar(v))) return { $contains: list };
  }
  throw cannot(`such an operator for ${key}`);
}

/** Both conditions on one key. */
function both(key, a, b) {
  if (same(a, b)) return a;
  if (isObject(a) && isObject(b))
    return { $contains: [...new Set([...a.$contains, ...b.$contains])] };
  throw cannot(`two conditions for ${key}`);
}

function addConditions(out, filter) {
  if (!isObject(filter) || !Object.keys(filter).length) throw cannot("nothing in it");
  for (const [key, wanted] of Object.entries(filter)) {
    if (key === "$and" || (key === "$or" && wanted?.length === 1)) {
      if (!Array.isArray(wanted) || !wanted.length) throw cannot(`an empty ${key}`);
      for (const part of wanted) addConditions(out, part);
    } else if (key.startsWith("$") || key === "__proto__") {
      throw cannot(key);
    } else {
      const c = condition(key, wanted);
      out[key] = Object.hasOwn(out, key) ? both(key, out[key], c) : c;
    }
  }
  return out;
}

/** A filter in the words of this server, or an HTTPException. */
export const translate = (filter) => addConditions({}, filter);

// ---------------------------------------------------------------- auth

/** The handlers for one gateway. Options: jwks, issuer, audience; now and
 *  interval are there for tests. */
export function agentAuth({ jwks, issuer, audience, now = Date.now, interval }) {
  const keys = new KeySet(jwks, { interval, now });

  async function authenticate(request) {
    const token = request.headers.get("agentauth-assertion");
    try {
      must(token, "is missing");
      const claims = await verified(token, keys);
      checkClaims(claims, { issuer, audience, now });
      await checkRequest(claims, request);
      return {
        ...claims.usr,
        identity: claims.sub,
        permissions: claims.perm ?? [],
        display_name: claims.usr.display_name ?? claims.sub,
        is_authenticated: true,
        [DECISIONS]: new Decisions(claims.dec),
      };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      // Constants only: nothing of an unverified token reaches the log.
      console.warn(`agentauth: refused, assertion ${error.message}`);
      throw new HTTPException(401, { message: "authentication required" });
    }
  }

  function authorize({ event, value, user }) {
    const decision = user?.[DECISIONS]?.take(event, value);
    if (!decision) throw new HTTPException(403, { message: `${event} was not decided` });
    const filter = decision.kind === "all" ? true : translate(decision.flt);
    stamp(value, decision.set);
    return filter;
  }

  return new Auth().authenticate(authenticate).on("*", authorize);
}

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: refusing to start without it`);
  return value;
}

export const auth = agentAuth({
  jwks: required("AGENTAUTH_JWKS"),
  issuer: required("AGENTAUTH_ISSUER"),
  audience: required("AGENTAUTH_AUDIENCE"),
});
