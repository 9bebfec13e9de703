// SPDX-License-Identifier: Apache-2.0
// The test bench itself, on a plain httpd: what it reports must be trusted.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startEcho } from "./lib/echo.mjs";
import { checkConfig, startHttpd } from "./lib/httpd.mjs";

for (const mpm of ["event", "worker", "prefork"])
  describe(`plain httpd, ${mpm}`, () => {
    let httpd, echo;
    before(async () => {
      echo = await startEcho();
      httpd = await startHttpd({
        mpm,
        module: false,
        modules: ["proxy", "proxy_http", "headers", ...(mpm === "prefork" ? [] : ["http2"])],
        config: `Protocols h2c http/1.1
ProxyPass "/" "${echo.url}/" flushpackets=on
RequestHeader set X-Mpm ${mpm}`,
      });
    });
    after(async () => {
      await httpd?.stop();
      echo?.close();
    });

    test("the backend's view is exact", async () => {
      const answer = await httpd.request({
        method: "POST",
        path: "/a%20b?x=%27",
        headers: ["Content-Type", "text/plain", "X-Twice", "1", "x-twice", "2"],
        body: "body \u00e9",
      });
      assert.equal(answer.status, 200);
      assert.equal(answer.json.url, "/a%20b?x=%27");
      const seen = echo.take().at(-1);
      assert.equal(seen.text, "body \u00e9");
      assert.equal(seen.header("x-mpm"), mpm);
      assert.equal(seen.header("Content-Length"), "7");
      assert.match(seen.all("x-twice").join(), /1.*2/);
    });

    test("raw bytes, two answers on one connection", async () => {
      const connection = await httpd.connect();
      connection.sendLines("GET /one HTTP/1.1", "Host: x").sendLines("GET /two HTTP/1.1", "Host: x");
      assert.equal((await connection.answer()).json.url, "/one");
      assert.equal((await connection.answer()).json.url, "/two");
      connection.sendLines("GET /\x01 HTTP/1.1", "Host: x");
      assert.equal((await connection.answer()).status, 400);
      await connection.closed();
    });

    test("expect and chunks", async () => {
      const connection = await httpd.connect();
      connection.sendLines(
        "POST /c HTTP/1.1", "Host: x", "Expect: 100-continue", "Transfer-Encoding: chunked",
      );
      assert.equal((await connection.answer()).status, 100);
      connection.send("3\r\nabc\r\n0\r\n\r\n");
      assert.equal((await connection.answer()).json.body, "abc");
      connection.close();
    });

    if (mpm !== "prefork")
      test("HTTP/2", async () => {
        const answer = await httpd.h2({ method: "POST", path: "/h2", chunks: ["a", "b"] });
        assert.equal(answer.status, 200);
        assert.equal(answer.json.body, "ab");
        assert.equal((await httpd.h2({ path: "/g" })).json.url, "/g");
      });

    test("graceful restart takes the new configuration", async () => {
      const old = httpd.options.config;
      await httpd.configure(`${old}\nHeader set X-New yes`);
      await httpd.graceful();
      assert.equal((await httpd.request({ path: "/" })).header("x-new"), "yes");
    });

    test("the error log is there", async () => {
      await httpd.logged(/resuming normal operations/);
    });
  });

test("a wrong configuration is told", async () => {
  const { code, text } = await checkConfig({ module: false, config: "Frobnicate On" });
  assert.notEqual(code, 0);
  assert.match(text, /Frobnicate/);
  assert.equal((await checkConfig({ module: false })).code, 0);
});

test("what does not start is told, and nothing is left", async () => {
  await assert.rejects(startHttpd({ module: false, config: "Frobnicate On" }), /Frobnicate/);
});

test("a crashed child is noticed", async () => {
  const httpd = await startHttpd({ module: false, mpm: "prefork" });
  const { execFileSync } = await import("node:child_process");
  const child = execFileSync("pgrep", ["-P", String(httpd.pid)], { encoding: "utf8" }).split("\n")[0];
  process.kill(Number(child), "SIGSEGV");
  await httpd.logged(/exit signal Segmentation fault/);
  await assert.rejects(httpd.stop(), /crashed/);
});
