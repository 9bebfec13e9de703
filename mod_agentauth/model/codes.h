/* SPDX-License-Identifier: Apache-2.0 */
/* The list of codes: one row each, in the order of their numbers.
 *
 * AA_CODE(name, number, HTTP status, text for the client, meaning, cause, fix)
 * 01 credentials, 02 policy and routes, 03 the request itself, 04 handing on
 * to the backend, 05 our own state, 06 endpoints of ours, 09 configuration.
 * A number is never used again for something else. */
#ifndef AA_CODES_H
#define AA_CODES_H

/* clang-format off */
#define AA_CODES_CREDENTIALS \
AA_CODE(AA_E_NO_CREDENTIAL, "AGA0101", 401, "authentication required", \
    "the request carries no credential that counts here", \
    "no Authorization header, API key or session was sent", \
    "send a credential of a kind that AgentAuthMethods lists") \
AA_CODE(AA_E_TWO_CREDENTIALS, "AGA0102", 400, "more than one credential", \
    "the request carries two different explicit credentials, or one header twice", \
    "Authorization and the API key header disagree, or a proxy in front added one", \
    "send exactly one credential") \
AA_CODE(AA_E_METHOD_OFF, "AGA0103", 401, "authentication required", \
    "the credential is of a kind that does not count here", \
    "AgentAuthMethods does not list its kind, or that kind is not configured", \
    "use another kind, or add the word to AgentAuthMethods") \
AA_CODE(AA_E_CREDENTIAL_FORM, "AGA0104", 401, "invalid credential", \
    "the credential has none of the known shapes", \
    "a token was cut, quoted or taken from another system", \
    "send it exactly as it was issued") \
AA_CODE(AA_E_FOREIGN_KEY, "AGA0105", 401, "authentication required", \
    "the only credential is an API key header without one of our prefixes", \
    "an SDK sent a key of another service from its environment", \
    "send an API key of this gateway or a bearer token") \
AA_CODE(AA_E_KEY_CHECKSUM, "AGA0110", 401, "invalid credential", \
    "the API key's checksum does not fit", \
    "the key was mistyped or cut", "copy the key again") \
AA_CODE(AA_E_KEY_UNKNOWN, "AGA0111", 401, "invalid credential", \
    "no usable API key of this value in this realm", \
    "the key is unknown, revoked, expired, of another realm, or its user is disabled", \
    "look at: agentauth key list") \
AA_CODE(AA_E_TOKEN_FORM, "AGA0120", 401, "invalid credential", \
    "the bearer token is not a well-formed compact JWS", \
    "wrong alphabet, number of parts, size, JSON or member types", \
    "send the access token as the issuer gave it") \
AA_CODE(AA_E_TOKEN_ISSUER, "AGA0121", 401, "invalid credential", \
    "the token's issuer is not one of this virtual host's", \
    "no <AgentAuthIssuer> block names its iss exactly", \
    "compare iss with the block's URL, trailing slash included") \
AA_CODE(AA_E_TOKEN_ALG, "AGA0122", 401, "invalid credential", \
    "the token's algorithm is not allowed for this issuer, or does not fit the key", \
    "AgentAuthAlgorithms does not list it, or the JWK says another", \
    "allow the algorithm knowingly, or correct the issuer's key set") \
AA_CODE(AA_E_TOKEN_KEY, "AGA0123", 401, "invalid credential", \
    "no key of the issuer's set has the token's kid", \
    "the key was rotated away, or the token is not of this issuer", \
    "compare kid with the issuer's published set") \
AA_CODE(AA_E_TOKEN_SIGNATURE, "AGA0124", 401, "invalid credential", \
    "the token's signature does not verify", \
    "it was altered or signed by another key", "get a new token") \
AA_CODE(AA_E_TOKEN_TIME, "AGA0125", 401, "invalid credential", \
    "the token is expired, not yet valid, or has no usable times", \
    "exp is past, nbf is ahead, or a clock is wrong", \
    "get a new token; compare clocks") \
