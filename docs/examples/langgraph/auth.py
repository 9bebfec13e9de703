# SPDX-License-Identifier: Apache-2.0
"""Makes a LangGraph server (Python) obey mod_agentauth: the signed assertion
that comes with each request says who is calling and what was decided.

langgraph.json:  "auth": { "path": "./auth.py:auth", "disable_studio_auth": true }

Environment, all required:
  AGENTAUTH_JWKS      https://agents.example/.well-known/agentauth/jwks.json
  AGENTAUTH_ISSUER    https://agents.example         ServerName of the gateway
  AGENTAUTH_AUDIENCE  http://127.0.0.1:2024          AgentAuthAssertionAudience

Needs PyJWT with cryptography. Nothing here decides. What the assertion does not
grant is refused: no assertion is 401, an event that was not decided is 403, a
filter that this server cannot apply is 500.

Unlike its JS sibling it does not compare the body: this server does not show it
to `authenticate`. Method, path and query are compared, and an assertion lives
30 seconds.
"""

import asyncio
import base64
import hashlib
import json
import logging
import math
import os
import re
import threading
import time
import urllib.parse
import urllib.request

from langgraph_sdk import Auth

TYP = "agentauth+jwt"
LEEWAY = 5  # seconds between the clocks of gateway and backend
ASSERTION_MAX = 8192  # bytes
JWKS_MAX = 65536  # bytes
JWKS_TIMEOUT = 5  # seconds
JWKS_FRESH = 300  # seconds; after that the set is fetched again
JWKS_STALE = 3600  # seconds; how long an old set outlives a dead gateway
JWKS_INTERVAL = 10  # seconds between fetches for an unknown kid
JWKS_FIRST = 1  # the same while there is no set at all
FILTER_DEPTH = 2  # $and and $or inside each other, as this server allows

log = logging.getLogger("agentauth")
HTTPException = Auth.exceptions.HTTPException


class Refused(Exception):
    """The assertion is not good; the text is a constant, for the log."""


def must(condition, why):
    if not condition:
        raise Refused(why)


def sha256(data):
    digest = hashlib.sha256(data).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def number(value):
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


# ------------------------------------------------------------------------ keys


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class KeySet:
    """The gateway's public keys. One fetch serves all who wait for it."""

    def __init__(self, url, now=time.time, interval=JWKS_INTERVAL):
        # Here, so that a missing package is told at start.
        from jwt.algorithms import ECAlgorithm

        self._algorithm = ECAlgorithm(ECAlgorithm.SHA256)
        self.url, self.now, self.interval = url, now, interval
        self._keys = {}
        self._fetched = self._asked = -math.inf
        self._lock = threading.Lock()

    async def check_signature(self, kid, data, signature):
        """True when the key of this name has signed the data."""
        if kid not in self._keys or self.now() - self._fetched > JWKS_FRESH:
            await asyncio.to_thread(self._refresh)
        must(self.now() - self._fetched <= JWKS_STALE, "no key set to verify with")
        key = self._keys.get(kid)
        must(key, "signed with an unknown key")
        return self._algorithm.verify(data, key, signature)

    def _refresh(self):
        seen = self._fetched
        with self._lock:
            if self._fetched != seen:
                return  # somebody fetched while we waited
            wait = self.interval if self._keys else min(self.interval, JWKS_FIRST)
            if self.now() - self._asked < wait:
                return
            self._asked = self.now()
            try:
                self._keys = self._parse(self._fetch())
                self._fetched = self.now()
            except Exception as error:  # the old set stays
                log.warning("%s: %s", self.url, error)

    def _fetch(self):
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(self.url, timeout=JWKS_TIMEOUT) as response:
            text = response.read(JWKS_MAX + 1)
        if len(text) > JWKS_MAX:
            raise ValueError("too large")
        return text

    def _parse(self, text):
        keys = {}
        for jwk in json.loads(text)["keys"]:
            if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256":
                continue
            if jwk.get("use", "sig") != "sig" or jwk.get("alg", "ES256") != "ES256":
                continue
            if isinstance(jwk.get("kid"), str):
                public = {name: jwk[name] for name in ("kty", "crv", "x", "y")}
                keys[jwk["kid"]] = self._algorithm.from_jwk(json.dumps(public))
        if not keys:
            raise ValueError("holds no ES256 key")
        return keys


# ------------------------------------------------------------------- assertion


def decode_bytes(part):
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise Refused("not base64url") from None


def decode_object(part, why):
    try:
        value = json.loads(decode_bytes(part))
    except (ValueError, RecursionError):
        raise Refused("not JSON inside") from None
    must(isinstance(value, dict), why)
    return value


