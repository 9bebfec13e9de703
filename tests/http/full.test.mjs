// SPDX-License-Identifier: Apache-2.0
// The disk is full, or fails: what was acknowledged stays, what cannot be done
// is said, nothing is half done, and it goes on by itself afterwards.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CLI, preloads } from "./lib/httpd.mjs";
import { place, startPlace } from "./lib/place.mjs";

const SOURCE = fileURLToPath(new URL("lib/full_disk.c", import.meta.url));
const THREAD = "/a/threads/0192a5f0-0000-4000-8000-000000000001";
const WRITES = 60; // more than any command of these needs
let world, dir, shim, state;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "aa-full-"));
  await chmod(dir, 0o755);
  shim = join(dir, "full_disk.so");
  await promisify(execFile)(process.env.CC ?? "cc", ["-shared", "-fPIC", "-O1", "-o", shim, SOURCE]);
  world = await startPlace({
    prepare: async (httpd) => {
      state = join(await realpath(httpd.root), "state");
      httpd.options.env = { LD_PRELOAD: shim, FULL_DISK_DIR: state, FULL_DISK_FLAG: join(dir, "flag") };
    },
    // One process: a key is known to that which has seen it.
    config: (h, echo) => `LogLevel warn
StartServers 1
ServerLimit 1
MaxRequestWorkers 16
ProxyPass /a ${echo.url}
${place("/a", "AgentAuthRoutes langgraph prefix=/a")}`,
  });
});
after(async () => {
  await world?.stop();
  await rm(dir, { recursive: true, force: true });
});

const shimmed = (more) => ({ LD_PRELOAD: shim, FULL_DISK_DIR: state, ...more });
const spoil = (what) => writeFile(join(dir, "flag"), what);
const mend = () => rm(join(dir, "flag"), { force: true });
const flagged = (...args) => world.httpd.cliWith(shimmed({ FULL_DISK_FLAG: join(dir, "flag") }), ...args);
const ask = (key) => world.httpd.request({ path: THREAD, headers: ["X-API-Key", key] });

async function letIn(key, name) {
  const seen = world.passed(await ask(key), name);
  assert.match(seen.header("agentauth-filter"), /"owner"/);
}

/* All that the store says, as the command tells it. */
async function contents() {
  const users = JSON.parse(await world.httpd.cliOk("--json", "user", "list"));
  const keys = JSON.parse(await world.httpd.cliOk("--json", "key", "list"));
  for (const key of keys) delete key.last_used;
  return { users, keys };
}

/* SQLite's own opinion. */
async function sound() {
  const { stdout } = await promisify(execFile)("python3", [
    "-c",
    `import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
print(c.execute("PRAGMA integrity_check").fetchone()[0], c.execute("PRAGMA foreign_key_check").fetchall())`,
    join(world.httpd.stateDir, "agentauth.sqlite"),
  ]);
  assert.equal(stdout.trim(), "ok []");
}

