// SPDX-License-Identifier: Apache-2.0
// Makes keys, JWK sets and assertions as the module makes them.
import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";

const b64 = (data) => Buffer.from(data).toString("base64url");
export const sha256 = (data) => createHash("sha256").update(data).digest("base64url");

export function makeKey(kid) {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "ES256" };
  return { kid, privateKey, jwk };
}

/** Serves whatever jwks.keys holds at the moment; counts the fetches. */
export async function startJwks(keys) {
  const jwks = { keys, fetches: 0, status: 200 };
  const server = createServer((request, response) => {
    jwks.fetches++;
    response.writeHead(jwks.status, { "Content-Type": "application/jwk-set+json" });
    response.end(JSON.stringify({ keys: jwks.keys }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  jwks.url = `http://127.0.0.1:${server.address().port}/jwks.json`;
  jwks.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return jwks;
}

export const compact = (header, claims, privateKey) => {
  const input = `${b64(JSON.stringify(header))}.${b64(JSON.stringify(claims))}`;
  const signature = sign("sha256", Buffer.from(input), {
    key: privateKey,
    dsaEncoding: "ieee-p1363",
  });
  return `${input}.${b64(signature)}`;
};

/**
 * @param what  {sub, perm, usr, dec, method, path, query, body, iss, aud}
 * @param patch {header, claims}: members to set, or to drop when undefined
 */
export function assertion(key, what, patch = {}) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: what.iss,
    aud: what.aud,
    iat: now,
    exp: now + 30,
    jti: randomUUID(),
    sub: what.sub,
    perm: what.perm ?? [],
    usr: what.usr ?? { identity: what.sub, display_name: what.sub },
    dec: what.dec,
    htm: what.method,
    htp: what.path,
    htq: sha256(what.query ?? ""),
    ...(what.body === undefined ? {} : { bdy: sha256(what.body) }),
    pol: "0123456789abcdef",
    ...patch.claims,
  };
  const header = { alg: "ES256", typ: "agentauth+jwt", kid: key.kid, ...patch.header };
  return compact(header, claims, key.privateKey);
}
