// SPDX-License-Identifier: Apache-2.0
// What somebody outside may try beyond a forged header: each was tried first.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { until } from "./lib/httpd.mjs";
import { makeIssuer } from "./lib/jwt.mjs";
import { place, startPlace } from "./lib/place.mjs";

const ID = "0192a5f0-0000-4000-8000-000000000001";
const FIELD = 65_536; // LimitRequestFieldSize
let world;

before(async () => {
  world = await startPlace({
    prepare: async (h) => {
      await h.write("issuer.json", makeIssuer("https://issuer.test", "gateway").jwks);
      await h.write("all.lua", 'require("agentauth").on(function() return true end)');
    },
    config: (h, echo) => `LimitRequestFieldSize ${FIELD}
<AgentAuthIssuer https://issuer.test>
AgentAuthAudience gateway
AgentAuthJWKS "${h.path("issuer.json")}"
AgentAuthIdentityPrefix ""
</AgentAuthIssuer>
AgentAuthDecisionLog "${h.path("log/decisions.log")}"
ProxyPass /a ${echo.url}
${place("/a", "AgentAuthRoutes langgraph prefix=/a")}
${place("/n", `AgentAuthPolicy all.lua\nAgentAuthRoutes none prefix=/n\nProxyPass ${echo.url}`)}
ProxyPass /plain ${echo.url}`,
  });
});
after(() => world?.stop());

const OVERRIDES = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"];

describe("another method or path by a header", () => {
  for (const name of OVERRIDES)
    test(name, async () => {
      const headers = [name, "DELETE", name.toLowerCase(), "/x", name.replaceAll("-", "_"), "y", `${name}-Not`, "1"];
      const seen = world.passed(await world.ask("GET", `/a/threads/${ID}`, { headers }));
      const left = seen.rawHeaders.map(([h]) => h.toLowerCase().replaceAll("_", "-"));
      assert.ok(!left.includes(name.toLowerCase()), left.join());
      assert.equal(seen.header(`${name}-Not`), "1");
    });

  test("where no policy decides it is none of ours", async () => {
    const headers = ["X-Original-URL", "/y"];
    const answer = await world.httpd.request({ path: "/plain/x", headers });
    assert.equal(world.passed(answer).header("X-Original-URL"), "/y");
  });
});

describe("cost", () => {
  /* Resident KiB of all children. */
  async function resident() {
    const all = await readFile(`/proc/${world.httpd.pid}/task/${world.httpd.pid}/children`, "utf8");
    const sizes = await Promise.all(
      all.trim().split(" ").map(async (pid) => {
        const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
        return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
      }),
    );
    return Math.max(...sizes);
  }

  test("a long Connection with a name of ours takes no memory beyond its length", async () => {
    const before = await resident();
    const value = `agentauth-x,${"a,".repeat(FIELD / 2 - 100)}`;
    const answer = await world.httpd.request({ path: "/nowhere", headers: ["Connection", value] });
    assert.equal(answer.status, 404);
    const grown = (await resident()) - before;
    assert.ok(grown < 100_000, `${grown} KiB`);
  });

  test("a body of very many values is refused before it is parsed", async () => {
    const send = (n) =>
      world.ask("POST", "/a/threads", {
        headers: ["Content-Type", "application/json"],
        body: `{"metadata":{"a":1},"other":[${"0,".repeat(n)}0]}`,
      });
    world.passed(await send(262_000));
    world.refused(await send(263_000), 400, "AGA0303");
    const text = `{"metadata":{"a":"${",[{".repeat(200_000)}"}}`;
    world.passed(await world.ask("POST", "/a/threads", { body: text }));
  });
});

test("a token that is no UTF-8 where it is quoted leaves a decision line", async () => {
  const bad = makeIssuer(`${"x".repeat(255)}\u00e9`, "gateway"); // cut within the letter
  const answer = await world.httpd.request({ path: "/a/ok", headers: ["Authorization", `Bearer ${bad.token("z")}`] });
  world.refused(answer, 401, "AGA0121");
  const lines = async () => (await readFile(world.httpd.path("log/decisions.log"), "utf8")).trim().split("\n");
  const line = await until(async () => (await lines()).find((l) => /AGA0121|could not be made/.test(l)), "its line");
  assert.equal(JSON.parse(line).code, "AGA0121");
  assert.match(JSON.parse(line).reason, /iss 'x{255}\\xc3'/);
});

describe("methods", () => {
  test("one that a map lets in", async () => {
    assert.equal(world.passed(await world.ask("PURGE", "/n/x")).method, "PURGE");
  });
  test("TRACE would show the client what the backend is told", async () => {
    world.refused(await world.ask("TRACE", "/n/x"), 404, "AGA0210");
  });
  for (const method of ["get", "Get", "purge"])
    test(`${method} is no spelling of another`, async () => {
      const wire = await world.httpd.connect(); // node would write it in capitals
      wire.sendLines(`${method} /n/x HTTP/1.1`, "Host: x", `X-API-Key: ${world.key}`);
      world.refused(await wire.answer(), 404, "AGA0210");
      wire.close();
    });
});

describe("what httpd itself cannot read", () => {
  for (const [name, path, headers, status] of [
    ["a header above its limit", "/a/ok", ["X-Long", "x".repeat(FIELD + 10)], 400],
    ["an encoded slash", "/a/threads/x%2Fy", [], 404],
  ])
    test(`${name} is refused in JSON`, async () => {
      const answer = await world.ask("GET", path, { headers });
      assert.equal(answer.status, status);
      assert.equal(answer.header("content-type"), "application/json");
      assert.ok(answer.json.error);
      assert.deepEqual(world.echo.take(), []);
    });
});