async def verified(token, check_signature):
    """Signature first: no claim is looked at before a key has verified it."""
    must(len(token) <= ASSERTION_MAX, "too long")
    parts = token.split(".")
    must(len(parts) == 3, "not a compact JWS")
    must(all(re.fullmatch("[A-Za-z0-9_-]+", p) for p in parts), "not base64url")
    header = decode_object(parts[0], "header is no object")
    must(header.get("alg") == "ES256", "alg is not ES256")
    must(header.get("typ") == TYP, "typ is another")
    must("crit" not in header, "has critical extensions")
    must(isinstance(header.get("kid"), str), "names no key")
    data = f"{parts[0]}.{parts[1]}".encode()
    good = await check_signature(header["kid"], data, decode_bytes(parts[2]))
    must(good is True, "signature is wrong")
    return decode_object(parts[1], "claims are no object")


def check_decision(d):
    good = (
        isinstance(d, dict)
        and isinstance(d.get("res"), str)
        and isinstance(d.get("act"), str)
        and isinstance(d.get("set") or {}, dict)
    )
    kind = d.get("kind") if good else None
    filtered = kind == "filter" and isinstance(d.get("flt"), dict)
    must(kind == "all" or filtered, "dec is malformed")


def check_claims(claims, issuer, audience, now):
    """Meant for this backend, now."""
    aud = claims.get("aud")
    must(claims.get("iss") == issuer, "iss is another")
    must(audience in (aud if isinstance(aud, list) else [aud]), "aud is another")
    iat, exp = claims.get("iat"), claims.get("exp")
    must(number(iat) and number(exp), "no iat or exp")
    must(iat <= now + LEEWAY, "issued in the future")
    must(exp > now - LEEWAY, "expired")
    sub, usr = claims.get("sub"), claims.get("usr")
    must(isinstance(sub, str) and sub, "no sub")
    must(isinstance(usr, dict), "no usr")
    must(usr.get("identity", sub) == sub, "two identities")
    perm = claims.get("perm", [])
    must(isinstance(perm, list), "perm is no list")
    must(all(isinstance(p, str) for p in perm), "perm is no list")
    must(isinstance(claims.get("dec"), list), "no dec")
    for d in claims["dec"]:
        check_decision(d)


def fold_head(method):
    return "GET" if method == "HEAD" else method


def check_request(claims, scope):
    """Meant for just this request, as it came over the wire."""
    htp, raw = claims.get("htp"), scope.get("raw_path")
    must(fold_head(claims.get("htm")) == fold_head(scope["method"]), "made for another method")
    must(isinstance(htp, str), "made for another path")
    if raw is not None:
        must(htp == raw.decode("latin-1"), "made for another path")
    else:
        must(urllib.parse.unquote(htp) == scope["path"], "made for another path")
    query = scope.get("query_string", b"")
    must(claims.get("htq") == sha256(query), "made for another query")


# ------------------------------------------------------------------- decisions

# What the server asks of itself while it carries out a request that was decided
# as something else: streaming or waiting for the run just made reads it,
# multitask_strategy cancels runs of the same thread, a rollback deletes them,
# and a run looks up its assistant. Only what is listed here follows, and always
# under the filter of the decision it follows from.
FOLLOWS = {
    "threads:read": lambda value: ["threads:create_run", "threads:update"],
    "threads:update": lambda value: ["threads:create_run"] if value.get("action") else [],
    "threads:delete": lambda value: (
        ["threads:create_run", "threads:update"] if value.get("run_id") else []
    ),
    "assistants:read": lambda value: ["threads:create_run", "crons:create"],
    "assistants:search": lambda value: ["threads:create_run", "crons:create"],
}


def canonical(value):
    """1, 1.0 and true are equal in Python, and must not be here."""
    return json.dumps(value, sort_keys=True)


class Decisions:
    """The decisions of one request, taken by event."""

    def __init__(self, dec):
        self._events, self._taken = {}, {}
        for d in dec:
            self._events.setdefault(f"{d['res']}:{d['act']}", []).append(d)

    def take(self, event, value):
        """None: this event was not decided."""
        own = self._next(event)
        if own is not None:
            return own
        for first in FOLLOWS.get(event, lambda value: [])(value):
            decided = self._events.get(first, [])
            # Of several elements' decisions none is this one's unless they agree.
            if len({canonical([d["kind"], d.get("flt")]) for d in decided}) == 1:
                return {**decided[0], "set": None}
        return None

    def _next(self, event):
        """A batch has one decision an element, in order. A single one, or equal
        ones, answer as often as they are asked."""
        own = self._events.get(event, [])
        taken = self._taken.get(event, 0)
        if taken < len(own):
            self._taken[event] = taken + 1
            return own[taken]
        return own[0] if len({canonical(d) for d in own}) == 1 else None


def stamp(value, wanted):
    """In place: the server keeps only what is changed in what it handed out."""
    for member, v in (wanted or {}).items():
        if isinstance(value.get(member), dict) and isinstance(v, dict):
            value[member].update(v)
        else:
            value[member] = v


