# SPDX-License-Identifier: Apache-2.0
"""docs/examples/langgraph/auth.py by itself: python3 alone, no agent server.

A stand-in takes the place of langgraph_sdk. Signatures are checked by a
stand-in too, except in the last class, which needs PyJWT.
"""

import asyncio
import base64
import copy
import hashlib
import http.server
import importlib.util
import json
import logging
import os
import pathlib
import pickle
import sys
import threading
import types
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
VECTORS = json.loads((TOP / "tests/vectors/adapter.json").read_text())
ADAPTER = TOP / "docs/examples/langgraph/auth.py"
ISSUER, AUDIENCE = VECTORS["issuer"], VECTORS["audience"]
FILTERS = json.loads((TOP / "tests/vectors/filters.json").read_text())
NOW = 1_700_000_000
ENVIRONMENT = {
    "AGENTAUTH_JWKS": "http://127.0.0.1:1/",
    "AGENTAUTH_ISSUER": ISSUER,
    "AGENTAUTH_AUDIENCE": AUDIENCE,
}


logging.disable(logging.CRITICAL)


class HTTPException(Exception):
    def __init__(self, status_code=401, detail=None, headers=None):
        super().__init__(detail)
        self.status_code, self.detail, self.headers = status_code, detail, headers


class Auth:
    exceptions = types.SimpleNamespace(HTTPException=HTTPException)

    def authenticate(self, handler):
        self.authenticate_handler = handler
        return handler

    def on(self, handler):
        self.on_handler = handler
        return handler


sys.modules["langgraph_sdk"] = types.SimpleNamespace(Auth=Auth)


def load(environment=ENVIRONMENT):
    """Run the adapter's file as the server does."""
    for name in ENVIRONMENT:
        os.environ.pop(name, None)
    os.environ.update(environment)
    spec = importlib.util.spec_from_file_location("adapter_under_test", ADAPTER)
    module = importlib.util.module_from_spec(spec)
    sys.modules["adapter_under_test"] = module
    spec.loader.exec_module(module)
    return module



def load_without_pyjwt():
    algorithms = types.SimpleNamespace(
        ECAlgorithm=type("ECAlgorithm", (), {"SHA256": 0, "__init__": lambda self, _: None})
    )
    kept = {name: sys.modules.get(name) for name in ("jwt", "jwt.algorithms")}
    sys.modules["jwt"] = types.SimpleNamespace(algorithms=algorithms)
    sys.modules["jwt.algorithms"] = algorithms
    try:
        return load()
    finally:
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


adapter = load_without_pyjwt()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sha256(data):
    return b64(hashlib.sha256(data).digest())


def patched(base, patch):
    """null drops a member; {"now": n} is a time."""
    for name, value in (patch or {}).items():
        if value is None:
            base.pop(name, None)
        elif isinstance(value, dict) and list(value) == ["now"]:
            base[name] = NOW + value["now"]
        else:
            base[name] = value
    return base


def parts(header=None, claims=None, dec=()):
    request = VECTORS["request"]
    head = patched({"alg": "ES256", "typ": "agentauth+jwt", "kid": "k1"}, header)
    body = {
        "iss": ISSUER, "aud": AUDIENCE, "iat": NOW, "exp": NOW + 30, "jti": "1",
        "sub": "alice", "perm": ["threads:read"], "dec": list(dec),
        "usr": {"identity": "alice", "display_name": "Alice", "org": "tea"},
        "htm": request["method"], "htp": request["path"],
        "htq": sha256(request["query"].encode()), "pol": "0123456789abcdef",
    }
    return json.dumps(head).encode(), json.dumps(patched(body, claims)).encode()


def token(*args, **kwargs):
    return ".".join(b64(part) for part in (*parts(*args, **kwargs), b"good"))


def scope(assertion, request=None, headers=None):
    wanted = {**VECTORS["request"], **(request or {})}
    if headers is None:
        headers = [(b"agentauth-assertion", assertion.encode())]
    return {
        "type": "http", "method": wanted["method"], "path": wanted["path"],
        "raw_path": wanted["path"].encode(), "query_string": wanted["query"].encode(),
        "headers": headers,
    }


async def stand_in(kid, data, signature):
    adapter.must(kid == "k1", "signed with an unknown key")
    return signature == b"good"


def authenticate(auth, where):
    """The user, or the status of the refusal."""
    try:
        return asyncio.run(auth.authenticate_handler(where))
    except HTTPException as refusal:
        return refusal.status_code


def make(check=stand_in, clock=lambda: NOW):
    return adapter.agent_auth("unused", ISSUER, AUDIENCE, check_signature=check, now=clock)


def ask(auth, user, event, value):
    resource, action = event.split(":")
    ctx = types.SimpleNamespace(user=user, resource=resource, action=action, permissions=[])
    try:
        return asyncio.run(auth.on_handler(ctx, value))
    except HTTPException as refusal:
        return refusal.status_code