AA_CODE(AA_E_TOKEN_AUDIENCE, "AGA0126", 401, "invalid credential", \
    "the token is meant for another audience", \
    "aud does not contain a value of AgentAuthAudience", \
    "ask the issuer for a token with this audience") \
AA_CODE(AA_E_TOKEN_CLAIM, "AGA0127", 401, "invalid credential", \
    "a claim that is needed is missing or of the wrong type", \
    "AgentAuthIdentityClaim or AgentAuthPermissionsClaim names a claim that is not usable", \
    "look at the token's claims and at the issuer block") \
AA_CODE(AA_E_TOKEN_KIND, "AGA0128", 401, "invalid credential", \
    "the token is of another kind than an access token", \
    "an ID Token or a logout token was sent as bearer", \
    "send the access token") \
AA_CODE(AA_E_KEYS_AWAY, "AGA0129", 503, "temporarily unavailable", \
    "the issuer's keys cannot be had at the moment", \
    "its key set could not be fetched, or what we have is too old", \
    "look at the log line before this one; reach the JWKS URL from this host") \
AA_CODE(AA_E_POLICY_CREDENTIAL, "AGA0130", 401, "invalid credential", \
    "the policy's authenticate handler refused the credential", \
    "it raised an HTTPException or returned nothing usable", \
    "the detail and the log name the line of the policy")

#define AA_CODES_POLICY \
AA_CODE(AA_E_DENIED, "AGA0201", 403, "forbidden", \
    "the policy's handler returned false", \
    "the user may not do this", "look at the handler that the log names") \
AA_CODE(AA_E_EXCEPTION, "AGA0202", 403, "forbidden", \
    "the policy's handler raised HTTPException, or an assertion failed", \
    "the user may not do this", "the answer's detail is the policy's own text") \
AA_CODE(AA_E_UNMATCHED, "AGA0203", 403, "forbidden", \
    "no handler of the policy covers this event", \
    "AgentAuthUnmatched is deny, its default", \
    "add a handler, or auth.on(function(ctx, value) ... end)") \
AA_CODE(AA_E_POLICY_ERROR, "AGA0204", 500, "policy error", \
    "the policy's handler failed with a Lua error", \
    "a mistake in the policy; the log has file, line and handler", \
    "correct the policy; it is reloaded when the file changes") \
AA_CODE(AA_E_POLICY_BUDGET, "AGA0205", 500, "policy error", \
    "the policy's handler used up its instructions or its memory", \
    "a loop that does not end, or a value that grows", \
    "shorten the handler") \
AA_CODE(AA_E_POLICY_RESULT, "AGA0206", 500, "policy error", \
    "the policy's handler returned something that is no decision", \
    "only nil, true, false and a valid filter are decisions", \
    "the log says what was returned and why it is refused") \
AA_CODE(AA_E_POLICY_ABSENT, "AGA0207", 500, "policy error", \
    "this place has a policy that could not be loaded", \
    "the file is missing, unreadable or broken since the start", \
    "agentauth policy check FILE") \
AA_CODE(AA_E_NOT_AUTHENTICATED, "AGA0208", 401, "authentication required", \
    "the user says of itself that it is not authenticated", \
    "is_authenticated is false", "correct what authenticate returns") \
AA_CODE(AA_E_NO_ROUTE, "AGA0210", 404, "not found", \
    "the route map has no row for this method and path", \
    "the path is not part of the backend's API as the map knows it", \
    "AgentAuthRoutes +FILE adds rows") \
AA_CODE(AA_E_ROUTE_REFUSED, "AGA0211", 403, "forbidden", \
    "the route map refuses this row in every mode", \
    "it cannot be decided safely", \
    "AgentAuthOpenRoutes opens it knowingly") \
AA_CODE(AA_E_ENFORCE_UNSET, "AGA0212", 500, "configuration error", \
    "a proxied place has a policy but does not say how it is enforced", \
    "AgentAuthEnforce is not set here", \
    "set AgentAuthEnforce headers and verify at the backend") \
