// SPDX-License-Identifier: Apache-2.0
// An issuer of bearer tokens: a key, its JWK set, signed tokens.
import { randomUUID } from "node:crypto";
import { compact, makeKey } from "./assertion.mjs";

export function makeIssuer(url, audience) {
  const key = makeKey(randomUUID());
  return {
    url,
    audience,
    key,
    jwks: JSON.stringify({ keys: [key.jwk] }),
    /** @param claims members to set, or to drop when undefined */
    token(sub, claims = {}, header = {}) {
      const now = Math.floor(Date.now() / 1000);
      return compact(
        { alg: "ES256", typ: "JWT", kid: key.kid, ...header },
        { iss: url, aud: audience, sub, iat: now, exp: now + 600, ...claims },
        key.privateKey,
      );
    },
  };
}