class Assertions(unittest.TestCase):
    def test_vectors(self):
        for row in VECTORS["assertions"]:
            with self.subTest(row["name"]):
                got = authenticate(
                    make(), scope(token(row.get("header"), row.get("claims")), row.get("request"))
                )
                self.assertEqual(401 if got == 401 else 200, row["expect"])

    def test_user(self):
        user = authenticate(make(), scope(token()))
        self.assertEqual(user.identity, "alice")
        self.assertEqual(user.display_name, "Alice")
        self.assertEqual(user.permissions, ["threads:read"])
        self.assertIs(user.is_authenticated, True)
        self.assertEqual(user["org"], "tea")
        self.assertIn("org", user)
        self.assertEqual(user.get("none", 5), 5)
        with self.assertRaises(AttributeError):
            user.none
        self.assertEqual(
            sorted(user.dict()),
            ["display_name", "identity", "is_authenticated", "org", "permissions"],
        )

    def test_decisions_are_not_stored_with_the_user(self):
        auth = make()
        dec = [{"res": "threads", "act": "read", "kind": "all"}]
        user = authenticate(auth, scope(token(dec=dec)))
        self.assertIs(ask(auth, user, "threads:read", {}), True)
        self.assertIs(ask(auth, copy.deepcopy(user), "threads:read", {}), True)
        stored = pickle.loads(pickle.dumps(user))
        self.assertEqual(stored.dict(), user.dict())
        self.assertEqual(ask(auth, stored, "threads:read", {}), 403)

    def test_missing_and_twice(self):
        good = token().encode()
        for headers in ([], [(b"agentauth-assertion", good)] * 2, [(b"authorization", good)]):
            self.assertEqual(authenticate(make(), scope("", headers=headers)), 401)
        upper = [(b"AgentAuth-Assertion", good)]
        self.assertNotEqual(authenticate(make(), scope("", headers=upper)), 401)

    def test_wrong_signature(self):
        async def wrong(kid, data, signature):
            return False

        async def odd(kid, data, signature):
            return "yes"

        self.assertEqual(authenticate(make(wrong), scope(token())), 401)
        self.assertEqual(authenticate(make(odd), scope(token())), 401)

    def test_broken_shapes(self):
        h, p, s = token().split(".")
        deep = b64(b"[" * 5000)
        for bad in (
            "x", "..", f"{h}.{p}", f"{h}.{p}.", f"{h}..{s}", f"{h}.{p}.{s}.", f"{h}.{p}.{s}=",
            f"{h}.{p}.{s}, {h}.{p}.{s}", f"{h}.{p}.{s}\n", f"{b64(b'null')}.{p}.{s}",
            f"{b64(b'[]')}.{p}.{s}", f"{h}.{b64(b'null')}.{s}", f"{h}.{b64(b'{')}.{s}",
            f"{deep}.{p}.{s}", f"a.{p}.{s}", "a" * 9000, f"{b64(bytes([255]))}.{p}.{s}",
        ):
            self.assertEqual(authenticate(make(), scope(bad)), 401, bad[:60])

    def test_path_as_sent(self):
        where = scope(token(None, {"htp": "/a%20b"}))
        where.update(path="/a b", raw_path=b"/a%20b")
        self.assertNotEqual(authenticate(make(), where), 401)
        where.update(raw_path=b"/a%2520b")
        self.assertEqual(authenticate(make(), where), 401)
        del where["raw_path"]  # optional in ASGI
        self.assertNotEqual(authenticate(make(), where), 401)
        where.update(path="/a/b")
        self.assertEqual(authenticate(make(), where), 401)


class Events(unittest.TestCase):
    def test_vectors(self):
        for row in VECTORS["events"]:
            if row.get("only", "py") != "py":
                continue
            with self.subTest(row["name"]):
                auth = make()
                user = authenticate(auth, scope(token(dec=row["dec"])))
                for asked in row["asks"]:
                    value = copy.deepcopy(asked.get("value", {}))
                    before = value.get("metadata")
                    got = ask(auth, user, asked["event"], value)
                    self.assertEqual(json.dumps(got), json.dumps(asked["answer"]), asked)
                    if "after" in asked:
                        self.assertEqual(value, asked["after"])
                    if isinstance(before, dict):
                        self.assertIs(value["metadata"], before, "stamped in place")

    def test_other_users(self):
        studio = types.SimpleNamespace(identity="langgraph-studio-user", permissions=[])
        self.assertEqual(ask(make(), studio, "threads:read", {}), 403)
        self.assertEqual(ask(make(), None, "threads:read", {}), 403)


def server_matches(words, metadata):
    """How the Python server's in-memory store applies a filter."""
    for key, wanted in words.items():
        if key in ("$and", "$or"):
            good = [server_matches(part, metadata) for part in wanted]
            if not (all(good) if key == "$and" else any(good)):
                return False
        elif not isinstance(wanted, dict):
            if key not in metadata or metadata[key] != wanted:
                return False
        else:
            ((_, operand),) = wanted.items()  # $contains: $eq is said short
            operands = operand if isinstance(operand, list) else [operand]
            found = metadata.get(key)
            if not isinstance(found, list) or not all(v in found for v in operands):
                return False
    return True


