// SPDX-License-Identifier: Apache-2.0
// Clients that leave a stream while the backend has nothing to say: it learns
// of it at once, the worker is free again, and nobody else's answer is ended.
//
// Environment: AA_ROUNDS (how long the crowd comes and goes).
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import http2 from "node:http2";
import tls from "node:tls";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as later } from "node:timers/promises";
import { promisify } from "node:util";
import { gatewayPlace, startTenants } from "./lib/tenants.mjs";

const NOTICED = 10_000; // ms until a client that left is missed: a look a second
const WORKERS = 4;
const ROUNDS = Number(process.env.AA_ROUNDS ?? 3);
const FEW = `ServerLimit 1
StartServers 1
ThreadsPerChild ${WORKERS}
MinSpareThreads 1
MaxSpareThreads ${WORKERS}
MaxRequestWorkers ${WORKERS}
`;
const SSE = { "Content-Type": "text/event-stream" };
const STREAM = "GET /threads/T/stream";

/* Each: how a client with an open stream leaves. */
const PARTINGS = {
  closes: (socket) => socket.destroy(),
  resets: (socket) => socket.resetAndDestroy(),
  "closes its half": (socket) => socket.end(),
  "closes with another request under way": (socket) => {
    socket.write("GET /ok HTTP/1.1\r\nHost: x\r\n\r\n");
    socket.end();
  },
};

let T;
const at = (line) => line.replace("/T", `/${T}`);

/* The backend begins an answer and falls silent; where that ends is awaited. */
function silence(world, line, { head = true } = {}) {
  const answer = {};
  answer.begun = new Promise((resolve) => {
    world.backend.say(at(line), ({ response }) => {
      answer.response = response;
      answer.left = once(response, "close");
      if (head) response.writeHead(200, SSE).write("data: first\n\n");
      resolve();
    });
  });
  return answer;
}

/** Milliseconds from here until the backend's connection has ended. */
async function missed(answer, leave) {
  const since = Date.now();
  await leave();
  await answer.left;
  const ms = Date.now() - since;
  assert.ok(ms < NOTICED, `the backend heard of it after ${ms} ms`);
}

async function open(world, line, body) {
  const answer = silence(world, line);
  const connection = await world.httpd.connect();
  connection.send(world.bytes("alice", at(line), body));
  await answer.begun;
  await connection.until("data: first\n\n");
  return { ...answer, connection, socket: connection.socket };
}

/* Looks have been taken, for others have been missed. */
async function looks(world, n = 2) {
  for (let i = 0; i < n; i++) {
    const stream = await open(world, STREAM);
    await missed(stream, () => stream.socket.destroy());
  }
}

const ok = async (world, name = "alice") => {
  const answer = await world.ask(name, at("GET /threads/T/state"));
  assert.equal(answer.status, 200, answer.text);
};

async function certificate(httpd) {
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => httpd.path(name));
  await promisify(execFile)("openssl", [
    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=gateway.test",
    "-days", "2", "-keyout", key, "-out", cert,
  ]);
}

