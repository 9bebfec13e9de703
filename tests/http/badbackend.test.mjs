// SPDX-License-Identifier: Apache-2.0
// A backend that misbehaves under the gateway's questions and under proxied
// requests: it is refused with a code, nothing of it is passed on, and neither
// the connection, the worker nor a lock stays behind.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { gatewayPlace, startTenants } from "./lib/tenants.mjs";

const FOREIGN = "foreign-marker";
const MAX = 16 * 1024 * 1024; // of an answer that is looked at

/* bob's filter is beyond equality, so that his lists are looked at here. */
const POLICY = `
local auth = require "agentauth"
auth.on(function(ctx, value)
  local me = ctx.user.identity
  value.metadata = value.metadata or {}
  value.metadata.owner = me
  if me == "bob" and ctx.action == "search" then
    return { ["$or"] = { { owner = "bob" }, { owner = "bobby" } } }
  end
  return { owner = me }
end)
`;

const head = (status, ...fields) => `HTTP/1.1 ${status}\r\n${fields.map((f) => `${f}\r\n`).join("")}\r\n`;
const whole = (body, ...fields) =>
  head("200 OK", "Content-Type: application/json", `Content-Length: ${Buffer.byteLength(body)}`, ...fields) + body;

let world, T;
const mine = () => ({ thread_id: T, metadata: { owner: "bob" }, values: { text: FOREIGN }, status: "idle" });
const json = (extra = "") => JSON.stringify(mine()).replace(/}$/, `${extra}}`);

/* Each: what the backend does to one request. */
const BAD = {
  "too large, and says so": (a) => a.raw(head("200 OK", "Content-Type: application/json", `Content-Length: ${MAX + 1}`) + json()),
  "too large, in chunks": (a) => {
    const piece = `10000\r\n${" ".repeat(65536)}\r\n`;
    const { socket } = a;
    socket.write(head("200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked"));
    const more = () => {
      while (!socket.destroyed) if (!socket.write(piece)) return socket.once("drain", more);
    };
    more();
  },
  "not JSON": (a) => a.raw(whole(`<html>${FOREIGN}</html>`)),
  "half of it JSON": (a) => a.raw(whole(`${json()}${json()}`)),
  empty: (a) => a.raw(whole("")),
  "shorter than its Content-Length": (a) => a.raw(head("200 OK", "Content-Type: application/json", "Content-Length: 999") + json()),
  "cut in a chunk": (a) => a.raw(`${head("200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked")}fff\r\n${json()}`),
  "without the last chunk": (a) => {
    const text = json();
    a.raw(`${head("200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked")}${text.length.toString(16)}\r\n${text}\r\n`);
  },
  "two lengths": (a) => a.raw(head("200 OK", "Content-Length: 2", `Content-Length: ${json().length}`) + json()),
  "length and chunks": (a) => a.raw(`${head("200 OK", "Content-Length: 2", "Transfer-Encoding: chunked")}2\r\n{}\r\n0\r\n\r\n`),
  "compressed, although not asked": (a) => {
    const packed = gzipSync(json());
    a.raw(Buffer.concat([Buffer.from(head("200 OK", "Content-Type: application/json", "Content-Encoding: gzip", `Content-Length: ${packed.length}`)), packed]));
  },
  "a redirect elsewhere": (a) => a.raw(head("302 Found", `Location: http://evil.test/${FOREIGN}`, "Content-Length: 0")),
  "a redirect that stays": (a) => a.raw(head("307 Temporary Redirect", `Location: /threads/${FOREIGN}`, "Content-Length: 0")),
  "an error of its own": (a) => a.raw(head("500 Internal Server Error", "Content-Type: text/plain", `Content-Length: ${FOREIGN.length}`) + FOREIGN),
  "wants a login": (a) => a.raw(head("401 Unauthorized", 'WWW-Authenticate: Basic realm="x"', `Content-Length: ${FOREIGN.length}`) + FOREIGN),
  "closes at once": (a) => a.socket.destroy(),
  "closes in its head": (a) => a.raw("HTTP/1.1 200 OK\r\nContent-Ty"),
  "a 1xx and nothing": (a) => a.raw(head("103 Early Hints", `Link: <${FOREIGN}>`)),
  "switches protocols": (a) => a.raw(head("101 Switching Protocols", "Upgrade: x", "Connection: Upgrade") + FOREIGN),
  "no HTTP": (a) => a.raw(`SSH-2.0-${FOREIGN}\r\n`),
  "HTTP/0.9": (a) => a.raw(json()),
  "a text for an object": (a) => a.raw(whole(`"${FOREIGN}"`)),
  "a number": (a) => a.raw(whole("5")),
  "members twice": (a) => a.raw(whole(json(',"metadata":{"owner":"alice"}'))),
  "nested without end": (a) => a.raw(whole(json(`,"deep":${"[".repeat(100_000)}${"]".repeat(100_000)}`))),
  "no UTF-8": (a) => a.raw(Buffer.concat([Buffer.from(head("200 OK", "Content-Length: 14")), Buffer.from('{"a":"'), Buffer.from([0xff, 0xfe]), Buffer.from('b"}   ')])),
  "a NUL between": (a) => a.raw(whole(json().replace(",", ",\0"))),
  "a head without end": (a) => a.raw(`HTTP/1.1 200 OK\r\n${`X-Long: ${"a".repeat(4000)}\r\n`.repeat(30)}`),
};