AA_CODE(AA_E_NO_DECISION, "AGA0213", 403, "forbidden", \
    "the request reached the backend side without the decision that belongs to it", \
    "another module or directive led it around authentication", \
    "look for Satisfy, RewriteRule or a nested section at this place") \
AA_CODE(AA_E_OTHER_AUTHTYPE, "AGA0214", 500, "configuration error", \
    "a place below a policy uses another AuthType", \
    "a nested section replaced AuthType AgentAuth", \
    "AgentAuthOpenAccess On says that this is meant")

#define AA_CODES_REQUEST \
AA_CODE(AA_E_PATH, "AGA0301", 400, "bad path", \
    "the path has no canonical form that the backend would read the same way", \
    "an encoded slash, a NUL, bad UTF-8 or a bad escape", \
    "send a plain path") \
AA_CODE(AA_E_QUERY, "AGA0302", 400, "bad query", \
    "the query is malformed or names a parameter twice", \
    "a duplicate or a bad escape", "send each parameter once") \
AA_CODE(AA_E_BODY_JSON, "AGA0303", 400, "bad request body", \
    "the body is not one strict JSON text", \
    "malformed JSON, a duplicate member, a number or string out of range, or too deep", \
    "send one JSON text with unique member names") \
AA_CODE(AA_E_BODY_TOO_LARGE, "AGA0304", 413, "request body too large", \
    "the body is longer than AgentAuthMaxBody", \
    "the limit is meant to be there", "raise AgentAuthMaxBody for this place") \
AA_CODE(AA_E_BODY_ENCODING, "AGA0305", 415, "unsupported content encoding", \
    "the body's Content-Encoding is not one that can be read", \
    "only identity and gzip are read", "send the body plain") \
AA_CODE(AA_E_BODY_READ, "AGA0306", 400, "request body could not be read", \
    "the body ended early or was framed wrongly", \
    "a broken client or connection", "send it again") \
AA_CODE(AA_E_ORIGIN, "AGA0310", 403, "origin not allowed", \
    "a write with a cookie, or a WebSocket, came from another origin", \
    "another site's page sent it", \
    "list the origin in AgentAuthOrigin if it is meant") \
AA_CODE(AA_E_CORS, "AGA0311", 403, "origin not allowed", \
    "a CORS preflight came from an origin that is not listed", \
    "AgentAuthCORSOrigin does not list it", \
    "list the origin if it is meant") \
AA_CODE(AA_E_UNREADABLE, "AGA0312", 400, "bad request", \
    "httpd refused the request before any place was asked for", \
    "a line or header that is too long or malformed, a path it cannot decode, or unknown framing", \
    "send it as HTTP says; at LogLevel debug httpd says what it did not like")

#define AA_CODES_HANDOFF \
AA_CODE(AA_E_HEADER_SIZE, "AGA0401", 500, "decision too large", \
    "a header for the backend would be longer than its limit", \
    "the user or the filter is too large", \
    "pass fewer claims with AgentAuthPassClaims, or a shorter filter") \
AA_CODE(AA_E_SCHEME, "AGA0402", 500, "configuration error", \
    "the decision cannot travel over this proxy scheme", \
    "h2 and ajp are not supported where a policy is set", \
    "use http, https, ws, wss, fcgi, scgi or uwsgi") \
AA_CODE(AA_E_URL_CHANGED, "AGA0403", 500, "configuration error", \
    "the URL that goes to the backend is not the one that was decided", \
    "a RewriteRule [P], nocanon or another module changed it afterwards", \
    "map the place with ProxyPass and decide on the final path") \
AA_CODE(AA_E_AUDIENCE, "AGA0404", 500, "configuration error", \
    "the assertion's audience cannot be told here", \
    "a balancer or a socket has no scheme://host:port", \
    "set AgentAuthAssertionAudience") \
AA_CODE(AA_E_ASSERTION, "AGA0405", 500, "assertion could not be made", \
    "signing the assertion failed", \
    "no signing key, or OpenSSL refused", "look at the log line before this one")

