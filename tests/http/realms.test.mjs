// SPDX-License-Identifier: Apache-2.0
// Virtual hosts that share a server, and nothing else: issuers, keys and users
// of one realm mean nothing in another, however often and in whatever order
// they are tried.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startEcho } from "./lib/echo.mjs";
import { startHttpd } from "./lib/httpd.mjs";
import { makeIssuer } from "./lib/jwt.mjs";

const POLICY = `local auth = require "agentauth"
auth.on(function(ctx, value) return { owner = ctx.user.identity } end)
`;

/* Two issuers of one URL: the same iss and kid, other keys. */
const twins = () => {
  const [one, two] = [makeIssuer("https://same.test", "gateway"), makeIssuer("https://same.test", "gateway")];
  two.key.kid = one.key.kid;
  two.key.jwk.kid = one.key.jwk.kid;
  two.jwks = JSON.stringify({ keys: [two.key.jwk] });
  return [one, two];
};

let httpd, echo;
const keys = {};
const issuers = {};

const block = (h, name, file, prefix) => `<AgentAuthIssuer ${issuers[name].url}>
  AgentAuthAudience gateway
  AgentAuthJWKS "${h.path(`${file}.json`)}"
  AgentAuthIdentityPrefix "${prefix}"
</AgentAuthIssuer>
`;

/* name, port, realm, what stands in it */
const HOSTS = [
  ["red.test", 0, null, (h) => block(h, "red", "red", "") + block(h, "same1", "same1", "s:")],
  ["blue.test", 0, null, (h) => block(h, "blue", "blue", "") + block(h, "same2", "same2", "s:")],
  ["red-too.test", 0, "red.test", (h) => block(h, "red", "red", "r:")],
  ["green.test", 1, "green", (h) => block(h, "green", "green", "green:")],
  ["plain.test", 1, "plain", () => ""],
  ["bare.test", 1, undefined, () => ""], // not one directive of ours
  ["odd.test", 1, "odd", () => "AgentAuthAPIKeyPrefix odd-key-\nAgentAuthAPIKeyHeader X-Odd"],
];

before(async () => {
  echo = await startEcho();
  for (const name of ["red", "blue", "green"]) issuers[name] = makeIssuer(`https://${name}.test`, "gateway");
  [issuers.same1, issuers.same2] = twins();
  httpd = await startHttpd({
    ports: 3,
    modules: ["proxy", "proxy_http"],
    async prepare(h) {
      await h.write("policy.lua", POLICY);
      for (const [name, issuer] of Object.entries(issuers)) await h.write(`${name}.json`, issuer.jwks);
    },
    config: (h) => `<Location "/">
  AuthType AgentAuth
  Require valid-user
  AgentAuthPolicy "${h.path("policy.lua")}"
  AgentAuthRoutes none
  AgentAuthEnforce headers
</Location>
${HOSTS.map(([name, port, realm, more]) => `<VirtualHost 127.0.0.1:${h.ports[port]}>
  ServerName ${name}
  ${realm ? `AgentAuthRealm ${realm}` : ""}
  ${more(h)}
  ProxyPass "/" "${echo.url}/"
</VirtualHost>`).join("\n")}
<VirtualHost 127.0.0.1:${h.ports[2]}>
  ProxyPass "/" "${echo.url}/"
</VirtualHost>`,
  });
  for (const realm of ["red.test", "blue.test", "green", "plain", "odd", "bare.test", "gateway.test"]) {
    await httpd.addUser("alice", { realm, permissions: [realm] });
    keys[realm] = await httpd.addKey("alice", { realm });
  }
});
after(async () => {
  await httpd?.stop();
  echo?.close();
});

/* Status, and who the backend was told. */
async function ask(host, credential) {
  const [, port] = HOSTS.find(([name]) => name === host);
  echo.take();
  const answer = await httpd.request({
    port: httpd.ports[port],
    path: "/x",
    headers: ["Host", host, "Authorization", `Bearer ${credential}`],
  });
  const seen = echo.take();
  return { answer, who: seen.length ? seen[0].header("AgentAuth-Identity") : null, seen: seen[0] };
}

/* Each in turn, three times over: the second time from what is remembered. */
async function matrix(credentials) {
  for (let round = 0; round < 3; round++) {
    const order = round % 2 ? [...HOSTS].reverse() : HOSTS;
    for (const { credential, name, good } of credentials)
      for (const [host] of order) {
        const { answer, who } = await ask(host, credential);
        const wanted = good[host] ?? null;
        assert.equal(answer.status, wanted === null ? 401 : 200, `${name} at ${host}, round ${round}`);
        assert.equal(who, wanted, `${name} at ${host}`);
        if (wanted === null && !/^(red|blue|green)-token|same/.test(name))
          assert.match(answer.header("WWW-Authenticate"), /error="invalid_token"/);
      }
  }
}

test("a host without a name is of the main server's realm", async () => {
  for (const [key, wanted] of [[keys["gateway.test"], 200], [keys["bare.test"], 401]]) {
    const answer = await httpd.request({ port: httpd.ports[2], path: "/x", headers: ["X-API-Key", key] });
    assert.equal(answer.status, wanted);
  }
});

