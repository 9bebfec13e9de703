// SPDX-License-Identifier: Apache-2.0
// What a client is told: statuses of a policy's choice, methods of endpoints.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startEcho } from "./lib/echo.mjs";
import { startHttpd } from "./lib/httpd.mjs";

const POLICY = `local auth = require "agentauth"
auth.on.threads.read(function(ctx, value)
  if value.thread_id == "own" then return true end
  if value.thread_id == "no" then return false end
  error(auth.HTTPException { status_code = tonumber(value.thread_id), detail = "because",
                             headers = { ["X-Why"] = "policy" } })
end)`;

describe("answers of ours", () => {
  let httpd, echo;
  before(async () => {
    echo = await startEcho();
    httpd = await startHttpd({
      modules: ["proxy", "proxy_http"],
      prepare: (httpd) => httpd.write("policy.lua", POLICY),
      config: ({ root }) => `<Location "/">
    AuthType AgentAuth
    Require valid-user
    AgentAuthOpenAccess On
    AgentAuthPolicy "${root}/policy.lua"
    AgentAuthEnforce headers
    ProxyPass "${echo.url}/"
</Location>`,
    });
  });
  after(async () => {
    await httpd?.stop();
    echo?.close();
  });

  const read = (id) => httpd.request({ path: `/threads/${id}` });

  test("the twin is let in", async () => {
    assert.equal((await read("own")).status, 200);
    assert.equal(echo.take().length, 1);
  });

  test("false is forbidden, and nothing more is said", async () => {
    const answer = await read("no");
    assert.equal(answer.status, 403);
    assert.deepEqual(answer.json, { error: "forbidden" });
  });

  for (const [status, error] of [
    [400, "bad request"],
    [401, "unauthorized"],
    [402, "payment required"],
    [403, "forbidden"],
    [404, "not found"],
    [418, "refused"],
    [503, "service unavailable"],
    [599, "refused"],
  ])
    test(`HTTPException: ${status} says "${error}"`, async () => {
      const answer = await read(status);
      assert.equal(answer.status, status);
      assert.deepEqual(answer.json, { error, detail: "because" });
      assert.equal(answer.header("AgentAuth-Error"), "AGA0202");
      assert.equal(answer.header("X-Why"), "policy");
      assert.equal(echo.take().length, 0);
    });

  test("an endpoint says which methods it takes", async () => {
    const path = "/.well-known/agentauth/jwks.json";
    assert.equal((await httpd.request({ path })).status, 200);
    const answer = await httpd.request({ method: "POST", path });
    assert.equal(answer.status, 405);
    assert.deepEqual(answer.json, { error: "method not allowed" });
    assert.equal(answer.header("AgentAuth-Error"), "AGA0602");
    // httpd lists them in no order of its own
    assert.deepEqual(answer.header("Allow").split(/, ?/).filter((m) => m !== "TRACE").sort(), ["GET", "HEAD"]);
  });
});