#define AA_CODES_STATE \
AA_CODE(AA_E_STORE, "AGA0501", 503, "temporarily unavailable", \
    "the store of users and keys does not answer", \
    "the database is missing, locked, full or read-only", \
    "look at the log line before this one; check the state directory") \
AA_CODE(AA_E_INTERNAL, "AGA0502", 500, "internal error", \
    "something of ours failed", "no memory, or a mistake", \
    "look at the log line before this one") \
AA_CODE(AA_E_STATE_DIR, "AGA0503", 503, "temporarily unavailable", \
    "the state directory, or a secret in it, cannot be used", \
    "it is missing, of another owner, readable by others, or lost a secret", \
    "the message names the file; give it to the User of httpd, or restore it")

#define AA_CODES_ENDPOINT \
AA_CODE(AA_E_NO_ENDPOINT, "AGA0601", 404, "not found", \
    "nothing is served at this path below AgentAuthPath", \
    "the path is misspelled", "see docs/directives.md for the endpoints") \
AA_CODE(AA_E_ENDPOINT_METHOD, "AGA0602", 405, "method not allowed", \
    "the endpoint does not take this method", \
    "a wrong method", "see the Allow header") \
AA_CODE(AA_E_REQUIRE, "AGA0603", 403, "forbidden", \
    "a Require rule refused a user who is known", \
    "the user lacks what Require asks for", \
    "look at the Require lines of this place")

#define AA_CODES_ENFORCE \
AA_CODE(AA_E_HIDDEN, "AGA0701", 404, "not found", \
    "the object is missing, or the user's filter hides it", \
    "it was deleted, never made, or belongs to somebody else; both look the same to clients", \
    "the log line says which") \
AA_CODE(AA_E_BACKEND, "AGA0702", 502, "bad gateway", \
    "the backend gave no answer that enforcement can use", \
    "it is down, or its answer was no HTTP, too large, cut, compressed, no JSON, or of an unexpected status", \
    "look at the log line and at the backend") \
AA_CODE(AA_E_BACKEND_TIME, "AGA0703", 504, "gateway timeout", \
    "the backend did not answer enforcement in time", \
    "it is overloaded or hangs", "look at the backend") \
AA_CODE(AA_E_BUSY, "AGA0704", 503, "temporarily unavailable", \
    "the object is being created, changed or deleted by others", \
    "many requests for one object at once, or a backend that is slow to answer", \
    "try again after the time that Retry-After says") \
AA_CODE(AA_E_ENFORCE_BOUND, "AGA0705", 400, "search too wide", \
    "too much had to be looked at for a list under this filter", \
    "a filter beyond equality over very many objects", \
    "narrow the search, or make the policy return an equality") \
AA_CODE(AA_E_NO_RULE, "AGA0706", 403, "forbidden", \
    "the policy returned a filter for a route whose row does not say how the gateway makes it true", \
    "a row without enforce in a map of one's own", \
    "give the row an enforce table") \
AA_CODE(AA_E_WEBHOOK, "AGA0707", 403, "webhook not allowed", \
    "the webhook leads back to the backend or to a loopback address", \
    "a relative URL, the backend's own host, or a host without address", \
    "use a host of its own for webhooks") \
AA_CODE(AA_E_STAMP, "AGA0708", 403, "forbidden", \
    "what would be made does not satisfy the policy's own filter", \
    "the handler for create returns a filter that it does not also write into the metadata", \
    "set value.metadata in the handler so that the filter matches it") \
AA_CODE(AA_E_ENFORCE_BODY, "AGA0709", 422, "bad request body", \
    "a member of the body that enforcement needs has a wrong form or is missing", \
    "metadata or config that is no object, an id that is no text, a page that is too large", \
    "correct the request; the log names the member") \
AA_CODE(AA_E_BACKEND_ADDRESS, "AGA0710", 500, "configuration error", \
    "it is not known where enforcement can ask the backend", \
    "a balancer has no single address, or the proxied path is not the decided one", \
    "say AgentAuthBackend URL in this place") \