test("the command knows each realm once", async () => {
  const { code, stderr } = await httpd.cli("user", "list");
  assert.equal(code, 2);
  for (const realm of ["red.test", "blue.test", "green", "plain", "odd", "bare.test"])
    assert.equal(stderr.split(/[\s,:]+/).filter((word) => word === realm).length, 1, stderr);
});

describe("keys", () => {
  test("open their own realm only", async () => {
    await matrix([
      { name: "red-key", credential: keys["red.test"], good: { "red.test": "alice", "red-too.test": "alice" } },
      { name: "blue-key", credential: keys["blue.test"], good: { "blue.test": "alice" } },
      { name: "green-key", credential: keys.green, good: { "green.test": "alice" } },
      { name: "plain-key", credential: keys.plain, good: { "plain.test": "alice" } },
      { name: "bare-key", credential: keys["bare.test"], good: { "bare.test": "alice" } },
      { name: "odd-key", credential: keys.odd, good: { "odd.test": "alice" } },
    ]);
  });

  test("users of one name are different people", async () => {
    const own = async (host, realm) =>
      JSON.parse((await ask(host, keys[realm])).seen.header("AgentAuth-User")).permissions;
    assert.deepEqual(await own("red.test", "red.test"), ["red.test"]);
    assert.deepEqual(await own("blue.test", "blue.test"), ["blue.test"]);
    assert.deepEqual(await own("red-too.test", "red.test"), ["red.test"]);
  });

  test("revoked in one realm, the other's stays; a shared realm hears of it", async () => {
    const id = keys["red.test"].slice("sk-agentauth-".length).slice(0, 10);
    const other = await httpd.cli("--realm", "blue.test", "key", "revoke", id);
    assert.notEqual(other.code, 0, "a key is of its realm for the command, too");
    assert.equal((await ask("red.test", keys["red.test"])).who, "alice");
    await httpd.cliOk("--realm", "red.test", "user", "disable", "alice");
    assert.equal((await ask("red.test", keys["red.test"])).answer.status, 401);
    assert.equal((await ask("red-too.test", keys["red.test"])).answer.status, 401);
    assert.equal((await ask("blue.test", keys["blue.test"])).who, "alice");
    await httpd.cliOk("--realm", "red.test", "user", "enable", "alice");
    assert.equal((await ask("red-too.test", keys["red.test"])).who, "alice");
  });

  test("a host's own prefix and header", async () => {
    assert.match(keys.odd, /^odd-key-/);
    const headers = (name, key) => ["Host", "odd.test", name, key];
    const at = (list) => httpd.request({ port: httpd.ports[1], path: "/x", headers: list });
    assert.equal((await at(headers("X-Odd", keys.odd))).status, 200);
    assert.equal((await at(headers("X-API-Key", keys.odd))).status, 401);
    const moved = await at(headers("X-Odd", keys.green));
    assert.equal(moved.status, 401);
    assert.equal(moved.header("AgentAuth-Error"), "AGA0105");
  });
});

describe("tokens", () => {
  test("count where their issuer stands only", async () => {
    await matrix([
      { name: "red-token", credential: issuers.red.token("ann"), good: { "red.test": "ann", "red-too.test": "r:ann" } },
      { name: "blue-token", credential: issuers.blue.token("ann"), good: { "blue.test": "ann" } },
      { name: "green-token", credential: issuers.green.token("ann"), good: { "green.test": "green:ann" } },
    ]);
  });

  test("of two issuers of one name, by their keys", async () => {
    await matrix([
      { name: "same1", credential: issuers.same1.token("ann"), good: { "red.test": "s:ann" } },
      { name: "same2", credential: issuers.same2.token("ann"), good: { "blue.test": "s:ann" } },
    ]);
  });

  test("the challenge names the realm that was asked", async () => {
    for (const [host, realm] of [["red.test", "red.test"], ["red-too.test", "red.test"], ["green.test", "green"]]) {
      const { answer } = await ask(host, "sess_x");
      assert.equal(answer.header("WWW-Authenticate"), `Bearer realm="${realm}"`);
    }
  });

  test("many at once, mixed", async () => {
    const cases = [
      ["red.test", keys["red.test"], 200], ["blue.test", keys["red.test"], 401],
      ["red.test", issuers.red.token("z"), 200], ["blue.test", issuers.red.token("z"), 401],
      ["green.test", keys.green, 200], ["plain.test", keys.green, 401],
    ];
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => {
        const [host, credential, wanted] = cases[i % cases.length];
        const [, port] = HOSTS.find(([name]) => name === host);
        return httpd
          .request({ port: httpd.ports[port], path: "/x", headers: ["Host", host, "Authorization", `Bearer ${credential}`] })
          .then((answer) => [host, answer.status, wanted]);
      }),
    );
    for (const [host, status, wanted] of answers) assert.equal(status, wanted, host);
  });
});

test("after a graceful restart it is the same", async () => {
  await httpd.graceful();
  await matrix([
    { name: "red-key", credential: keys["red.test"], good: { "red.test": "alice", "red-too.test": "alice" } },
    { name: "blue-token", credential: issuers.blue.token("ann"), good: { "blue.test": "ann" } },
  ]);
});
