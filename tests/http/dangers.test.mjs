// SPDX-License-Identifier: Apache-2.0
// The dangers of an agent server without authentication behind a gateway, and
// of one with its own: each attack, beside the twin that is let in.
//
// Environment: AA_MODES (native,headers,gateway).
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { attacks } from "./lib/attacks.mjs";
import { unused } from "./lib/differences.mjs";
import { TEMPTING } from "./lib/policies.mjs";
import { MODES, startWorld } from "./lib/world.mjs";

/* Those that the gateway cannot tell from the backend's own may be anywhere. */
const MORE = { gateway: "AgentAuthWebhookOrigin *" };

for (const mode of MODES)
  describe(`mode ${mode}`, () => {
    let world;
    before(async () => (world = await startWorld(mode, { name: "tempting", text: TEMPTING }, MORE[mode])));
    after(() => world?.stop());

    describe("dangers", { concurrency: 6 }, () => {
      for (const { danger, title, test: attack } of attacks)
        test(`${danger}. ${title}`, { timeout: 30_000 }, () => attack(world));
    });

    test("every difference that is written down is one", () => {
      assert.deepEqual(unused(mode, attacks.map(({ danger }) => `danger ${danger}`)), []);
    });
  });
