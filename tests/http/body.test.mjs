// SPDX-License-Identifier: Apache-2.0
// Request bodies: every framing in, the decided bytes out.
import assert from "node:assert/strict";
import { watch } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { until } from "./lib/httpd.mjs";
import { place, startPlace } from "./lib/place.mjs";

const LIMIT = 1024 * 1024;
const ID = "0192a5f0-0000-4000-8000-000000000001";

const CGI = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
printf '%s %s\\n' "$REQUEST_METHOD" "\${CONTENT_LENGTH-none}"
cat
`;
const LUA = `function handle(r)
  r.content_type = "text/plain"
  r:write(r:requestbody() or "")
  return apache2.OK
end
`;

let world, temporary;
const names = new Set(); // of temporary files

before(async () => {
  world = await startPlace({
    modules: ["http2", "cgid", "alias", "lua", "deflate", "rewrite", "headers", "actions"],
    prepare: async (httpd) => {
      temporary = httpd.path("tmp");
      await mkdir(temporary);
      await chmod(temporary, 0o777);
      await httpd.write("cgi/echo", CGI, 0o755);
      await httpd.write("handler.lua", LUA);
    await httpd.write("htdocs/page.html", "not here");
      httpd.options.env = { TMPDIR: temporary };
      watch(temporary, (event, name) => names.add(name)).unref();
    },
    config: (httpd, echo) => `Protocols h2c http/1.1