for (const mode of ["gateway", "headers"])
  describe(mode, () => {
    let world;
    before(async () => {
      world = await startTenants({
        modules: ["http2", "ssl"],
        ports: 2,
        config: (h, backend) => `${FEW}Protocols h2c http/1.1
<VirtualHost 127.0.0.1:${h.ports[1]}>
SSLEngine on
SSLCertificateFile "${h.path("cert.pem")}"
SSLCertificateKeyFile "${h.path("key.pem")}"
${gatewayPlace(h, backend.url, `AgentAuthEnforce ${mode}`)}</VirtualHost>
${gatewayPlace(h, backend.url, `AgentAuthEnforce ${mode}`)}`,
        prepare: certificate,
      });
    });
    after(() => world?.stop());
    beforeEach(async () => {
      world.backend.forget();
      T = randomUUID();
      world.backend.make(T, { owner: "alice" });
    });

    for (const [name, part] of Object.entries(PARTINGS))
      test(name, async () => {
        const stream = await open(world, STREAM);
        await missed(stream, () => part(stream.socket));
        // Whoever still listens can tell that it was not the end.
        const rest = await stream.connection.rest().catch(() => "");
        assert.ok(!rest.includes("0\r\n\r\n"), `a whole answer: ${rest}`);
        await ok(world);
      });

    test("leaves a stream by POST", async () => {
      const stream = await open(world, "POST /threads/T/runs/stream", { assistant_id: "agent", input: {} });
      await missed(stream, () => stream.socket.destroy());
    });

    test("leaves over TLS", async () => {
      const answer = silence(world, STREAM);
      const socket = tls.connect({ port: world.httpd.ports[1], host: "127.0.0.1", rejectUnauthorized: false });
      socket.on("error", () => {});
      await once(socket, "secureConnect");
      socket.write(world.bytes("alice", at(STREAM)));
      await answer.begun;
      await once(socket, "data");
      await missed(answer, () => socket.destroy());
    });

    test("leaves before the head", async () => {
      const line = "POST /threads/T/runs/wait";
      const answer = silence(world, line, { head: false });
      const connection = await world.httpd.connect();
      connection.send(world.bytes("alice", at(line), { assistant_id: "agent", input: {} }));
      await answer.begun;
      await missed(answer, () => connection.close());
      await ok(world);
    });

    test("leaves one stream of an HTTP/2 connection", async () => {
      const session = http2.connect(world.httpd.url);
      const begin = async () => {
        const answer = silence(world, STREAM);
        const [, path] = at(STREAM).split(" ");
        const stream = session.request({ ":path": path, "x-api-key": world.keys.alice });
        stream.on("error", () => {});
        await answer.begun;
        await once(stream, "data");
        return { ...answer, stream };
      };
      const [left, kept] = [await begin(), await begin()];
      await missed(left, () => left.stream.close(http2.constants.NGHTTP2_CANCEL));
      await looks(world);
      kept.response.write("data: second\n\n");
      assert.match(String(await once(kept.stream, "data")), /second/);
      await missed(kept, () => session.destroy());
    });

    test("leaves no worker behind", async () => {
      for (let i = 0; i < 3; i++) {
        const streams = [];
        for (let n = 0; n < WORKERS; n++) streams.push(await open(world, STREAM));
        for (const { socket } of streams) socket.destroy();
        await ok(world); // which waits for one
        await Promise.all(streams.map(({ left }) => left));
      }
    });

    test("is slow but there", async () => {
      const stream = await open(world, STREAM);
      stream.socket.pause();
      // More than fits into what lies between.
      for (let i = 0; i < 400; i++) stream.response.write(`data: ${"x".repeat(60_000)}\n\n`);
      stream.response.end("data: last\n\n");
      await looks(world);
      assert.ok(stream.response.writableLength > 0, "all of it was taken");
      let tail = "";
      const whole = new Promise((resolve) =>
        stream.socket.on("data", (part) => {
          tail = (tail + part).slice(-40);
          if (/data: last\n\n\r\n0\r\n\r\n$/.test(tail)) resolve();
        }),
      );
      stream.socket.resume();
      await whole;
      stream.connection.close();
    });
  });

// ------------------------------------------------------------- taking it along

/* alice may do all, bob reads along. */
const READER = `
local auth = require "agentauth"
auth.on(function(ctx, value)
  value.metadata = value.metadata or {}
  value.metadata.owner = "alice"
  return { owner = "alice" }
end)
auth.on.threads.update(function(ctx, value)
  return ctx.user.identity == "alice" and value.action == "interrupt" and value.metadata.run_ids[1] ~= nil
end)
`;

/* Each: whether that cancels a run when its reader leaves. */
const CANCELS = {
  "": false,
  "?cancel_on_disconnect=0": false,
  "?cancel_on_disconnect=false": false,
  "?cancel_on_disconnect=False": false,
  "?other=1": false,
  "?cancel_on_disconnect=1": true,
  "?cancel_on_disconnect=true": true,
  "?cancel_on_disconnect=True": true,
  "?cancel_on_disconnect=TRUE": true,
  "?cancel_on_disconnect=yes": true,
  "?cancel_on_disconnect=on": true,
  "?cancel_on_disconnect=t": true,
  "?cancel_on_disconnect=": true,
  "?cancel_on_disconnect": true,
  "?cancel%5Fon_disconnect=true": true,
  "?a=b&cancel_on_disconnect=%74rue": true,
};

