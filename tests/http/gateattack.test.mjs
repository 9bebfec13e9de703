// SPDX-License-Identifier: Apache-2.0
// Requests of somebody who knows how the gateway is made.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import { startTenants } from "./lib/tenants.mjs";

describe("requests that are odd, not wrong", () => {
  let world, T;
  before(async () => {
    world = await startTenants();
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
});