<Directory "${httpd.root}">
Require all granted
</Directory>
ProxyPass /plain ${echo.url}/plain
<Location /plain>
SetInputFilter DEFLATE
SetEnv proxy-sendcl 1
</Location>
ProxyPass /a ${echo.url}
${place("/a", `AgentAuthRoutes langgraph prefix=/a\nAgentAuthMaxBody ${LIMIT}`)}
ProxyPass /deflate ${echo.url}
${place("/deflate", `AgentAuthRoutes langgraph prefix=/deflate\nAgentAuthMaxBody ${LIMIT}\nSetInputFilter DEFLATE`)}
ScriptAliasMatch ^/cgi/ "${join(httpd.root, "cgi/echo")}"
${place("/cgi", "AgentAuthRoutes langgraph prefix=/cgi\nAgentAuthEnforce notes")}
LuaMapHandler ^/lua/ "${join(httpd.root, "handler.lua")}" handle
${place("/lua", "AgentAuthRoutes langgraph prefix=/lua\nAgentAuthEnforce notes")}
ProxyPass /broken ${echo.url}/broken
${place("/broken", "AgentAuthRoutes langgraph prefix=/broken\nProxyErrorOverride On 404\nErrorDocument 404 /page.html")}
${place("/redirect", `AgentAuthRoutes langgraph prefix=/redirect
RewriteEngine On
RewriteRule /redirect/threads$ /a/threads [PT]
RewriteRule /redirect/threads/search$ /bare [PT]
RewriteRule /redirect/threads/count$ /bare-cgi [PT]
RewriteRule /redirect/runs$ /a/threads/${ID}/state [PT]`)}
ProxyPass /bare ${echo.url}/bare
ScriptAlias /bare-cgi "${join(httpd.root, "cgi/echo")}"
`,
  });
});
after(() => world?.stop());

const create = (body, options) => world.ask("POST", "/a/threads", { body, ...options });
const STAMP = '"owner":"alice","path":"/threads"';

/* Framing and type of what the backend gets are ours. */
function framed(seen, name) {
  assert.equal(seen.header("content-length"), String(seen.body.length), name);
  assert.equal(seen.header("transfer-encoding"), null, name);
  assert.equal(seen.header("content-encoding"), null, name);
  assert.equal(seen.header("content-type"), "application/json", name);
  return seen;
}

/* A request as bytes; the rest of the connection stays usable. */
function raw(connection, head, ...lines) {
  return connection.sendLines(head, "Host: gateway.test", `X-API-Key: ${world.key}`, ...lines);
}

async function nextIsFine(connection, name) {
  raw(connection, `GET /a/threads/${ID} HTTP/1.1`);
  const answer = await connection.answer();
  assert.equal(answer.status, 200, name);
  assert.equal(answer.json.url, `/threads/${ID}`, name);
  world.echo.take();
}

const chunked = (text, size = 3000) => {
  let out = "";
  for (let i = 0; i < text.length; i += size) {
    const part = text.slice(i, i + size);
    out += `${part.length.toString(16)}\r\n${part}\r\n`;
  }
  return `${out}0\r\n\r\n`;
};

const BIG = `{"metadata":{"topic":"${"x".repeat(200 * 1024)}"},"z":1.10}`;
const BIG_OUT = `{"metadata":{"topic":"${"x".repeat(200 * 1024)}",${STAMP}},"z":1.10}`;

describe("framing", () => {
  const rows = [
    ["small", '{"metadata":{"a":1}}', `{"metadata":{"a":1,${STAMP}}}`],
    ["200 KB", BIG, BIG_OUT],
  ];
  for (const [name, text, wanted] of rows) {
    test(`Content-Length, ${name}`, async () => {
      const seen = framed(world.passed(await create(text, { headers: ["Content-Type", "application/json"] })));
      assert.equal(seen.text, wanted);
    });

    test(`chunked, ${name}, and the next request`, async () => {
      const connection = await world.httpd.connect();
      raw(connection, "POST /a/threads HTTP/1.1", "Transfer-Encoding: chunked").send(chunked(text));
      assert.equal(framed(world.passed(await connection.answer())).text, wanted);
      await nextIsFine(connection);
      connection.close();
    });

    test(`HTTP/2 with Content-Length, ${name}`, async () => {
      const answer = await world.httpd.h2({
        method: "POST", path: "/a/threads", body: text,
        headers: { "x-api-key": world.key, "content-length": String(Buffer.byteLength(text)) },
      });
      assert.equal(framed(world.passed(answer)).text, wanted);
    });

    test(`HTTP/2 without Content-Length, in frames, ${name}`, async () => {
      const half = text.length >> 1;
      const answer = await world.httpd.h2({
        method: "POST", path: "/a/threads", headers: { "x-api-key": world.key },
        chunks: [text.slice(0, half), text.slice(half)],
      });
      assert.equal(framed(world.passed(answer)).text, wanted);
    });
  }

  test("Expect: 100-continue, accepted", async () => {
    const connection = await world.httpd.connect();
    raw(connection, "POST /a/threads HTTP/1.1", "Content-Length: 2", "Expect: 100-continue");
    assert.equal((await connection.answer()).status, 100);
    connection.send("{}");
    assert.equal(framed(world.passed(await connection.answer())).text, `{"metadata":{${STAMP}}}`);
    await nextIsFine(connection);
    connection.close();
  });

  test("Expect: 100-continue, refused without 100", async () => {
    for (const [head, ...lines] of [
      ["POST /a/threads HTTP/1.1"], // nobody
      [`DELETE /a/threads/${ID}/nothing HTTP/1.1`, `X-API-Key: ${world.key}`], // no such row
    ]) {
      const connection = await world.httpd.connect();
      connection.sendLines(head, "Host: x", ...lines, "Content-Length: 2", "Expect: 100-continue");
      const answer = await connection.answer();
      world.refused(answer, lines.length ? 404 : 401, lines.length ? "AGA0210" : "AGA0101");
      connection.close();
    }
  });

  test("Content-Length beside Transfer-Encoding: one reading, and the connection ends", async () => {
    const connection = await world.httpd.connect();
    raw(connection, "POST /a/threads HTTP/1.1", "Content-Length: 40", "Transfer-Encoding: chunked");
    connection.send(chunked("{}"));
    const answer = await connection.answer();
    if (answer.status === 200) assert.equal(framed(world.passed(answer)).text, `{"metadata":{${STAMP}}}`);
    else assert.equal(answer.status, 400);
    await connection.closed();
  });

  for (const [name, lines] of [
    ["two lengths", ["Content-Length: 2", "Content-Length: 3"]],
    ["a length that is none", ["Content-Length: 2x"]],
    ["an unknown coding", ["Transfer-Encoding: gzip"]],
  ])
    test(`${name} is refused and the connection ends`, async () => {
      const connection = await world.httpd.connect();
      raw(connection, "POST /a/threads HTTP/1.1", ...lines).send("{}x");
      assert.ok([400, 501].includes((await connection.answer()).status));
      await connection.closed();
      assert.equal(world.echo.take().length, 0);
    });

  for (const [name, bytes] of [
    ["no size", "zz\r\n{}\r\n0\r\n\r\n"],
    ["size beyond all bounds", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"],
    ["no line end after the data", "2\r\n{}0\r\n\r\n"],
  ])
    test(`bad chunk, ${name}: 400 and the connection ends`, async () => {
      const connection = await world.httpd.connect();
      raw(connection, "POST /a/threads HTTP/1.1", "Transfer-Encoding: chunked").send(bytes);
      world.refused(await connection.answer(), name.startsWith("size") ? 413 : 400, "AGA0306", name);
      await connection.closed();
    });

  test("a body that ends early never reaches the backend", async () => {
    const connection = await world.httpd.connect();
    raw(connection, "POST /a/threads HTTP/1.1", "Content-Length: 100").send('{"metadata":{}}');
    connection.socket.end();
    await connection.closed();
    await world.httpd.logged(/AGA0306/);
    assert.equal(world.echo.take().length, 0);
  });

  test("trailers do not speak for us", async () => {
    const connection = await world.httpd.connect();
    raw(connection, "POST /a/threads HTTP/1.1", "Transfer-Encoding: chunked", "Trailer: AgentAuth-Filter")
      .send('2\r\n{}\r\n0\r\nAgentAuth-Filter: true\r\nAgentAuth_Identity: bob\r\n\r\n');
    const seen = framed(world.passed(await connection.answer()));
    assert.equal(seen.header("agentauth-filter"), '{"owner":"alice"}');
    assert.equal(seen.header("agentauth_identity"), null);
    assert.equal(seen.header("trailer"), null);
    connection.close();
  });
});

describe("coding and size", () => {
  const gzip = ["Content-Encoding", "gzip"];

  test("gzip goes on plain", async () => {
    const seen = framed(world.passed(await create(gzipSync(BIG), { headers: gzip })));
    assert.equal(seen.text, BIG_OUT);
  });

  test("gzip below an input filter that inflates", async () => {
    const seen = framed(world.passed(await world.ask("POST", "/deflate/threads", { headers: gzip, body: gzipSync(BIG) })));
    assert.equal(seen.text, BIG_OUT);
  });

  test("digests of the old bytes do not go on", async () => {
    const headers = ["Digest", "sha-256=x", "Content-Digest", "sha-256=:eA==:", "Content-MD5", "eA=="];
    const seen = framed(world.passed(await create("{}", { headers })));
    for (const name of ["digest", "content-digest", "content-md5"]) assert.equal(seen.header(name), null, name);
  });

  test("another coding is 415, identity is fine", async () => {
    world.refused(await create("{}", { headers: ["Content-Encoding", "br"] }), 415, "AGA0305");
    world.refused(await create(gzipSync("{}"), { headers: ["Content-Encoding", "gzip, gzip"] }), 415, "AGA0305");
    framed(world.passed(await create("{}", { headers: ["Content-Encoding", "identity"] })));
  });

  test("broken gzip is 400", async () => {
    const good = gzipSync('{"metadata":{"a":1}}');
    const flipped = Buffer.from(good);
    flipped[flipped.length - 6] ^= 1; // the checksum
    for (const [name, body] of [
      ["none", Buffer.from("{}")],
      ["cut", good.subarray(0, good.length - 9)],
      ["checksum", flipped],
      ["two members", Buffer.concat([good, good])],
      ["tail", Buffer.concat([good, Buffer.from("x")])],
    ])
      world.refused(await create(body, { headers: gzip }), 400, "AGA0306", name);
    world.passed(await create(good, { headers: gzip }));
  });

  test("a gzip bomb is 413, soon", async () => {
    const bomb = gzipSync(Buffer.alloc(50 * LIMIT, 0x20));
    const start = process.hrtime.bigint();
    world.refused(await create(bomb, { headers: gzip }), 413, "AGA0304");
    assert.ok(process.hrtime.bigint() - start < 5_000_000_000n);
    world.refused(await world.ask("POST", "/deflate/threads", { headers: gzip, body: bomb }), 413, "AGA0304");
  });

  const sized = (n) => `{"metadata":{},"a":"${"x".repeat(n - 22)}"}`;

  test("exactly the limit is fine, one byte more is 413", async () => {
    assert.equal(Buffer.byteLength(sized(LIMIT)), LIMIT);
    for (const [name, body, headers] of [
      ["length", (n) => sized(n), []],
      ["gzip", (n) => gzipSync(sized(n)), gzip],
    ]) {
      world.passed(await create(body(LIMIT), { headers }), name);
      world.refused(await create(body(LIMIT + 1), { headers }), 413, "AGA0304", name);
    }
    for (const [n, fine] of [[LIMIT, true], [LIMIT + 1, false]]) {
      const connection = await world.httpd.connect();
      raw(connection, "POST /a/threads HTTP/1.1", "Transfer-Encoding: chunked").send(chunked(sized(n), 60000));
      const answer = await connection.answer();
      if (fine) world.passed(answer, "chunked");
      else world.refused(answer, 413, "AGA0304", "chunked");
      connection.close();
    }
  });
});

describe("what is no strict JSON", () => {
  const deep = (n) => `{"a":${"[".repeat(n)}${"]".repeat(n)}}`;
  const rows = [
    ["not JSON", "{", "{}"],
    ["a tail", "{}{}", "{} "],
    ["single quotes", "{'a':1}", '{"a":1}'],
    ["no object", "[]", "{}"],
    ["a text", '"x"', '{"x":"x"}'],
    ["null", "null", '{"x":null}'],
    ["blank only", "  ", " {}"],
    ["bad UTF-8", Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]), '{"a":"\u00ff"}'],
    ["byte order mark", "\ufeff{}", "{}"],
    ["lone surrogate", '{"a":"\\ud800"}', '{"a":"\\ud83d\\ude00"}'],
    ["\\u0000", '{"a":"\\u0000"}', '{"a":"\\u0001"}'],
    ["a NUL", Buffer.from('{"a":1}\0'), '{"a":1}'],
    ["1e400", '{"a":1e400}', '{"a":1e300}'],
    ["integer beyond 64 bits", '{"a":9223372036854775808}', '{"a":9223372036854775807}'],
    ["duplicate member", '{"a":1,"a":1}', '{"a":1,"b":1}'],
    ["duplicate by an escape", '{"metadata":{"a":1},"metad\\u0061ta":{}}', '{"metad\\u0061ta":{"a":1}}'],
    ["duplicate deep inside", '{"a":[{"b":{"c":1,"c":2}}]}', '{"a":[{"b":{"c":1}},{"b":{"c":2}}]}'],
    ["3000 arrays deep", deep(3000), deep(40)],
    ["NaN", '{"a":NaN}', '{"a":null}'],
    ["comma at the end", '{"a":1,}', '{"a":1}'],
    ["leading zero", '{"a":01}', '{"a":10}'],
    ["metadata is no object", '{"metadata":[1]}', '{"metadata":{}}'],
  ];
  for (const [name, wrong, right] of rows)
    test(name, async () => {
      const refused = await create(wrong);
      if (name === "metadata is no object") {
        assert.ok([400, 500].includes(refused.status));
        assert.equal(world.echo.take().length, 0);
      } else world.refused(refused, 400, "AGA0303", name);
      framed(world.passed(await create(right), name));
    });

  test("rows that only read a body are as strict", async () => {
    world.refused(await world.ask("POST", "/a/threads/search", { body: '{"a":1,"a":2}' }), 400, "AGA0303");
    world.passed(await world.ask("POST", "/a/threads/search", { body: '{"a":1}' }));
  });
});

describe("the bytes that go on", () => {
  const rows = [
    ["numbers", '{"a":1.10,"b":-0,"c":1E+2,"metadata":{},"d":9007199254740993}', `{"a":1.10,"b":-0,"c":1E+2,"metadata":{${STAMP}},"d":9007199254740993}`],
    ["escapes", '{"a":"\\/\\u00e9\\ud83d\\ude00\\n","metadata":{}}', `{"a":"\\/\\u00e9\\ud83d\\ude00\\n","metadata":{${STAMP}}}`],
    ["blanks and order", '\r\n{ "z" : [ 1 , 2 ] ,\t"metadata" : { } , "a" : null }\n', null],
    ["member by an escape", '{"metad\\u0061ta":{"k":1}}', null],
    ["no member", '{"z":1}', null],
    ["empty", "{}", `{"metadata":{${STAMP}}}`],
    ["a forged owner", '{"metadata":{"owner":"bob","a":1.50}}', null],
    ["text that looks like it", '{"a":"\\"metadata\\":{}","b":{"metadata":{"owner":"bob"}}}', null],
  ];
  for (const [name, text, wanted] of rows)
    test(name, async () => {
      const seen = framed(world.passed(await create(text)));
      if (wanted) return assert.equal(seen.text, wanted);
      const was = JSON.parse(text);
      assert.deepEqual(seen.json, { ...was, metadata: { ...was.metadata, owner: "alice", path: "/threads" } });
      /* Outside of the member every byte is the client's. */
      const at = Math.max(text.search(/"metad(a|\\u0061)ta"\s*:\s*\{[^"]/), 0);
      assert.equal(seen.text.slice(0, at), text.slice(0, at));
    });

  test("blanks stay", async () => {
    const seen = world.passed(await create('\r\n{ "z" : [ 1 , 2 ] ,\t"metadata" : {} , "a" : null }\n'));
    assert.equal(seen.text, `\r\n{ "z" : [ 1 , 2 ] ,\t"metadata" : {${STAMP}} , "a" : null }\n`);
  });

  test("no body at all gets the member", async () => {
    for (const headers of [["Content-Length", "0"], ["Content-Length", "0", "Content-Type", "text/plain"]]) {
      const seen = framed(world.passed(await create(undefined, { headers })));
      assert.equal(seen.text, `{"metadata":{${STAMP}}}`);
    }
    const connection = await world.httpd.connect();
    raw(connection, "POST /a/threads HTTP/1.1");
    assert.equal(framed(world.passed(await connection.answer())).text, `{"metadata":{${STAMP}}}`);
    await nextIsFine(connection);
    connection.close();
    const h2 = await world.httpd.h2({ method: "POST", path: "/a/threads", headers: { "x-api-key": world.key } });
    assert.equal(framed(world.passed(h2)).text, `{"metadata":{${STAMP}}}`);
  });

  test("unchanged bytes stay as they came, the type is ours", async () => {
    const text = ' {"metadata" : {"a":1.10}, "limit":1e1}';
    for (const type of ["application/x-www-form-urlencoded", "text/plain", "application/json5", "APPLICATION/JSON; charset=x"]) {
      const seen = framed(world.passed(await world.ask("POST", "/a/threads/search", { body: text, headers: ["Content-Type", type] })));
      assert.equal(seen.text, text);
    }
  });

  test("Connection: Content-Type cannot take the type away", async () => {
    const headers = ["Content-Type", "text/plain", "Connection", "close, Content-Type, Content-Length, AgentAuth-Filter"];
    const seen = framed(world.passed(await create("{}", { headers })));
    assert.equal(seen.header("agentauth-filter"), '{"owner":"alice"}');
  });

  test("a batch: each element is stamped in its place", async () => {
    const body = '[ {"assistant_id":"a","x":1.10} ,{"assistant_id":"b","metadata":{}}]';
    const seen = framed(world.passed(await world.ask("POST", "/a/runs/batch", { body })));
    assert.deepEqual(seen.json.map((one) => one.metadata), Array(2).fill({ owner: "alice", path: "/runs/batch" }));
    assert.ok(seen.text.startsWith('[ {"assistant_id":"a","x":1.10'), seen.text);
    for (const wrong of ["{}", "[1]", "[{},]"])
      world.refused(await world.ask("POST", "/a/runs/batch", { body: wrong }), 400, "AGA0303", wrong);
  });

  test("several events on one body", async () => {
    const body = '{"assistant_id":"a","multitask_strategy":"interrupt","on_disconnect":"cancel","n":1.0}';
    const seen = framed(world.passed(await world.ask("POST", `/a/threads/${ID}/runs/stream`, { body })));
    assert.equal(seen.json.metadata.owner, "alice");
    assert.match(seen.text, /"n":1\.0[,}]/);
    assert.equal(seen.header("agentauth-action"), "create_run");
  });
});

describe("rows that take no body", () => {
  for (const [name, method, path] of [
    ["GET", "GET", `/a/threads/${ID}`],
    ["POST", "POST", `/a/threads/${ID}/copy`],
  ])
    test(`${name}: it is dropped`, async () => {
      for (const headers of [[], ["Content-Encoding", "gzip"]]) {
        const body = headers.length ? gzipSync('{"a":1}') : '{"a":1}';
        const seen = world.passed(await world.ask(method, path, { body, headers }));
        assert.equal(seen.body.length, 0);
        assert.equal(seen.header("content-encoding"), null);
        assert.ok([null, "0"].includes(seen.header("content-length")));
        assert.equal(seen.header("transfer-encoding"), null);
      }
      const connection = await world.httpd.connect();
      raw(connection, `${method} ${path} HTTP/1.1`, "Transfer-Encoding: chunked").send(chunked(BIG));
      assert.equal(world.passed(await connection.answer()).body.length, 0);
      await nextIsFine(connection);
      connection.close();
    });

  test("HEAD: it is dropped, although httpd says that there is none", async () => {
    const seen = world.passed(await world.ask("HEAD", `/a/threads/${ID}`, { body: '{"a":1}' }));
    assert.equal(seen.body.length, 0);
    assert.ok([null, "0"].includes(seen.header("content-length")));
  });

  test("too long is 413 there too", async () => {
    const body = "x".repeat(LIMIT + 1);
    world.refused(await world.ask("GET", `/a/threads/${ID}`, { body }), 413, "AGA0304");
  });
});

describe("handlers inside httpd see the spliced body", () => {
  const wanted = `{"metadata":{"a":1.10,${STAMP}}}`;
  const body = '{"metadata":{"a":1.10}}';

  test("CGI", async () => {
    const answer = await world.ask("POST", "/cgi/threads", { body });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.text, `POST ${wanted.length}\n${wanted}`);
    const big = await world.ask("POST", "/cgi/threads", { body: BIG });
    assert.equal(big.text, `POST ${BIG_OUT.length}\n${BIG_OUT}`);
  });

  test("CGI, chunked", async () => {
    const connection = await world.httpd.connect();
    raw(connection, "POST /cgi/threads HTTP/1.1", "Transfer-Encoding: chunked").send(chunked(BIG));
    assert.equal((await connection.answer()).text, `POST ${BIG_OUT.length}\n${BIG_OUT}`);
    connection.close();
  });

  test("CGI, HTTP/2 without Content-Length", async () => {
    const answer = await world.httpd.h2({
      method: "POST", path: "/cgi/threads", headers: { "x-api-key": world.key }, chunks: [body.slice(0, 5), body.slice(5)],
    });
    assert.equal(answer.text, `POST ${wanted.length}\n${wanted}`);
  });

  test("GET with a body: there is none", async () => {
    const answer = await world.ask("GET", `/cgi/threads/${ID}`, { body: "secret" });
    assert.equal(answer.status, 200);
    assert.equal(answer.text, "GET none\n");
  });

  test("mod_lua", async () => {
    const answer = await world.ask("POST", "/lua/threads", { body });
    assert.equal(answer.text, wanted);
    assert.equal((await world.ask("POST", "/lua/threads", { body: BIG })).text, BIG_OUT);
  });
});

describe("internal redirects", () => {
  const body = '{"metadata":{"a":1.10}}';

  test("to another place of a policy: decided anew on the same body", async () => {
    const seen = framed(world.passed(await world.ask("POST", "/redirect/threads", { body })));
    assert.equal(seen.url, "/threads");
    assert.equal(seen.text, `{"metadata":{"a":1.10,${STAMP}}}`);
  });

  test("to a row that does not read the body", async () => {
    const seen = world.passed(await world.ask("POST", "/redirect/runs", { body: '{"assistant_id":"a","v":1.10}' }));
    assert.equal(seen.url, `/threads/${ID}/state`);
    assert.match(seen.text, /^\{"assistant_id":"a","v":1\.10/);
  });

  test("to a place without a policy", async () => {
    const seen = world.passed(await world.ask("POST", "/redirect/threads/search", { body }));
    assert.equal(seen.url, "/bare");
    assert.equal(seen.text, body);
    assert.equal((await world.ask("POST", "/redirect/threads/count", { body })).text, `POST ${body.length}\n${body}`);
  });
});

test("an error page after a body of ours where none came", async () => {
  const respond = world.echo.respond;
  world.echo.respond = (request, response) => response.writeHead(404).end();
  const connection = await world.httpd.connect();
  try {
    raw(connection, "POST /broken/threads HTTP/1.1", "Content-Length: 0");
    const answer = await connection.answer();
    assert.equal(answer.status, 404);
    assert.equal(answer.text, "not here");
    assert.equal(framed(world.echo.take()[0]).text, `{"metadata":{${STAMP}}}`);
  } finally {
    world.echo.respond = respond;
  }
  await nextIsFine(connection);
  connection.close();
});

describe("a refusal with the body unread", () => {
  const nobody = (line) => [line, "Host: x"];
  const rows = [
    ["401, Content-Length", nobody("POST /a/threads HTTP/1.1"), "{}", 401],
    ["401, chunked", nobody("POST /a/threads HTTP/1.1"), null, 401],
    ["403 by the policy, Content-Length", [`DELETE /a/threads/${ID} HTTP/1.1`], "{}", 403],
    ["404, chunked", ["POST /a/nothing HTTP/1.1"], null, 404],
    ["404, large", ["POST /a/nothing HTTP/1.1"], BIG, 404],
  ];
  for (const [name, [line, ...lines], text, status] of rows)
    test(`${name}: the next request is read correctly`, async () => {
      const connection = await world.httpd.connect();
      const smuggled = "GET /a/ok HTTP/1.1\r\nHost: x\r\n\r\n";
      const body = text === null ? chunked(smuggled) : text === "{}" ? smuggled : text;
      const framing = text === null ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`;
      const head = lines.length ? [line, ...lines] : [line, "Host: x", `X-API-Key: ${world.key}`];
      connection.sendLines(...head, framing).send(body);
      assert.equal((await connection.answer()).status, status);
      assert.equal(world.echo.take().length, 0);
      await nextIsFine(connection, name);
      connection.close();
    });
});

/* News of files comes late, but in order: what is noticed up to here. */
let marks = 0;
async function noticed() {
  const mark = `mark-${marks++}`;
  await writeFile(join(temporary, mark), "");
  await until(() => names.has(mark), "the mark to be noticed");
  const before = [...names].filter((name) => !name.startsWith("mark-"));
  names.clear();
  return before;
}

test("no body is written to a file", async () => {
  /* That it is noticed: httpd spools what another filter gives in pieces. */
  await noticed();
  const connection = await world.httpd.connect();
  connection.sendLines("POST /plain HTTP/1.1", "Host: x", "Transfer-Encoding: chunked").send(chunked(BIG));
  assert.equal((await connection.answer()).status, 200);
  connection.close();
  assert.ok((await noticed()).some((name) => name.startsWith("modproxy.tmp")), "httpd spools");
  world.echo.take();
  for (let i = 0; i < 3; i++) {
    world.passed(await create(BIG));
    world.passed(await create(gzipSync(BIG), { headers: ["Content-Encoding", "gzip"] }));
    const answer = await world.httpd.h2({ method: "POST", path: "/a/threads", headers: { "x-api-key": world.key }, chunks: [BIG] });
    world.passed(answer);
  }
  assert.deepEqual(await noticed(), []);
});