def touches_numbers_and_booleans(row):
    """Python takes a boolean for a number, and the server is Python."""
    def kinds(value):
        if isinstance(value, dict):
            return set().union(*map(kinds, value.values()), set())
        if isinstance(value, list):
            return set().union(*map(kinds, value), set())
        return {type(value)}

    seen = kinds(row["filter"]) | kinds(row["metadata"])
    return bool in seen and seen & {int, float} != set()


class Filters(unittest.TestCase):
    def test_vectors(self):
        for row in VECTORS["filters"]:
            with self.subTest(row["name"]):
                try:
                    got = adapter.translate(row["filter"])
                except HTTPException as refusal:
                    got = refusal.status_code
                self.assertEqual(json.dumps(got), json.dumps(row["py"]))

    def test_means_the_same_to_the_server(self):
        """Under the server's matching, the adapter's words for a filter show
        what the filter means; what cannot be said shows nothing."""
        said = 0
        for row in FILTERS:
            if row.get("error"):
                continue  # the gateway lets none of these out
            try:
                words = adapter.translate(row["filter"])
            except HTTPException as refusal:
                self.assertEqual(refusal.status_code, 500, row["name"])
                continue
            if touches_numbers_and_booleans(row):
                continue  # 1 == True == 1.0 in Python, whatever the adapter says
            with self.subTest(row["name"]):
                self.assertEqual(server_matches(words, row["metadata"]), row["match"])
            said += 1
        self.assertGreater(said, 100)


class Start(unittest.TestCase):
    def test_refuses_without_its_environment(self):
        for name in ENVIRONMENT:
            for value in (None, ""):
                environment = {**ENVIRONMENT, name: value}
                if value is None:
                    del environment[name]
                with self.assertRaisesRegex(RuntimeError, f"{name} is not set"):
                    load(environment)


try:
    import jwt  # noqa: F401
except ImportError:
    jwt = None


@unittest.skipUnless(jwt, "PyJWT is not here")
class Signatures(unittest.TestCase):
    """Real keys, a real key set over HTTP."""

    def setUp(self):
        self.keys, self.status, self.fetches, self.now = {}, 200, 0, NOW
        test = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                test.fetches += 1
                self.send_response(test.status)
                self.end_headers()
                self.wfile.write(json.dumps({"keys": list(test.keys.values())}).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.auth = load().agent_auth(
            f"http://127.0.0.1:{self.server.server_port}/", ISSUER, AUDIENCE, now=lambda: self.now
        )

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def key(self, kid, publish=True):
        from cryptography.hazmat.primitives.asymmetric import ec

        private = ec.generate_private_key(ec.SECP256R1())
        x, y = (
            b64(n.to_bytes(32, "big"))
            for n in (private.public_key().public_numbers().x, private.public_key().public_numbers().y)
        )
        jwk = {"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y, "alg": "ES256", "use": "sig"}
        if publish:
            self.keys[kid] = jwk
        return private

    def status_of(self, private, kid):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        header, claims = parts(
            {"kid": kid}, {"iat": self.now, "exp": self.now + 30}
        )
        data = f"{b64(header)}.{b64(claims)}"
        r, s = decode_dss_signature(private.sign(data.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        got = authenticate(self.auth, scope(f"{data}.{b64(signature)}"))
        return 401 if got == 401 else 200

    def test_good_and_forged(self):
        good, forged = self.key("k1"), self.key("k1", publish=False)
        self.assertEqual(self.status_of(good, "k1"), 200)
        self.assertEqual(self.status_of(forged, "k1"), 401)
        self.assertEqual(self.fetches, 1)

    def test_new_key_is_picked_up_old_one_dropped(self):
        old = self.key("old")
        self.assertEqual(self.status_of(old, "old"), 200)
        self.keys.clear()
        new = self.key("new")
        self.assertEqual(self.status_of(new, "new"), 401, "asked a moment ago")
        self.now += 11
        self.assertEqual(self.status_of(new, "new"), 200)
        self.assertEqual(self.status_of(old, "old"), 401)
        self.assertEqual(self.fetches, 2)

    def test_old_keys_outlive_a_gateway_that_does_not_answer(self):
        key = self.key("k1")
        self.assertEqual(self.status_of(key, "k1"), 200)
        self.status = 503
        self.now += 600
        self.assertEqual(self.status_of(key, "k1"), 200)
        self.now += 3600
        self.assertEqual(self.status_of(key, "k1"), 401)
        self.status = 200
        self.now += 11
        self.assertEqual(self.status_of(key, "k1"), 200)


if __name__ == "__main__":
    unittest.main()