def cannot(what):
    return HTTPException(status_code=500, detail=f"this server cannot apply a filter with {what}")


def is_scalar(value):
    return value is None or isinstance(value, (str, int, float, bool))


def condition(key, wanted):
    """Unknown operators match everything here, so none is let through."""
    if is_scalar(wanted):
        return wanted
    if not isinstance(wanted, dict) or len(wanted) != 1:
        raise cannot(f"such a condition for {key}")
    ((operator, operand),) = wanted.items()
    if operator == "$eq" and is_scalar(operand):
        return operand
    if operator == "$contains":
        operands = operand if isinstance(operand, list) else [operand]
        if operands and all(v is not None and is_scalar(v) for v in operands):
            # Older servers know the single one only.
            return {"$contains": operands[0] if len(operands) == 1 else operands}
    raise cannot(f"such an operator for {key}")


def translate(given, depth=0):
    """A filter in the words of this server, or an HTTPException."""
    if not isinstance(given, dict) or not given:
        raise cannot("nothing in it")
    out = {}
    for key, wanted in given.items():
        if key in ("$and", "$or"):
            if not isinstance(wanted, list) or not wanted:
                raise cannot(f"an empty {key}")
            if len(wanted) == 1:
                out = merged(out, translate(wanted[0], depth))
                continue
            if depth >= FILTER_DEPTH:
                raise cannot("such depth")
            out = merged(out, {key: [translate(part, depth + 1) for part in wanted]})
        elif key.startswith("$"):
            raise cannot(key)
        else:
            out = merged(out, {key: condition(key, wanted)})
    return out


def merged(a, b):
    """Both must hold."""
    for key in b:
        if key in a and canonical(a[key]) != canonical(b[key]):
            raise cannot(f"two conditions for {key}")
    return {**a, **b}


# ------------------------------------------------------------------------ auth


class User:
    """What graphs and handlers see. The decisions are no part of what is shown
    or stored of it."""

    def __init__(self, claims):
        sub, usr = claims["sub"], claims["usr"]
        self._claims = {
            **usr,
            "identity": sub,
            "permissions": claims.get("perm", []),
            "display_name": usr.get("display_name") or sub,
            "is_authenticated": True,
        }
        self._agentauth_decisions = Decisions(claims["dec"])

    @classmethod
    def _restore(cls, claims):
        return cls({"sub": claims["identity"], "usr": claims, "dec": [],
                    "perm": claims["permissions"]})

    def __reduce__(self):
        return (User._restore, (self._claims,))

    def __deepcopy__(self, memo):
        return self  # nothing here changes but the count of what was taken

    def __getattr__(self, name):
        claims = self.__dict__.get("_claims", {})
        if name in claims:
            return claims[name]
        raise AttributeError(f"the user has no {name}")

    def __getitem__(self, name):
        return self._claims[name]

    def __contains__(self, name):
        return name in self._claims

    def __iter__(self):
        return iter(self._claims)

    def __len__(self):
        return len(self._claims)

    def get(self, name, default=None):
        return self._claims.get(name, default)

    def keys(self):
        return self._claims.keys()

    def items(self):
        return self._claims.items()

    def dict(self):
        return dict(self._claims)


def agent_auth(jwks, issuer, audience, check_signature=None, now=time.time):
    """The handlers for one gateway.

    check_signature(kid, data, signature) is awaited and says True for a good
    one; the default fetches `jwks` and needs PyJWT.
    """
    check = check_signature or KeySet(jwks, now).check_signature
    auth = Auth()

    @auth.authenticate
    async def authenticate(scope: dict):
        try:
            tokens = [v for n, v in scope["headers"] if n.lower() == b"agentauth-assertion"]
            must(len(tokens) == 1, "is missing, or there twice")
            claims = await verified(tokens[0].decode("latin-1"), check)
            check_claims(claims, issuer, audience, now())
            check_request(claims, scope)
            return User(claims)
        except Refused as why:
            # Constants only: nothing of an unverified token reaches the log.
            log.warning("refused, assertion %s", why)
            raise HTTPException(status_code=401, detail="authentication required") from None

    @auth.on
    async def authorize(ctx, value):
        event = f"{ctx.resource}:{ctx.action}"
        decisions = getattr(ctx.user, "_agentauth_decisions", None)
        decision = decisions.take(event, value) if decisions else None
        if decision is None:
            raise HTTPException(status_code=403, detail=f"{event} was not decided")
        found = True if decision["kind"] == "all" else translate(decision["flt"])
        stamp(value, decision.get("set"))
        return found

    return auth


def required(name):
    value = os.environ.get(name)
    if not value:
        raise RuntimeError(f"{name} is not set: refusing to start without it")
    return value


auth = agent_auth(
    jwks=required("AGENTAUTH_JWKS"),
    issuer=required("AGENTAUTH_ISSUER"),
    audience=required("AGENTAUTH_AUDIENCE"),
)
