// SPDX-License-Identifier: Apache-2.0
// A connection remembers the credential that it proved last. Nobody gains by
// it: whoever comes next on the same connection is judged as on a new one.
import assert from "node:assert/strict";
import http2 from "node:http2";
import { after, before, describe, test } from "node:test";
import { startEcho } from "./lib/echo.mjs";
import { startHttpd } from "./lib/httpd.mjs";
import { makeIssuer } from "./lib/jwt.mjs";

const POLICY = `local auth = require "agentauth"
auth.on(function(ctx, value) return true end)
`;

let httpd, echo, issuer;

before(async () => {
  echo = await startEcho();
  echo.respond = (request, response, seen) => response.end(seen.header("AgentAuth-Identity"));
  issuer = makeIssuer("https://issuer.test", "gateway");
  httpd = await startHttpd({
    modules: ["proxy", "proxy_http", "http2"],
    async prepare(h) {
      await h.write("policy.lua", POLICY);
      await h.write("issuer.json", issuer.jwks);
    },
    config: (h) => `Protocols h2c http/1.1
<AgentAuthIssuer ${issuer.url}>
  AgentAuthAudience gateway
  AgentAuthJWKS "${h.path("issuer.json")}"
  AgentAuthIdentityPrefix ""
</AgentAuthIssuer>
${["/", "/tokens/"].map((path) => `<Location "${path}">
  AuthType AgentAuth
  Require valid-user
  AgentAuthPolicy "${h.path("policy.lua")}"
  AgentAuthRoutes none
  AgentAuthEnforce headers
  ${path === "/" ? "" : "AgentAuthMethods bearer"}
</Location>`).join("\n")}
${["red", "blue"].map((name) => `<VirtualHost 127.0.0.1:${h.port}>
  ServerName ${name}.test
  ProxyPass "/" "${echo.url}/"
</VirtualHost>`).join("\n")}`,
  });
});
after(async () => {
  await httpd?.stop();
  echo?.close();
});

const realm = "red.test";
const id = (key) => key.slice("sk-agentauth-".length).slice(0, 10);

/** Somebody with a key of the realm red.test. */
async function addKey(name) {
  await httpd.cli("--realm", realm, "user", "create", name);
  return httpd.addKey(name, { realm });
}

const asKey = (key) => ["x-api-key", key];
const asBearer = (text) => ["authorization", `Bearer ${text}`];

/* Two ways to ask again and again over one connection. */
const wires = {
  "HTTP/1.1": async () => {
    const connection = await httpd.connect();
    return {
      async ask([name, value], path = "/x", host = "red.test") {
        connection.sendLines(`GET ${path} HTTP/1.1`, `Host: ${host}`, `${name}: ${value}`);
        const answer = await connection.answer();
        return [answer.status, answer.status === 200 ? answer.text : answer.header("AgentAuth-Error")];
      },
      end: () => connection.socket.destroy(),
    };
  },
  "HTTP/2": async () => {
    const session = http2.connect(httpd.url);
    return {
      async ask([name, value], path = "/x", host = "red.test") {
        const stream = session.request({ ":path": path, ":authority": host, [name]: value });
        const head = new Promise((resolve, reject) => stream.on("response", resolve).on("error", reject));
        const { ":status": status, "agentauth-error": code } = await head;
        let text = "";
        for await (const piece of stream.setEncoding("utf8")) text += piece;
        return [status, status === 200 ? text : code];
      },
      end: () => session.destroy(),
    };
  },
};

for (const [wire, open] of Object.entries(wires))
  describe(`one connection of ${wire}`, () => {
    let connection, ann, ben;
    before(async () => {
      ann = await addKey("ann");
      ben = await addKey("ben");
      connection = await open();
    });
    after(() => connection?.end());

    const is = async (credential, wanted, ...where) =>
      assert.deepEqual(await connection.ask(credential, ...where), wanted);

    test("two keys in either order are two people", async () => {
      for (const who of "abbaababbbaab")
        await is(asKey(who === "a" ? ann : ben), [200, who === "a" ? "ann" : "ben"]);
    });

    test("in either header, and tokens between them", async () => {
      const [carl, dora] = [issuer.token("carl"), issuer.token("dora")];
      for (let round = 0; round < 2; round++) {
        await is(asBearer(carl), [200, "carl"]);
        await is(asBearer(ann), [200, "ann"]);
        await is(asKey(ann), [200, "ann"]);
        await is(asBearer(dora), [200, "dora"]);
        await is(asBearer(dora), [200, "dora"]);
        await is(asKey(ben), [200, "ben"]);
      }
    });

    test("a key or token that differs in one letter is nobody's", async () => {
      const other = (text, at) => text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
      const token = issuer.token("carl");
      for (const at of [20, ann.length - 1]) {
        await is(asKey(ann), [200, "ann"]);
        await is(asKey(other(ann, at)), [401, "AGA0110"]);
      }
      await is(asBearer(token), [200, "carl"]);
      const [status] = await connection.ask(asBearer(other(token, token.length - 9)));
      assert.equal(status, 401);
      await is(asBearer(token), [200, "carl"]);
    });

    test("another host does not know it, nor a place where keys do not count", async () => {
      for (let round = 0; round < 2; round++) {
        await is(asKey(ann), [200, "ann"]);
        await is(asKey(ann), [401, "AGA0111"], "/x", "blue.test");
        await is(asKey(ann), [200, "ann"]);
        await is(asKey(ann), [401, "AGA0103"], "/tokens/x");
      }
    });

    test("who was let in a moment ago does not stay when revoked", async () => {
      const [one, two] = [await addKey("eve"), await addKey("eve")];
      for (const key of [one, one, two, two]) await is(asKey(key), [200, "eve"]);
      await httpd.cliOk("--realm", realm, "key", "revoke", id(two));
      for (let twice = 0; twice < 2; twice++) await is(asKey(two), [401, "AGA0111"]);
      await is(asKey(one), [200, "eve"]);
      await httpd.cliOk("user", "disable", "eve", "--realm", realm);
      for (let twice = 0; twice < 2; twice++) await is(asKey(one), [401, "AGA0111"]);
      await httpd.cliOk("user", "enable", "eve", "--realm", realm);
      for (let twice = 0; twice < 2; twice++) await is(asKey(one), [200, "eve"]);
    });
  });

test("streams side by side on one connection of HTTP/2", async () => {
  const people = ["fay", "gus", "hal"];
  const keys = [];
  for (const name of people) keys.push(await addKey(name));
  const connection = await wires["HTTP/2"]();
  try {
    for (let round = 0; round < 5; round++) {
      const asked = Array.from({ length: 30 }, (_, i) => connection.ask(asKey(keys[(i + round) % 3])));
      for (const [i, answer] of (await Promise.all(asked)).entries())
        assert.deepEqual(answer, [200, people[(i + round) % 3]]);
    }
  } finally {
    connection.end();
  }
});