for (const mode of ["gateway", "headers"])
  describe(`cancel_on_disconnect, ${mode}`, () => {
    let world, run, own;
    before(async () => {
      world = await startTenants({
        policy: READER,
        config: (h, backend) => gatewayPlace(h, backend.url, `AgentAuthEnforce ${mode}`),
      });
      T = randomUUID();
      world.backend.make(T, { owner: "alice" });
      run = (await world.ask("alice", at("POST /threads/T/runs"), { assistant_id: "agent" })).json.run_id;
      own = (await world.ask("bob", "POST /runs", { assistant_id: "agent" })).json.run_id;
      world.backend.say(/\/(join|stream)$/, ({ json }) => json({}), { always: true });
    });
    after(() => world?.stop());

    const rows = () => ({
      stream: `/threads/${T}/runs/${run}/stream`,
      join: `/threads/${T}/runs/${run}/join`,
      ...(mode === "gateway" ? { "a stateless stream": `/runs/${own}/stream` } : {}),
    });

    for (const [query, cancels] of Object.entries(CANCELS))
      test(`${query || "nothing"} ${cancels ? "is an update" : "reads"}`, async () => {
        for (const [name, path] of Object.entries(rows())) {
          world.backend.take();
          const answer = await world.ask("bob", `GET ${path}${query}`);
          assert.equal(answer.status, cancels ? 403 : 200, `${name}: ${answer.text}`);
          if (cancels) assert.deepEqual(world.backend.take(), [], name);
          else assert.equal(world.backend.take().at(-1).url, `${path}${query}`, name);
          if (path.includes(own)) continue;
          const hers = await world.ask("alice", `GET ${path}${query}`);
          assert.equal(hers.status, 200, `${name}: ${hers.text}`);
          assert.equal(world.backend.take().at(-1).url, `${path}${query}`, name);
        }
      });

    /* Servers differ in which of two they take. */
    for (const query of ["cancel_on_disconnect=0&cancel_on_disconnect=1", "cancel_on_disconnect=1&cancel%5fon_disconnect=0"])
      test(`${query} is refused`, async () => {
        for (const [name, path] of Object.entries(rows()))
          for (const who of ["alice", "bob"]) {
            const answer = await world.ask(who, `GET ${path}?${query}`);
            assert.ok([400, 404].includes(answer.status), `${name}: ${answer.status} ${answer.text}`);
          }
      });
  });

// ------------------------------------------------------------------ the others

/* Streams that end by themselves just as their client leaves: the backend's
 * connection is another request's a moment later. */
test("nobody else's answer is ended", { timeout: 300_000 }, async () => {
  const world = await startTenants({ config: (h, backend) => gatewayPlace(h, backend.url) });
  try {
    T = randomUUID();
    world.backend.make(T, { owner: "alice" });
    const line = at(STREAM);
    const brief = at("GET /threads/T/history");
    world.backend.say(line, async ({ response }) => {
      response.writeHead(200, SSE).write("data: first\n\n");
      for (let i = 0; i < 4; i++) {
        await later(250 * Math.random());
        response.write(`data: ${i}\n\n`);
      }
      response.end("data: last\n\n");
    }, { always: true });
    world.backend.say(brief, ({ json }) => json([]), { always: true });

    let going = true, whole = 0;
    const stay = async () => {
      while (going) {
        const answer = await world.ask("alice", line);
        assert.match(answer.text, /first[^]*0\n[^]*1\n[^]*2\n[^]*3\n[^]*last\n\n$/);
        assert.equal((await world.ask("alice", brief)).text, "[]");
        whole++;
      }
    };
    const leave = async () => {
      const connection = await world.httpd.connect();
      connection.send(world.bytes("alice", line));
      await connection.until("data: first\n\n");
      await later(1100 * Math.random());
      connection.close();
    };
    const crowd = Array.from({ length: 12 }, stay);
    for (let i = 0; i < ROUNDS; i++) await Promise.all(Array.from({ length: 24 }, leave));
    going = false;
    await Promise.all(crowd);
    assert.ok(whole >= 12, `${whole} whole answers`);
  } finally {
    await world.stop();
  }
});