describe("a full disk", () => {
  test("commands say so with 1, and nothing is half done", async () => {
    const key = await world.httpd.addKey("alice");
    const id = JSON.parse(await world.httpd.cliOk("--json", "key", "list")).at(-1).id;
    const before = await contents();
    await spoil("full");
    try {
      for (const args of [
        ["user", "create", "bob"],
        ["user", "disable", "alice"],
        ["user", "delete", "alice"],
        ["key", "create", "--user", "alice"],
        ["key", "revoke", id],
        ["key", "rotate", id],
      ]) {
        const { code, stdout, stderr } = await flagged(...args);
        assert.equal(code, 1, `${args.join(" ")}: ${stdout}${stderr}`);
        assert.equal(stdout, "", args.join(" "));
        assert.match(stderr, /no space left.*AGA0501/, args.join(" "));
      }
    } finally {
      await mend();
    }
    assert.deepEqual(await contents(), before);
    await sound();
    await letIn(key);
  });

  test("the known and the new go on, since reading needs no space", async () => {
    const known = await world.httpd.addKey("alice");
    await letIn(known);
    const fresh = await world.httpd.addKey("alice");
    await spoil("full");
    try {
      await letIn(known, "known");
      await letIn(fresh, "new");
      world.refused(await ask(fresh.replace(/.{6}$/, "AAAAAA")), 401, "AGA0110");
      await world.httpd.logged(/AGA0501: last use of key \S+ not noted: .*no space left/);
    } finally {
      await mend();
    }
    await letIn(fresh, "afterwards");
  });

  /* Full after the first write, the second, …: at some point it is enough. */
  for (const [name, make, check] of [
    ["a new key", () => ["key", "create", "--user", "alice"], async (done, output, before) => {
      assert.equal((await contents()).keys.length, before.keys.length + (done ? 1 : 0));
      if (done) await letIn(output.trim());
    }],
    ["a revocation", async () => ["key", "revoke", (await spare()).id], async (done, output, before, made) => {
      const answer = await ask(made.key);
      world.echo.take();
      assert.equal(answer.status, done ? 401 : 200);
    }],
  ])
    test(`${name}: cut off at any write it is done or not done, and says which`, async () => {
      let done = false;
      let refused = 0;
      for (let writes = 0; !done; writes++) {
        assert.ok(writes < WRITES, "never enough");
        const args = await make();
        const made = spares.at(-1);
        const before = await contents();
        const { code, stdout, stderr } = await world.httpd.cliWith(shimmed({ FULL_DISK_WRITES: String(writes) }), ...args);
        done = code === 0;
        if (!done) {
          refused++;
          assert.equal(code, 1, stderr);
          assert.match(stderr, /AGA0501/);
          assert.equal(stdout, "");
        }
        await check(done, stdout, before, made);
        await sound();
      }
      assert.ok(refused > 1, `refused only ${refused} times`);
    });

  const spares = [];
  /* A key that is in the caches of the processes. */
  async function spare() {
    const key = await world.httpd.addKey("alice");
    for (let i = 0; i < 4; i++) await letIn(key);
    const id = JSON.parse(await world.httpd.cliOk("--json", "key", "list")).at(-1).id;
    spares.push({ key, id });
    return spares.at(-1);
  }

  test("a state directory is made whole, or can be finished later", async () => {
    const state = join(dir, "state");
    const run = (env) =>
      new Promise((resolve) => {
        const args = ["--state", state, "--realm", "r", "user", "create", "carol"];
        execFile(CLI, args, { env: { PATH: process.env.PATH, ...env } }, (error, stdout, stderr) =>
          resolve({ code: error ? error.code : 0, stderr }),
        );
      });
    const cut = (writes) =>
      run({ LD_PRELOAD: preloads({ LD_PRELOAD: shim }), FULL_DISK_DIR: state, FULL_DISK_WRITES: String(writes) });
    let code = 1;
    for (let writes = 0; code; writes += writes < 6 ? 1 : 3) {
      assert.ok(writes < 2 * WRITES, "never enough");
      await rm(state, { recursive: true, force: true });
      const { stderr, ...first } = await cut(writes);
      code = first.code;
      if (!code) break;
      assert.equal(code, 1, stderr);
      assert.match(stderr, /AGA050[13]/);
      const again = await run({});
      assert.equal(again.code, 0, `after ${writes} writes: ${stderr}${again.stderr}`);
    }
    assert.match((await run({})).stderr, /already/);
  });

  test("a key that could not be shown is not called fine", async () => {
    const args = ["--state", world.httpd.stateDir, "key", "create", "--user", "alice"];
    const child = spawn("/bin/sh", ["-c", 'exec "$0" "$@" > /dev/full', CLI, ...args], {
      env: { PATH: process.env.PATH },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text) => (said += text));
    const [code] = await once(child, "close");
    assert.equal(code, 1, said);
    assert.notEqual(said, "");
  });
});

describe("a disk that does not answer", () => {
  test("the known go on, the rest gets 503, and it mends itself", async () => {
    const known = await world.httpd.addKey("alice");
    const fresh = await world.httpd.addKey("alice");
    await letIn(known);
    await spoil("dead");
    let answers;
    try {
      answers = [await ask(fresh), await ask(fresh)];
      for (let i = 0; i < 20; i++) await letIn(known, "known");
      const { code, stderr } = await flagged("key", "list");
      assert.equal(code, 1);
      assert.match(stderr, /AGA0501/);
    } finally {
      await mend();
    }
    world.echo.take();
    for (const answer of answers) {
      world.refused(answer, 503, "AGA0501");
      assert.ok(Number(answer.header("retry-after")) > 0);
    }
    assert.match(await world.httpd.errorLog(), /AGA0501: 503 temporarily unavailable: GET/);
    await letIn(fresh, "afterwards");
    await letIn(known, "afterwards");
    await sound();
  });
});

test("nobody has crashed, and the key of the start still works", async () => {
  assert.doesNotMatch(await world.httpd.errorLog(), /exit signal/);
  await letIn(world.key);
});
