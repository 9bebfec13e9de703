// SPDX-License-Identifier: Apache-2.0
// Requests of somebody who knows how the gateway is made.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { networkInterfaces } from "node:os";
import { after, before, beforeEach, describe, test } from "node:test";
import { gatewayPlace, startTenants } from "./lib/tenants.mjs";

describe("requests that are odd, not wrong", () => {
  let world, T;
  before(async () => {
    world = await startTenants({
      config: (httpd, backend) => gatewayPlace(httpd, backend.url, "AgentAuthWebhookOrigin *"),
    });
  });
  after(() => world?.stop());
  beforeEach(async () => {
    T = randomUUID();
    world.backend.make(T, { owner: "bob" }, { values: { text: "his" } });
    world.backend.take();
  });

  test("a GET with a body that nobody wants", async () => {
    for (const body of ["{}", "x", ""]) {
      const answer = await world.ask("bob", `GET /threads/${T}`, body);
      assert.equal(answer.status, 200, `${body}: ${answer.text}`);
      assert.equal((await world.ask("alice", `GET /threads/${T}`, body)).status, 404);
    }
    assert.deepEqual(world.backend.take().map(({ text }) => text).filter(Boolean), []);
  });

  /* What is stamped makes a body where none came. When the request is refused
   * then, nobody waits for that body, nor takes it out of what follows. */
  test("a refused POST without a body, and what follows it", async () => {
    const key = `X-API-Key: ${world.keys.bob}`;
    const runs = [`POST /threads/${T}/runs HTTP/1.1`, "Host: x", key];
    const read = [`GET /threads/${T} HTTP/1.1`, "Host: x", key];
    for (const lines of [[], ["Content-Length: 0"], ["Content-Length: 0", "Range: bytes=0-10"], ["Transfer-Encoding: chunked"]]) {
      const connection = await world.httpd.connect();
      const post = () => connection.sendLines(...runs, ...lines).send(/chunked/.test(lines) ? "0\r\n\r\n" : "");
      const refused = async () => {
        const answer = await connection.answer();
        assert.equal(answer.status, 422, `${lines}: ${answer.text}`);
        assert.equal(answer.header("agentauth-error"), "AGA0709");
      };
      post();
      await refused();
      post();
      connection.sendLines(...read).sendLines(...read);
      await refused();
      for (let i = 0; i < 2; i++) assert.equal((await connection.answer()).status, 200, `${lines}`);
      connection.close();
    }
    assert.deepEqual(world.backend.take().filter(({ line }) => line.startsWith("POST")), []);
  });

  /* A backend that listens on every address answers at each. */
  test("a webhook to an address of this machine", async () => {
    const addresses = Object.values(networkInterfaces()).flat().filter((one) => !one.internal && !one.scopeid);
    const hosts = addresses.flatMap(({ address, family }) =>
      family === "IPv6" ? [`[${address}]`] : [address, `[::ffff:${address}]`]);
    for (const host of hosts) {
      const webhook = `http://${host}:${world.backend.port}/threads/${T}/state`;
      const answer = await world.ask("bob", `POST /threads/${T}/runs`, { assistant_id: "agent", webhook });
      assert.equal(answer.status, 200, answer.text);
      const sent = world.backend.take().find(({ line }) => line === `POST /threads/${T}/runs`);
      assert.equal(JSON.parse(sent.text).webhook, undefined, webhook);
    }
  });

  test("a webhook elsewhere goes on", async () => {
    const webhook = "http://192.0.32.8/hook"; // nobody calls it here
    assert.equal((await world.ask("bob", `POST /threads/${T}/runs`, { assistant_id: "agent", webhook })).status, 200);
    const sent = world.backend.take().find(({ line }) => line === `POST /threads/${T}/runs`);
    assert.equal(JSON.parse(sent.text).webhook, webhook);
  });

  test("a webhook to itself, however it is spelled", async () => {
    const port = world.backend.port, passed = [];
    for (const webhook of [
      `http://127.1:${port}/x`, `http://2130706433:${port}/x`, `http://0x7f000001:${port}/x`, `http://0177.0.0.1:${port}/x`,
      `http://localhost:${port}/x`, `HTTP://LOCALHOST.:${port}/x`, `http://[::1]:${port}/x`, `http://[::ffff:127.0.0.1]:${port}/x`,
      `http://[::ffff:7f00:1]:${port}/x`, `http://[64:ff9b::7f00:1]:${port}/x`, `http://0:${port}/x`, `http://0.0.0.0:${port}/x`,
      `http://user@127.0.0.1:${port}/x`, `http://example.com@127.0.0.1:${port}/x`, `http://127.0.0.1\\@example.com:${port}/x`,
      `http://127.0.0.1%2f@example.com/x`, `http:/127.0.0.1:${port}/x`, `http:127.0.0.1:${port}/x`, `http:\\\\127.0.0.1:${port}\\x`,
      ` http://127.0.0.1:${port}/x`, `\thttp://127.0.0.1:${port}/x`, `http://127.0.0.1:${port}`, `ht\ntp://127.0.0.1:${port}/x`, `//127.0.0.1:${port}/x`,
      `http://①②⑦.⓪.⓪.①:${port}/x`, `http://127。0。0。1:${port}/x`, "/threads/x/state", "threads/x/state", "", "file:///etc/passwd", "data:,x", ["http://127.0.0.1/"], 5,
    ]) {
      const answer = await world.ask("bob", `POST /threads/${T}/runs`, { assistant_id: "agent", webhook });
      assert.equal(answer.status, 200, `${webhook}: ${answer.text}`);
      const sent = world.backend.take().find(({ line }) => line === `POST /threads/${T}/runs`);
      if (JSON.parse(sent.text).webhook !== undefined) passed.push(webhook);
    }
    assert.deepEqual(passed, []);
  });
});