/* Each: what bob asks, and the backend's request that goes wrong under it. */
const ASKED = {
  "an object that is looked at": () => ["GET /threads/T", "GET /threads/T"],
  "an object that is asked for first": () => ["GET /threads/T/state", "GET /threads/T"],
  "the question before a write": () => ["PATCH /threads/T", "GET /threads/T", { metadata: { a: 1 } }],
  "the question before a delete": () => ["DELETE /threads/T", "GET /threads/T"],
  "the thread of a run": () => ["POST /threads/T/runs", "GET /threads/T", { assistant_id: "agent", if_not_exists: "create" }],
  "the assistant of a run": () => ["POST /threads/T/runs", "GET /assistants/agent-T", { assistant_id: `agent-${T}` }],
  "what was created": () => ["POST /threads", "POST /threads", {}],
  "a list": () => ["POST /threads/search", "POST /threads/search", {}],
  "a count": () => ["POST /threads/count", "POST /threads/search", {}],
  "a batch": () => ["POST /runs/batch", "POST /runs/batch", [{ assistant_id: "agent" }]],
};

/* The reader is one and the same: elsewhere a few show that it is used. */
const ALL = ["an object that is looked at", "the question before a write", "a list"];
const SOME = [
  "too large, and says so", "not JSON", "shorter than its Content-Length", "compressed, although not asked",
  "a redirect elsewhere", "an error of its own", "closes in its head", "a text for an object",
];

const fill = (text) => text.replaceAll(/(?<=[/-])T\b/g, T);

before(async () => {
  world = await startTenants({
    policy: POLICY,
    config: (h, backend) => `ProxyTimeout 2\n${gatewayPlace(h, backend.url)}`,
  });
});
after(() => world?.stop());
beforeEach(() => {
  world.backend.forget();
  T = randomUUID();
  world.backend.make(T, { owner: "bob" }, { values: { text: "his" } });
});

/* A refusal in our words and nothing of theirs. */
function refused(answer, status, code, name) {
  const about = `${name}: ${answer.status} ${answer.rawHeaders?.join("|") ?? ""} ${answer.text.slice(0, 300)}`;
  assert.equal(answer.status, status, about);
  assert.equal(answer.header("agentauth-error"), code, about);
  assert.equal(answer.header("content-type"), "application/json", about);
  assert.ok(answer.json.error, about);
  const all = answer.text + JSON.stringify(answer.headers ?? "");
  assert.ok(!all.includes(FOREIGN), `${about}: passed on`);
}

/* What follows works: on this connection, and for others who want the lock. */
async function inOrder(connection, name) {
  connection.send(world.bytes("bob", fill("GET /threads/T")));
  const next = await connection.answer();
  assert.equal(next.status, 200, `${name}: the next one: ${next.text}`);
  assert.equal(next.json.values?.text, "his", name);
  const write = await world.ask("bob", fill("PATCH /threads/T"), { metadata: { b: 2 } });
  assert.equal(write.status, 200, `${name}: a write afterwards: ${write.text}`);
}

for (const [asked, make] of Object.entries(ASKED))
  describe(asked, () => {
    for (const [name, act] of Object.entries(BAD)) {
      if (!ALL.includes(asked) && !SOME.includes(name)) continue;
      test(name, async () => {
        const [line, theirs, body] = make();
        let times = 0;
        /* A GET may be asked again over a fresh connection. */
        world.backend.say(fill(theirs), (answer) => (times++, act(answer)), { always: true });
        const connection = await world.httpd.connect();
        connection.send(world.bytes("bob", fill(line), body));
        refused(await connection.answer(), 502, "AGA0702", name);
        assert.ok(times >= 1 && times <= 2, `asked ${times} times`);
        world.backend.forget();
        await inOrder(connection, name);
        connection.close();
      });
    }
  });

// ------------------------------------------------------------------- proxied