/* The backend has answered, and its connection, the only one, is another's;
 * the client gets the rest of the answer bit by bit, and leaves now. */
test("a connection that was passed on is not ended", async () => {
  const drip = `/threads/${randomUUID()}/stream`;
  const world = await startTenants({
    modules: ["ratelimit"],
    ports: 2,
    config: (h, backend) => `${FEW}
${gatewayPlace(h, backend.url, "AgentAuthEnforce headers").replace("retry=0", "retry=0 max=1")}
<Location "${drip}">
SetOutputFilter RATE_LIMIT
SetEnv rate-limit 4
</Location>
<VirtualHost 127.0.0.1:${h.ports[1]}>
${gatewayPlace(h, backend.url.replace("127.0.0.1", "localhost"), "AgentAuthEnforce headers")}</VirtualHost>`,
  });
  try {
    T = randomUUID();
    world.backend.say(`GET ${drip}`, ({ response }) => response.writeHead(200, { ...SSE, "Content-Length": 16_000 }).end("x".repeat(16_000)));
    const leaver = await world.httpd.connect();
    leaver.send(world.bytes("alice", `GET ${drip}`));
    await leaver.until("\r\n\r\n");

    const other = silence(world, STREAM);
    const connection = await world.httpd.connect();
    connection.send(world.bytes("alice", at(STREAM)));
    await other.begun;
    leaver.socket.end();
    await looks({ ...world, httpd: { connect: () => world.httpd.connect(world.httpd.ports[1]) } });
    other.response.end("data: last\n\n");
    await connection.until("data: last\n\n");
    await connection.until("0\r\n\r\n");
    connection.close();
    leaver.close();
  } finally {
    await world.stop();
  }
});

/* What a client does is no fault of the backend's: no member of a balancer is
 * taken out for it. */
test("a backend whose clients leave is in order", async () => {
  const world = await startTenants({
    modules: ["proxy_balancer", "lbmethod_byrequests", "slotmem_shm"],
    config: (h, backend) => `<Proxy "balancer://agents">
BalancerMember ${backend.url} flushpackets=on retry=600
ProxySet failonstatus=500,502,503
</Proxy>
${gatewayPlace(h, "balancer://agents", "AgentAuthEnforce headers").replace("flushpackets=on retry=0", "")}`,
  });
  try {
    T = randomUUID();
    world.backend.make(T, { owner: "alice" });
    for (const line of [STREAM, "POST /threads/T/runs/wait"])
      for (const before of [0, 1])
        for (const head of [true, false]) {
          // A fresh connection to the backend, too.
          world.backend.drop();
          const connection = await world.httpd.connect();
          for (let i = 0; i < before; i++) {
            connection.send(world.bytes("alice", at("GET /threads/T")));
            assert.equal((await connection.answer()).status, 200);
            world.backend.drop();
          }
          const answer = silence(world, line, { head });
          const body = line.startsWith("POST") ? { assistant_id: "agent" } : undefined;
          connection.send(world.bytes("alice", at(line), body));
          await answer.begun;
          await missed(answer, () => connection.close());
          assert.equal((await world.ask("alice", at("GET /threads/T"))).status, 200);
        }
    // What the log says of a member that is taken out, and of a broken answer.
    const blamed = /AH01174|AH01110|into error state/;
    assert.doesNotMatch(await world.httpd.errorLog(), blamed);
    // So it does of a backend that breaks off by itself.
    world.backend.say(at(STREAM), ({ socket }) => socket.destroy());
    await world.ask("alice", at(STREAM)).catch(() => {});
    await world.httpd.logged(blamed);
  } finally {
    await world.stop();
  }
});
