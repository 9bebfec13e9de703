// SPDX-License-Identifier: Apache-2.0
// Wrong configurations beside right ones, told apart by a real `httpd -t`.
//
// Each row has a mistake, what configtest must say of it, and the same without
// the mistake. Environment: AA_MODULE (the built module), AA_HTTPD (binary),
// AA_HTTPD_MODULES.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const REPO = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");
const MODULE = process.env.AA_MODULE ?? join(REPO, ".libs/mod_agentauth.so");
const MODULES = process.env.AA_HTTPD_MODULES ?? "/usr/lib/apache2/modules";
const HTTPD = [process.env.AA_HTTPD, "/usr/sbin/apache2", "/usr/sbin/httpd", "/usr/local/apache2/bin/httpd"].find(
  (file) => file && existsSync(file),
);
const LOADED = ["mpm_event", "unixd", "authn_core", "authz_core", "authz_user", "proxy", "info"];

// ---------------------------------------------------------------- one root

const root = mkdtempSync(join(tmpdir(), "aa-configtest-"));
after(() => rmSync(root, { recursive: true, force: true }));

function put(name, text, mode = 0o600) {
  const file = join(root, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

function folder(name, mode) {
  mkdirSync(join(root, name));
  chmodSync(join(root, name), mode);
}

folder("run", 0o755);
folder("htdocs", 0o755);
folder("htdocs/state", 0o700);
folder("run/state", 0o700);
folder("open", 0o755);
folder("anyone", 0o777);
folder("closed", 0o700);

const POLICY = `local auth = require "agentauth"
auth.on(function(ctx, value) return false end)
`;
const AUTHENTICATES = `${POLICY}auth.authenticate(function(req) return nil end)\n`;
const HTTP = `local auth = require "agentauth"
auth.on("http:get", function(ctx, value) return true end)
`;
put("policy.lua", POLICY);
put("other.lua", POLICY);
put("who.lua", AUTHENTICATES);
put("http.lua", HTTP);
put("broken.lua", "local x =\n");
put("writable.lua", POLICY, 0o666);
put("anyone/policy.lua", POLICY);
put("secret32", `${"s".repeat(32)}\n`);
put("secret31", `${"s".repeat(31)}\n`);
put("secret-open", `${"s".repeat(32)}\n`, 0o644);
put("secret-empty", "\n");
put("file", "x");

const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = { ...publicKey.export({ format: "jwk" }), kid: "k1", alg: "ES256", use: "sig" };
put("jwks.json", JSON.stringify({ keys: [jwk] }));
put("jwks-none.json", JSON.stringify({ keys: [] }));
put("jwks-not.json", "[1, 2]");

const isRoot = process.getuid() === 0;
const BASE = [
  `ServerRoot "${root}"`,
  `DefaultRuntimeDir "${join(root, "run")}"`,
  "PidFile run/pid",
  "ServerName Gate.Example",
  "Listen 127.0.0.1:8081" /* configtest does not bind */,
  ...LOADED.map((m) => `<IfModule !${m}_module>\nLoadModule ${m}_module ${MODULES}/mod_${m}.so\n</IfModule>`),
  isRoot ? "User www-data\nGroup www-data" : "",
  `LoadModule agentauth_module ${MODULE}`,
  "ErrorLog run/error.log",
  `DocumentRoot "${join(root, "htdocs")}"`,
].join("\n");
const STATE = `AgentAuthStateDir "${join(root, "state")}"`;

/** Run configtest on the base and `lines`; the number of their first line. */
/** A sanitizer's run-time library has to come before everything else. */
function sanitizer() {
  const { AA_PRELOAD, ASAN_OPTIONS = "detect_leaks=0", UBSAN_OPTIONS = "print_stacktrace=1" } = process.env;
  return AA_PRELOAD ? { LD_PRELOAD: AA_PRELOAD, ASAN_OPTIONS, UBSAN_OPTIONS } : {};
}

function configtest(lines, { state = true, args = ["-t"], env = {} } = {}) {
  const head = state ? `${BASE}\n${STATE}\n` : `${BASE}\n`;
  const conf = put("httpd.conf", `${head}${lines}\n`);
  const done = spawnSync(HTTPD, [...args, "-f", conf], {
    encoding: "utf8",
    env: { PATH: process.env.PATH, AA_SECRET: "e".repeat(32), ...sanitizer(), ...env },
  });
  return { code: done.status, said: done.stdout + done.stderr, first: head.split("\n").length };
}

// -------------------------------------------------------------- ingredients

const place = (lines, path = "/agent") =>
  `<Location ${path}>\nAuthType AgentAuth\nRequire valid-user\n${lines}\n</Location>`;
const policy = (lines = "") => place(`AgentAuthPolicy policy.lua\n${lines}`);
const issuer = (lines, url = "https://id.example/") => `<AgentAuthIssuer ${url}>\n${lines}\n</AgentAuthIssuer>`;
const good = 'AgentAuthAudience api\nAgentAuthIdentityPrefix ""';
const host = (lines, name = "a.example") =>
  `<VirtualHost 127.0.0.1:81>\nServerName ${name}\n${lines}\n</VirtualHost>`;

// --------------------------------------------------------------------- rows

/* [name, wrong, what is said, right]; what is said must also name a code. */
const ROWS = [
  // contexts
  ["state dir in a virtual host", host(STATE), "holds for the whole server", STATE],
  ["store in a virtual host", host("AgentAuthStore sqlite:x.db"), "holds for the whole server", "AgentAuthStore sqlite:x.db"],
  ["share in a virtual host", host("AgentAuthShare shm"), "holds for the whole server", "AgentAuthShare shm"],
  ["audience outside of a block", "AgentAuthAudience api", "only inside <AgentAuthIssuer URL>", issuer(good)],
  ["prefix outside of a block", 'AgentAuthIdentityPrefix "x:"', "only inside <AgentAuthIssuer URL>", issuer(good)],
  ["secret outside of a block", "AgentAuthIssuerSecret geheim", "only inside <AgentAuthIssuer URL>", issuer(good)],
  ["a place's directive in a block", issuer(`${good}\nAgentAuthPolicy policy.lua`), "cannot stand in an issuer's block", issuer(good)],
  ["a misspelled directive in a block", issuer(`${good}\nAgentAuthAudiense x`), "did you mean 'AgentAuthAudience'", issuer(`${good}\nAgentAuthAudience x`)],
  ["httpd's directive in a block", issuer(`${good}\nDocumentRoot /`), "cannot stand in an issuer's block", issuer(good)],
  ["policy in <Limit>", place("<Limit GET>\nAgentAuthPolicy policy.lua\n</Limit>"), "cannot stand in <Limit>", policy()],

  // the whole server
  ["store of an unknown kind", "AgentAuthStore mysql:x", "is not sqlite:FILE", "AgentAuthStore sqlite:x.db"],
  ["store of a later version", "AgentAuthStore postgresql://db/x", "not available in this version", "AgentAuthStore sqlite:x.db"],
  ["store without a file", "AgentAuthStore sqlite:", "is not sqlite:FILE", "AgentAuthStore sqlite:x.db"],
  ["store in a folder for everybody", `${policy()}\nAgentAuthStore sqlite:anyone/x.db`, "can be written by everybody", `${policy()}\nAgentAuthStore sqlite:closed/x.db`],
  ["share of a later version", "AgentAuthShare redis://127.0.0.1", "not available in this version", "AgentAuthShare shm"],
  ["share misspelled", "AgentAuthShare smh", "did you mean 'shm'", "AgentAuthShare shm"],

  // a virtual host
  ["realm with a quote", "AgentAuthRealm 'a\"b'", "printable ASCII", "AgentAuthRealm 'a b'"],
  ["realm too long", `AgentAuthRealm ${"r".repeat(256)}`, "1 to 255", `AgentAuthRealm ${"r".repeat(255)}`],
  ["path without a slash", "AgentAuthPath auth", "is not a path such as /auth", "AgentAuthPath /auth"],
  ["path with a slash at its end", "AgentAuthPath /auth/", "is not a path such as /auth", "AgentAuthPath /a/u.th"],
  ["path with dots", "AgentAuthPath /a/../b", "is not a path such as /auth", "AgentAuthPath /a/..b"],
  ["path is the root", "AgentAuthPath /", "is not a path such as /auth", "AgentAuthPath /x"],
  ["cookie name with a blank", "AgentAuthCookieName 'a b'", "is not a cookie's name", "AgentAuthCookieName __Host-a_b"],
  ["key prefix too short", "AgentAuthAPIKeyPrefix sk-", "is not 4 to 64", "AgentAuthAPIKeyPrefix sk-a"],
  ["key prefix with a dot", "AgentAuthAPIKeyPrefix sk-a.", "is not 4 to 64", "AgentAuthAPIKeyPrefix sk-a_"],
  ["key prefix of sessions", "AgentAuthAPIKeyPrefix sess_a", "overlaps 'sess_'", "AgentAuthAPIKeyPrefix sesx_a"],
  ["key prefix that sessions begin with", "AgentAuthAPIKeyPrefix sess", "overlaps 'sess_'", "AgentAuthAPIKeyPrefix sesame"],
  ["key prefix of another", "AgentAuthAPIKeyPrefix sk-a- sk-a-b-", "overlaps 'sk-a-'", "AgentAuthAPIKeyPrefix sk-a- sk-b-"],
  ["key prefix on a second line", "AgentAuthAPIKeyPrefix sk-a-b-\nAgentAuthAPIKeyPrefix sk-a-", "overlaps 'sk-a-b-'", "AgentAuthAPIKeyPrefix sk-a-b-\nAgentAuthAPIKeyPrefix sk-c-"],
  ["key header of somebody else", "AgentAuthAPIKeyHeader Authorization", "is not a free header name", "AgentAuthAPIKeyHeader X-Key"],
  ["key header of ours", "AgentAuthAPIKeyHeader AgentAuth-Key", "is not a free header name", "AgentAuthAPIKeyHeader Agent-Key"],
  ["key header with an underscore", "AgentAuthAPIKeyHeader X_Key", "is not a free header name", "AgentAuthAPIKeyHeader X-Key"],
  ["decision log without a program", 'AgentAuthDecisionLog "| "', "needs a program", 'AgentAuthDecisionLog "|/bin/cat"'],
  ["decision log in no folder", "AgentAuthDecisionLog nowhere/d.log", "nowhere", "AgentAuthDecisionLog closed/d.log"],

  // words of a place
  ["method misspelled", place("AgentAuthMethods apikee"), "did you mean 'apikey'", place("AgentAuthMethods apikey")],
  ["method of a later version", place("AgentAuthMethods session"), "'session' is not available in this version", place("AgentAuthMethods apikey")],
  ["method that is no kind", place("AgentAuthMethods open"), "is not one of bearer apikey policy", place("AgentAuthMethods apikey")],
  ["bearer without an issuer", place("AgentAuthMethods bearer"), "<AgentAuthIssuer> block", `${place("AgentAuthMethods bearer")}\n${issuer(good)}`],
  ["policy that does not authenticate", policy("AgentAuthMethods policy"), "auth.authenticate", place("AgentAuthPolicy who.lua\nAgentAuthMethods policy")],
  ["unmatched misspelled", policy("AgentAuthUnmatched denny"), "did you mean 'deny'", policy("AgentAuthUnmatched deny")],
  ["enforce misspelled", policy("AgentAuthEnforce header"), "did you mean 'headers'", policy("AgentAuthEnforce headers")],
  ["enforce by a gate", policy("AgentAuthEnforce gatway"), "did you mean 'gateway'", policy("AgentAuthEnforce gateway")],
  ["webhook misspelled", policy("AgentAuthWebhook dorp"), "did you mean 'drop'", policy("AgentAuthWebhook refuse")],
  ["webhook origin with a path", policy("AgentAuthWebhookOrigin https://h/x"), "AgentAuthWebhookOrigin.*allowed: origins, or \\*", policy("AgentAuthWebhookOrigin https://h http://h:8080")],
  ["webhook origins beside *", policy("AgentAuthWebhookOrigin https://h *"), "stands alone", policy("AgentAuthWebhookOrigin *")],
  ...[
    ["no URL", "127.0.0.1:2024", "is not an http or https URL", "http://127.0.0.1:2024"],
    ["a balancer", "balancer://pool", "has no address", "https://pool.example/base/"],
    ["another protocol", "fcgi://127.0.0.1:9000", "is not an http or https URL", "http://127.0.0.1:9000"],
    ["a user", "http://me:geheim@h/", "has a user", "http://h/"],
    ["a query", "http://h/?a=b", "has a query or a fragment", "http://h/a"],
    ["a fragment", '"http://h/#a"', "has a query or a fragment", '"http://h/a"'],
    ["a port that is none", "http://h:65536/", "is not well formed", "http://h:65535/"],
    ["no host", "http:///x", "is not well formed", "http://x"],
    ["a path with two readings", "http://h/a/../b", "can be read in several ways", "http://h/a/b"],
    ["a socket without a URL", "unix:/run/x.sock", "has no '\\|'", '"unix:/run/x.sock|http://h"'],
    ["a relative socket", '"unix:run/x.sock|http://h"', "has no absolute path", '"unix:/run/x.sock|http://h/base"'],
  ].map(([name, wrong, said, right]) => [`backend: ${name}`, policy(`AgentAuthBackend ${wrong}`), `AgentAuthBackend.*${said}`, policy(`AgentAuthBackend ${right}`)]),
  ["pass as misspelled", policy("AgentAuthPassAs assertions"), "did you mean 'assertion'", policy("AgentAuthPassAs assertion")],
  ["forward misspelled", policy("AgentAuthForwardCredential bearar"), "did you mean 'bearer'", policy("AgentAuthForwardCredential bearer")],
  ["unauthorized of a later version", place("AgentAuthUnauthorized login"), "'login' is not available in this version", place("AgentAuthUnauthorized 401")],
  ["optional is a flag", place("AgentAuthOptional maybe"), "must be On or Off", place("AgentAuthOptional On"), { code: false }],
  ["audience with a blank", policy("AgentAuthAssertionAudience 'a b'"), "visible ASCII", policy("AgentAuthAssertionAudience a-b")],
  ["too many claims", policy(`AgentAuthPassClaims ${Array.from({ length: 65 }, (_, i) => `c${i}`).join(" ")}`), "at most 64 claims", policy(`AgentAuthPassClaims ${Array.from({ length: 64 }, (_, i) => `c${i}`).join(" ")}`)],

  // numbers of a place
  ["reload too often", policy("AgentAuthReloadInterval 49ms"), "50ms or more", policy("AgentAuthReloadInterval 50ms")],
  ["reload without a unit", policy("AgentAuthReloadInterval 250"), "50ms or more", policy("AgentAuthReloadInterval 1m30s")],
  ["body of nothing", place("AgentAuthMaxBody 0"), "is not a size", place("AgentAuthMaxBody 1")],
  ["body above the ceiling", place("AgentAuthMaxBody 1025M"), "1 to 1024M", place("AgentAuthMaxBody 1024M")],
  ["body with an unknown unit", place("AgentAuthMaxBody 1G"), "is not a size", place("AgentAuthMaxBody 512k")],
  ["body with an overflow", place("AgentAuthMaxBody 99999999999999999999k"), "is not a size", place("AgentAuthMaxBody 64K")],

  // origins
  ["origin null", place("AgentAuthOrigin null"), "would let all in", place("AgentAuthOrigin same-origin")],
  ["origin with a path", place("AgentAuthOrigin https://a.example/"), "an origin has no path", place("AgentAuthOrigin https://a.example")],
  ["origin without a scheme", place("AgentAuthOrigin a.example"), "is not scheme://host[:port]", place("AgentAuthOrigin http://[::1]:8080")],
  ["origin with a bad port", place("AgentAuthOrigin https://a.example:99999"), "port above 65535", place("AgentAuthOrigin HTTPS://A.example:8443")],
  ["origin with a user", place("AgentAuthOrigin https://u@a.example"), "is not scheme://host[:port]", place("AgentAuthOrigin https://a.example:443")],
  ["any origin beside another", place("AgentAuthOrigin same-origin *"), "'*' stands alone", place("AgentAuthOrigin *")],
  ["another origin beside any", place("AgentAuthCORSOrigin * https://a.example"), "'*' stands alone", place("AgentAuthCORSOrigin https://a.example https://b.example")],
  ["same-origin for CORS", place("AgentAuthCORSOrigin same-origin"), "allowed: origins, or *", place("AgentAuthCORSOrigin *")],

  // policies and maps
  ["policy that is not there", place("AgentAuthPolicy nowhere.lua"), "nowhere.lua", policy()],
  ["policy that is broken", place("AgentAuthPolicy broken.lua"), "broken.lua' with the map 'langgraph' does not load", policy()],
  ["policy that is a folder", place("AgentAuthPolicy closed"), "is not a file", policy()],
  ["policy that others may write", place("AgentAuthPolicy writable.lua"), "can be written by everybody", policy()],
  ["policy in a folder that others may write", place("AgentAuthPolicy anyone/policy.lua"), "directory .*anyone can be written by everybody", policy()],
  ["policy of another map", place("AgentAuthPolicy http.lua"), "does not load", place("AgentAuthPolicy http.lua\nAgentAuthRoutes none")],
  ["map inherited from above", `${place("AgentAuthRoutes langgraph\nAgentAuthPolicy policy.lua", "/a")}\n<Location /a/b>\nAgentAuthPolicy http.lua\n</Location>`, "does not load", `${place("AgentAuthRoutes none\nAgentAuthPolicy other.lua", "/a")}\n<Location /a/b>\nAgentAuthPolicy http.lua\n</Location>`],
  ["map that is not there", policy("AgentAuthRoutes langraph"), "AgentAuthRoutes .*'langraph'", policy("AgentAuthRoutes langgraph")],
  ["map without a name", policy("AgentAuthRoutes +more.lua"), "needs the name of a map first", policy("AgentAuthRoutes langgraph")],
  ["map with an unknown word", policy("AgentAuthRoutes langgraph prefx=/a"), "neither \\+FILE nor prefix=", policy("AgentAuthRoutes langgraph prefix=/agent")],
  ["map with a bad prefix", policy("AgentAuthRoutes langgraph prefix=/"), "for the root leave it out", policy("AgentAuthRoutes langgraph prefix=")],
  ["map with a missing addition", policy("AgentAuthRoutes langgraph +nowhere.lua"), "nowhere.lua", policy("AgentAuthRoutes langgraph")],
  ["open route of no method", policy("AgentAuthOpenRoutes 'get /ok'"), "is not a row of the map", policy("AgentAuthOpenRoutes 'GET /ok'")],
  ["open route that is not there", policy("AgentAuthOpenRoutes 'POST /thread/search'"), "no row 'POST /thread/search'; did you mean 'POST /threads/search'", policy("AgentAuthOpenRoutes 'POST /threads/search'")],
  ["open path that is not there", policy("AgentAuthOpenRoutes /okay"), "no row 'GET /okay'", policy("AgentAuthOpenRoutes /ok /info")],
  ["AuthType of somebody else", "<Location /agent>\nAuthType Basic\nAuthName x\nAgentAuthPolicy policy.lua\n</Location>", "beside AuthType 'Basic'", "<Location /agent>\nAuthType Basic\nAuthName x\nAgentAuthPolicy policy.lua\nAgentAuthOpenAccess On\n</Location>"],
  ["AuthType misspelled", "<Location /agent>\nAuthType AgentAuht\n</Location>", "did you mean 'AgentAuth'", "<Location /agent>\nAuthType agentauth\n</Location>"],
  ["one place with two policies", `${policy()}\n${place("AgentAuthPolicy other.lua")}`, "is set for <Location /agent> already at", `${policy()}\n${place("AgentAuthPolicy other.lua", "/b")}`],

  // proxied places
  ["ajp behind a policy", policy("AgentAuthEnforce headers\nProxyPass ajp://127.0.0.1:8009"), "cannot carry the decision", policy("AgentAuthEnforce headers\nProxyPass http://127.0.0.1:8009")],
  ["assertion for a balancer", policy("AgentAuthEnforce headers\nAgentAuthPassAs assertion\nProxyPass balancer://b"), "AgentAuthAssertionAudience", policy("AgentAuthEnforce headers\nAgentAuthPassAs assertion\nAgentAuthAssertionAudience b\nProxyPass balancer://b")],

  // issuers
  ["issuer without a URL", issuer(good, "id.example"), "is not an https URL", issuer(good)],
  ["issuer over http", issuer(good, "http://id.example/"), "loopback", issuer(good, "http://127.0.0.1:9/")],
  ["issuer with a query", issuer(good, "https://id.example/?a"), "without query and fragment", issuer(good)],
  ["issuer twice", `${issuer(good)}\n${issuer(good)}`, "has a block already at", `${issuer(good)}\n${issuer(good, "https://id.example")}`],
  ["two words in a block's head", issuer(good, "https://id.example/ x"), "takes one URL", issuer(good, '"https://id.example/"')],
  ["issuer without an audience", issuer('AgentAuthIdentityPrefix ""'), "AgentAuthAudience is missing", issuer(good)],
  ["keys over http", issuer(`${good}\nAgentAuthJWKS http://id.example/k`), "loopback", issuer(`${good}\nAgentAuthJWKS http://127.0.0.1:9/k`)],
  ["key file that is not there", issuer(`${good}\nAgentAuthJWKS nowhere.json`), "nowhere.json", issuer(`${good}\nAgentAuthJWKS jwks.json`)],
  ["key file without keys", issuer(`${good}\nAgentAuthJWKS jwks-none.json`), "no key that can verify", issuer(`${good}\nAgentAuthJWKS jwks.json`)],
  ["key file that is none", issuer(`${good}\nAgentAuthJWKS jwks-not.json`), "is no JWK set", issuer(`${good}\nAgentAuthJWKS jwks.json`)],
  ["algorithm none", issuer(`${good}\nAgentAuthAlgorithms none`), "is not one of RS256", issuer(`${good}\nAgentAuthAlgorithms RS256`)],
  ["algorithm misspelled", issuer(`${good}\nAgentAuthAlgorithms ES265`), "did you mean 'ES2", issuer(`${good}\nAgentAuthAlgorithms ES256`)],
  ["HS256 without a secret", issuer(`${good}\nAgentAuthAlgorithms HS256`), "needs AgentAuthIssuerSecret", issuer(`${good}\nAgentAuthAlgorithms HS256\nAgentAuthIssuerSecret file:secret32`)],
  ["HS256 beside RS256", issuer(`${good}\nAgentAuthAlgorithms HS256 RS256\nAgentAuthIssuerSecret file:secret32`), "only HS256, HS384 and HS512", issuer(`${good}\nAgentAuthAlgorithms HS256\nAgentAuthIssuerSecret file:secret32`)],
  ["secret beside keys", issuer(`${good}\nAgentAuthJWKS jwks.json\nAgentAuthIssuerSecret file:secret32`), "allowed is one of them", issuer(`${good}\nAgentAuthIssuerSecret file:secret32`)],
  ["secret too short", issuer(`${good}\nAgentAuthIssuerSecret file:secret31`), "has 31 bytes; HS256 needs 32", issuer(`${good}\nAgentAuthIssuerSecret file:secret32`)],
  ["secret too short for HS512", issuer(`${good}\nAgentAuthAlgorithms HS512\nAgentAuthIssuerSecret ${"s".repeat(63)}`), "has 63 bytes; HS512 needs 64", issuer(`${good}\nAgentAuthAlgorithms HS512\nAgentAuthIssuerSecret ${"s".repeat(64)}`)],
  ["secret file that is not there", issuer(`${good}\nAgentAuthIssuerSecret file:nowhere`), "file:.*nowhere", issuer(`${good}\nAgentAuthIssuerSecret file:secret32`)],
  ["secret file for everybody", issuer(`${good}\nAgentAuthIssuerSecret file:secret-open`), "read by everybody", issuer(`${good}\nAgentAuthIssuerSecret file:secret32`)],
  ["secret file without a secret", issuer(`${good}\nAgentAuthIssuerSecret file:secret-empty`), "is empty", issuer(`${good}\nAgentAuthIssuerSecret file:secret32`)],
  ["secret of no variable", issuer(`${good}\nAgentAuthIssuerSecret env:AA_NOTHING`), "env:AA_NOTHING is not set", issuer(`${good}\nAgentAuthIssuerSecret env:AA_SECRET`)],
  ["secret of no program", issuer(`${good}\nAgentAuthIssuerSecret exec:/nowhere/x`), "cannot be run", issuer(`${good}\nAgentAuthIssuerSecret "exec:/bin/cat ${join(root, "secret32")}"`)],
  ["secret of a program that fails", issuer(`${good}\nAgentAuthIssuerSecret "exec:/bin/sh -c 'cat ${join(root, "secret32")}; exit 3'"`), "ended with status 3", issuer(`${good}\nAgentAuthIssuerSecret "exec:/bin/sh -c 'cat ${join(root, "secret32")}; exit 0'"`)],
  ["claim with a dot at its end", issuer(`${good}\nAgentAuthIdentityClaim a.`), "is not the name of a claim", issuer(`${good}\nAgentAuthIdentityClaim a.b`)],
  ["prefix with a blank", issuer("AgentAuthAudience api\nAgentAuthIdentityPrefix 'a b'"), "one word", issuer("AgentAuthAudience api\nAgentAuthIdentityPrefix a:")],
  ["prefix without a value", issuer("AgentAuthAudience api\nAgentAuthIdentityPrefix"), "one word", issuer(good)],

  // collisions
  ["two issuers without prefixes", `${issuer("AgentAuthAudience a")}\n${issuer("AgentAuthAudience a", "https://two.example/")}`, "could give the same identity in the realm 'gate.example'", `${issuer("AgentAuthAudience a\nAgentAuthIdentityPrefix a:")}\n${issuer('AgentAuthAudience a\nAgentAuthIdentityPrefix ""', "https://two.example/")}`],
  ["two issuers, one prefix", `${issuer("AgentAuthAudience a\nAgentAuthIdentityPrefix a:")}\n${issuer("AgentAuthAudience a", "https://two.example/")}`, "https://two.example/ and the issuer https://id.example/", `${issuer("AgentAuthAudience a\nAgentAuthIdentityPrefix a:")}\n${issuer("AgentAuthAudience a\nAgentAuthIdentityPrefix b:", "https://two.example/")}`],
  ["an issuer beside API keys", `${issuer("AgentAuthAudience a")}\n${place("")}`, "and API keys could give the same identity", `${issuer("AgentAuthAudience a")}\n${place("AgentAuthMethods bearer")}`],
  ["an issuer beside keys of a lower place", `${issuer("AgentAuthAudience a")}\n${place("AgentAuthMethods bearer", "/a")}\n${place("AgentAuthMethods apikey", "/a/b")}`, "and API keys could give", `${issuer("AgentAuthAudience a")}\n${place("AgentAuthMethods bearer", "/a")}\n${place("", "/a/b")}`],
  ["issuers of two hosts in one realm", `${host(`AgentAuthRealm r\n${issuer("AgentAuthAudience a")}`)}\n${host(`AgentAuthRealm r\n${issuer("AgentAuthAudience a", "https://two.example/")}`, "b.example")}`, "in the realm 'r'", `${host(`AgentAuthRealm r\n${issuer("AgentAuthAudience a")}`)}\n${host(`AgentAuthRealm q\n${issuer("AgentAuthAudience a", "https://two.example/")}`, "b.example")}`],
  ["two hosts with the same issuer", `${host(`AgentAuthRealm r\n${issuer("AgentAuthAudience a")}`)}\n${host(`AgentAuthRealm r\n${issuer("AgentAuthAudience a\nAgentAuthIdentityClaim email")}`, "b.example")}`, "could give the same identity", `${host(`AgentAuthRealm r\n${issuer("AgentAuthAudience a")}`)}\n${host(`AgentAuthRealm r\n${issuer("AgentAuthAudience a")}`, "b.example")}`],
];

/* Without the default state directory, for it is what is tried. */
const STATE_ROWS = [
  ["state dir for everybody", "open", "can be read by everybody", "closed"],
  ["state dir that is a file", "file", "is not a directory", "not-there-yet"],
  ["state dir in the runtime dir", "run/state", "inside the runtime directory", "closed"],
  ["state dir that is served", "htdocs/state", "inside the DocumentRoot", "closed"],
];

/* [name, lines that warn, the warning, the same without]; all are right. */
const WARNINGS = [
  ["open access in a place", policy("AgentAuthOpenAccess On"), "AGA0914: AgentAuthOpenAccess .*everybody is let in", policy("AgentAuthOpenAccess Off")],
  ["open access of a host", `AgentAuthOpenAccess On\n${policy()}`, "AGA0914", policy()],
  ["a proxied place without enforce", policy("ProxyPass http://127.0.0.1:9"), "AGA0913: AgentAuthPolicy .*AgentAuthEnforce is not set", policy("ProxyPass http://127.0.0.1:9\nAgentAuthEnforce headers")],
  ["a host's ProxyPass without enforce", `${policy()}\nProxyPass /agent/ http://127.0.0.1:9/`, "AGA0913: AgentAuthPolicy .*AgentAuthEnforce is not set", `${policy()}\nProxyPass /other/ http://127.0.0.1:9/`],
  ["enforce from a place above", policy("ProxyPass http://127.0.0.1:9"), "AGA0913", `${place("AgentAuthEnforce headers", "/")}\n${policy("ProxyPass http://127.0.0.1:9")}`],
  ["nocanon", policy("AgentAuthEnforce headers\nProxyPass http://127.0.0.1:9 nocanon"), "AGA0913: ProxyPass .*nocanon", policy("AgentAuthEnforce headers\nProxyPass http://127.0.0.1:9")],
  ["backend without a policy", place("AgentAuthBackend http://h"), "AGA0915: AgentAuthBackend", policy("AgentAuthBackend http://h")],
  ["routes without a policy", place("AgentAuthRoutes none"), "AGA0915: AgentAuthRoutes", policy("AgentAuthRoutes langgraph")],
  ["a policy without AuthType", "<Location /agent>\nAgentAuthPolicy policy.lua\n</Location>", "AGA0903: AgentAuthPolicy", policy()],
];

const skip = existsSync(MODULE) ? false : `no module at ${MODULE}`;

describe("configtest", { skip }, () => {
  for (const [name, wrong, says, right, { code = true } = {}] of ROWS) {
    test(`${name}: refused`, () => {
      const { code: exit, said } = configtest(wrong);
      assert.notEqual(exit, 0, said);
      assert.match(said, new RegExp(says.includes("\\") || says.includes(".*") ? says : says.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")));
      if (code) assert.match(said, /AGA09\d\d/);
    });
    test(`${name}: its twin is fine`, () => {
      const { code: exit, said } = configtest(right);
      assert.equal(exit, 0, said);
      assert.match(said, /Syntax OK/);
    });
  }

  for (const [name, bad, says, right] of STATE_ROWS) {
    const dir = (d) => `AgentAuthStateDir "${join(root, d)}"\n${policy()}`;
    test(`${name}: refused`, () => {
      const { code, said } = configtest(dir(bad), { state: false });
      assert.notEqual(code, 0, said);
      assert.ok(said.includes(says), said);
      assert.match(said, /AGA0911: AgentAuthStateDir/);
    });
    test(`${name}: its twin is fine`, () => {
      const { code, said } = configtest(dir(right), { state: false });
      assert.equal(code, 0, said);
    });
  }

  for (const [name, warns, says, silent] of WARNINGS) {
    test(`${name}: a warning`, () => {
      const { code, said } = configtest(warns);
      assert.equal(code, 0, said);
      assert.match(said, new RegExp(says));
    });
    test(`${name}: its twin is silent`, () => {
      const { code, said } = configtest(silent);
      assert.equal(code, 0, said);
      assert.doesNotMatch(said, /AGA\d{4}/);
    });
  }
});

describe("configtest as a whole", { skip }, () => {
  test("says all problems, each with file and line", () => {
    const { code, said, first } = configtest(
      [place("AgentAuthPolicy broken.lua"), issuer("AgentAuthAlgorithms HS256"), place("AgentAuthPolicy nowhere.lua", "/b")].join("\n"),
    );
    assert.notEqual(code, 0);
    const at = (n) => `httpd.conf:${first + n}`;
    assert.ok(said.includes(`AgentAuthPolicy (${join(root, at(3))})`), said);
    assert.ok(said.includes(`<AgentAuthIssuer> (${join(root, at(5))}): AgentAuthAudience is missing`), said);
    assert.ok(said.includes("HS256, which needs AgentAuthIssuerSecret"), said);
    assert.ok(said.includes(`AgentAuthPolicy (${join(root, at(11))})`), said);
  });

  test("says a problem of the main server once, however many hosts there are", () => {
    const { said } = configtest(`${place("AgentAuthPolicy broken.lua")}\n${host("")}\n${host("", "b.example")}`);
    assert.equal(said.match(/does not load/g)?.length, 1, said);
  });

  test("never repeats a secret", () => {
    const secret = "tr0ub4dor";
    const block = issuer(`${good}\nAgentAuthIssuerSecret ${secret}`);
    const { code, said } = configtest(block);
    assert.notEqual(code, 0);
    assert.match(said, /has 9 bytes/);
    assert.ok(!said.includes(secret), said);
    const outside = configtest(`AgentAuthIssuerSecret ${secret}`);
    assert.notEqual(outside.code, 0);
    assert.ok(!outside.said.includes(secret), outside.said);
    const backend = configtest(policy(`AgentAuthBackend http://me:${secret}@h/`));
    assert.notEqual(backend.code, 0);
    assert.ok(!backend.said.includes(secret), backend.said);
  });

  test("a dump of the configuration does not show a secret", () => {
    const secret = "s".repeat(40);
    const { said } = configtest(issuer(`${good}\nAgentAuthIssuerSecret ${secret}`), { args: ["-t", "-D", "DUMP_CONFIG"] });
    assert.match(said, /AgentAuthAudience api/);
    assert.match(said, /AgentAuthIssuerSecret \(hidden\)/);
    assert.ok(!said.includes(secret), said);
    const file = configtest(issuer(`${good}\nAgentAuthIssuerSecret file:secret32`), { args: ["-t", "-D", "DUMP_CONFIG"] });
    assert.match(file.said, /AgentAuthIssuerSecret file:secret32/);
  });

  test("creates nothing and changes nothing", () => {
    const look = () =>
      readdirSync(root, { recursive: true })
        .filter((name) => name !== "httpd.conf")
        .sort()
        .map((name) => {
          const { mode, mtimeMs } = statSync(join(root, name));
          return `${name} ${mode} ${mtimeMs}`;
        });
    const digest = () => createHash("sha256").update(readFileSync(join(root, "policy.lua"))).digest("hex");
    const before = [look(), digest()];
    const { code, said } = configtest(
      [policy("AgentAuthPassAs both"), issuer(good), "AgentAuthDecisionLog closed/d.log", "AgentAuthStore sqlite:closed/x.db"].join("\n"),
    );
    assert.equal(code, 0, said);
    assert.deepEqual([look(), digest()], before);
  });

  test("lines inside <IfModule> and Include belong to their section", () => {
    put("more.conf", "AgentAuthPolicy http.lua\n");
    const inner = (routes) =>
      `<Location /agent>\n<IfModule agentauth_module>\nAuthType AgentAuth\n${routes}\n</IfModule>\nRequire valid-user\nInclude more.conf\n</Location>`;
    const fine = configtest(inner("AgentAuthRoutes none"));
    assert.equal(fine.code, 0, fine.said);
    assert.doesNotMatch(fine.said, /AGA\d{4}/);
    const wrong = configtest(inner("AgentAuthRoutes langgraph"));
    assert.notEqual(wrong.code, 0, wrong.said);
    assert.ok(wrong.said.includes(`AgentAuthPolicy (${join(root, "more.conf:1")})`), wrong.said);
  });

  test("a module that is loaded and not used asks for nothing", () => {
    const { code, said } = configtest("", { state: false });
    assert.equal(code, 0, said);
    assert.doesNotMatch(said, /AGA\d{4}/);
  });

  test("every directive stands in the documentation and is merged", () => {
    const done = spawnSync(join(REPO, "scripts/check-directives"), { encoding: "utf8" });
    assert.equal(done.status, 0, done.stdout + done.stderr);
  });
});