/* What goes through unread cannot be refused when its head is gone already;
 * then the client's connection ends, so that it is no whole answer. */
describe("an answer that is passed on", () => {
  const CUT = Object.keys(BAD).filter((name) =>
    /shorter|cut in|last chunk|closes|1xx and|head without/.test(name));
  for (const name of CUT)
    test(name, async () => {
      world.backend.say(fill("PATCH /threads/T"), BAD[name], { always: true });
      const connection = await world.httpd.connect();
      connection.send(world.bytes("bob", fill("PATCH /threads/T"), { metadata: { a: 1 } }));
      const final = async () => {
        const one = await connection.answer();
        return one.status < 200 ? final() : one;
      };
      const answer = await final().catch(() => null);
      assert.ok(!answer || answer.status >= 500, `${name}: ${answer?.status} ${answer?.text}`);
      connection.close();
      world.backend.forget();
      const fresh = await world.httpd.connect();
      await inOrder(fresh, name);
      fresh.close();
    });

  /* mod_proxy takes a first line that is none of HTTP's for the text of an
   * answer, whose head may be that of a 1xx; without any it refuses itself. */
  const NO_HTTP = {
    "no HTTP": BAD["no HTTP"],
    "HTTP/0.9": (a) => a.raw(`${json()}\n`),
    "no HTTP after a 1xx": (a) => a.raw(`${head("103 Early Hints", `X: ${FOREIGN}`)}SSH-2.0-${FOREIGN}\r\n`),
    "a status of letters": (a) => a.raw(`HTTP/1.1 two\r\nX: ${FOREIGN}\r\n\r\n`),
    "no HTTP, no line": (a) => a.raw(FOREIGN),
  };
  for (const [name, act] of Object.entries(NO_HTTP))
    for (const [line, body] of [["PATCH /threads/T", { metadata: { a: 1 } }], ["GET /threads/T/stream"], ["HEAD /threads/T/stream"]])
      test(`${name}: ${line}`, async () => {
        world.backend.say(line.startsWith("HEAD") ? /^HEAD/ : fill(line), act, { always: true });
        const answer = await world.ask("bob", fill(line), body, ["Connection", "close"]);
        assert.equal(answer.status, 502, answer.text);
        if (!name.includes("no line")) assert.equal(answer.header("agentauth-error"), "AGA0702");
        if (!line.startsWith("HEAD")) assert.equal(answer.json.error, "bad gateway");
        assert.ok(!(answer.text + JSON.stringify(answer.rawHeaders)).includes(FOREIGN), "passed on");
        world.backend.forget();
        const fresh = await world.httpd.connect();
        await inOrder(fresh, name);
        fresh.close();
      });

  const HTTP = {
    "HTTP/1.1": (a) => a.raw(whole(json(), "Connection: close")),
    "HTTP/1.0, until it closes": (a) => a.raw(`HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n${json()}`),
    "HTTP/1.1 after a 1xx": (a) => a.raw(head("103 Early Hints") + whole(json(), "Connection: close")),
    "an empty line first": (a) => a.raw(`\r\n${whole(json(), "Connection: close")}`),
    "a status without a reason": (a) => a.raw(whole(json(), "Connection: close").replace("200 OK", "200")),
    "a status of its own": (a) => a.raw(whole(json(), "Connection: close").replace("200 OK", "299 Fine")),
  };
  for (const [name, act] of Object.entries(HTTP))
    test(`${name} is let in`, async () => {
      world.backend.say(fill("PATCH /threads/T"), act, { always: true });
      const connection = await world.httpd.connect();
      connection.send(world.bytes("bob", fill("PATCH /threads/T"), { metadata: { a: 1 } }));
      let answer;
      do answer = await connection.answer();
      while (answer.status < 200);
      assert.equal(answer.status, name.includes("own") ? 299 : 200, answer.text);
      assert.equal(answer.text, json());
      connection.close();
    });

  test("a head that never comes", async () => {
    world.backend.say(fill("PATCH /threads/T"), () => {});
    const connection = await world.httpd.connect();
    connection.send(world.bytes("bob", fill("PATCH /threads/T"), { metadata: { a: 1 } }));
    const late = await connection.answer();
    assert.ok([502, 504].includes(late.status), `${late.status}`);
    connection.close();
    const fresh = await world.httpd.connect();
    await inOrder(fresh, "afterwards");
    fresh.close();
  });
});

// ---------------------------------------------------------------------- slow