AA_CODE(AA_E_STREAM_ENDED, "AGA0711", 0, "", \
    "a streaming answer was cut off", \
    "its credential expired, or its user or key was changed, meanwhile", \
    "nothing: a client that still may will come again")

#define AA_CODES_CONFIG \
AA_CODE(AA_E_CONF_VALUE, "AGA0901", 0, "", \
    "a directive has a value that is not allowed", \
    "a misspelled word, a number out of bounds, a malformed URL", \
    "the message says what is allowed") \
AA_CODE(AA_E_CONF_CONTEXT, "AGA0902", 0, "", \
    "a directive stands where it cannot stand", \
    "it belongs to the server, to a block, or never into .htaccess", \
    "move it to where the message says") \
AA_CODE(AA_E_CONF_MISSING, "AGA0903", 0, "", \
    "a directive that is required is not set", \
    "a block or a place is incomplete", "add the directive") \
AA_CODE(AA_E_CONF_DUPLICATE, "AGA0904", 0, "", \
    "the same thing is said twice", \
    "two blocks or two sections of the same name", "keep one of them") \
AA_CODE(AA_E_CONF_NOT_YET, "AGA0905", 0, "", \
    "a word is not available in this version", \
    "it belongs to a part that this version does not have", \
    "use one of the words that the message lists") \
AA_CODE(AA_E_CONF_SECRET, "AGA0906", 0, "", \
    "a secret cannot be read, or is too short for its algorithm", \
    "a missing or exposed file, an unset variable, a failed command", \
    "make it readable for the server alone, at least as long as the hash") \
AA_CODE(AA_E_CONF_POLICY, "AGA0907", 0, "", \
    "a policy does not load", \
    "a mistake in the Lua file, or it cannot be read", \
    "agentauth policy check FILE") \
AA_CODE(AA_E_CONF_ROUTES, "AGA0908", 0, "", \
    "a route map does not load, or has no row of this name", \
    "a mistake in AgentAuthRoutes or AgentAuthOpenRoutes", \
    "compare with the rows of the map") \
AA_CODE(AA_E_CONF_COLLISION, "AGA0909", 0, "", \
    "two sources of users could give the same identity in one realm", \
    "two issuers, or an issuer beside API keys, without a prefix", \
    "give each issuer an AgentAuthIdentityPrefix; an empty one is consent") \
AA_CODE(AA_E_CONF_METHODS, "AGA0910", 0, "", \
    "AgentAuthMethods lists a kind of credential that nothing here provides", \
    "no issuer block, or no authenticate handler", \
    "configure the kind, or take the word away") \
AA_CODE(AA_E_CONF_FILE, "AGA0911", 0, "", \
    "a file or directory is missing, unsafe or in an unsafe place", \
    "others may read or write it, or the server gives it away", \
    "correct owner, mode or place") \
AA_CODE(AA_E_CONF_KEYS, "AGA0912", 0, "", \
    "an issuer's algorithms and keys do not fit together", \
    "a key file without usable keys, a secret with public-key algorithms", \
    "correct the issuer's block") \
AA_CODE(AA_E_CONF_PROXY, "AGA0913", 0, "", \
    "a proxied place cannot carry its decision to the backend", \
    "AgentAuthEnforce or an audience is not set, or the scheme cannot do it", \
    "the message says which directive is needed") \
AA_CODE(AA_E_CONF_OPEN, "AGA0914", 0, "", \
    "AgentAuthOpenAccess lets everybody in", \
    "it is meant for development", "remove it before others can connect") \
AA_CODE(AA_E_CONF_IDLE, "AGA0915", 0, "", \
    "a directive has no effect where it stands", \
    "what it belongs to is not set in this place", \
    "set both in the same section")

#define AA_CODES \
    AA_CODES_CREDENTIALS AA_CODES_POLICY AA_CODES_REQUEST AA_CODES_HANDOFF \
    AA_CODES_STATE AA_CODES_ENDPOINT AA_CODES_ENFORCE AA_CODES_CONFIG
/* clang-format on */

#endif