/* All at once: each ends at the same bound. */
test("a question that is not answered in time", { timeout: 60_000 }, async () => {
  const drip = ({ socket }) => {
    const text = json();
    socket.write(head("200 OK", "Content-Type: application/json", `Content-Length: ${text.length}`));
    let at = 0;
    const timer = setInterval(() => socket.write(text[at++]), 400);
    socket.on("close", () => clearInterval(timer));
  };
  const cases = { silence: () => {}, "a byte now and then": drip, "half a head": ({ socket }) => socket.write("HTTP/1.1 200 OK\r\nX: ") };
  const begun = Date.now();
  await Promise.all(
    Object.entries(cases).flatMap(([name, act]) =>
      ["GET /threads/I", "PATCH /threads/I", "POST /threads/I/runs"].map(async (line) => {
        const id = randomUUID();
        world.backend.make(id, { owner: "bob" }, { values: { text: "his" } });
        world.backend.say(`GET /threads/${id}`, act);
        const body = line.startsWith("GET") ? undefined : { metadata: {}, assistant_id: "agent" };
        const answer = await world.ask("bob", line.replace("/I", `/${id}`), body);
        refused(answer, 504, "AGA0703", `${name}: ${line}`);
        assert.ok(answer.header("retry-after"), name);
        assert.equal((await world.ask("bob", `DELETE /threads/${id}`)).status, 204, `${name}: the lock`);
      }),
    ),
  );
  assert.ok(Date.now() - begun < 30_000, "longer than the bound");
});

// -------------------------------------------------------------- data of users

/* What JSON allows and users have is no fault of the backend. */
describe("odd data of one's own", () => {
  const ODD = {
    "an integer beyond 64 bits": "12345678901234567890",
    "one below": "-12345678901234567890123",
    "a real beyond all": "1e400",
    "a real below all": "-1e400",
    "very many digits": `${"9".repeat(400)}.5`,
    "a tiny one": "1e-400",
    "deep nesting": `${"[".repeat(600)}1${"]".repeat(600)}`,
    "a NUL": '"a\\u0000b"',
    "half of a character": '"\\ud83d"',
    "the other half": '"\\ude00x"',
    "both, the wrong way": '"\\ude00\\ud83d"',
    "a name that is half a character": '{"\\ud83d":1}',
    "escapes that are none": '"\\\\ud83d\\\\u0000 1e400"',
  };
  const page = (text) => (a) => a.raw(whole(text, "Connection: close"));

  for (const [name, value] of Object.entries(ODD))
    test(name, async () => {
      const text = json(`,"odd":${value}`);
      world.backend.say(fill("GET /threads/T"), page(text), { always: true });
      for (const times of ["first", "again"]) {
        const got = await world.ask("bob", fill("GET /threads/T"));
        assert.equal(got.status, 200, `${times}: ${got.header("agentauth-error")} ${got.text.slice(0, 200)}`);
        assert.equal(got.text, text, "every byte of it");
      }
      const foreign = await world.ask("alice", fill("GET /threads/T"));
      assert.equal(foreign.status, 404, "to others it is missing");
      assert.equal((await world.ask("bob", fill("GET /threads/T/state"))).status, 200);
      world.backend.say("POST /threads/search", page(`[${text}]`));
      const list = await world.ask("bob", "POST /threads/search", {});
      assert.equal(list.status, 200, `${list.header("agentauth-error")}`);
      assert.equal(list.text, `[${text}]`);
      world.backend.forget();
      assert.equal((await world.ask("bob", fill("DELETE /threads/T"))).status, 204);
    });

  test("one tenant's does not break another's list", async () => {
    const hers = JSON.stringify({ thread_id: randomUUID(), metadata: { owner: "alice" } }).replace(/}$/, ',"n":1e999}');
    world.backend.say("POST /threads/search", page(`[${hers},${json()}]`));
    const list = await world.ask("bob", "POST /threads/search", {});
    assert.equal(list.status, 200, `${list.header("agentauth-error")}`);
    assert.equal(list.text, `[${json()}]`);
  });

  test("where it decides, it is no more than it is", async () => {
    for (const owner of ['"bob\\u0000"', '"bob\\ud83d"', "1e400"]) {
      const text = `{"thread_id":"${T}","metadata":{"owner":${owner}}}`;
      world.backend.say(fill("GET /threads/T"), page(text), { always: true });
      assert.equal((await world.ask("bob", fill("GET /threads/T"))).status, 404, owner);
      world.backend.forget();
    }
  });
});

// ---------------------------------------------------------------------- dead

/* Last: nothing comes back. */
test("a backend that is gone", async () => {
  world.backend.close();
  for (const [name, make] of Object.entries(ASKED)) {
    const [line, , body] = make();
    const answer = await world.ask("bob", fill(line), body);
    refused(answer, 502, "AGA0702", name);
  }
});
