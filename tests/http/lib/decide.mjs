// SPDX-License-Identifier: Apache-2.0
// Stands in for gateway and policy where a test needs assertions only: the
// events of a request in the order of the route map, decided by ownership.

const ROWS = [
  ["POST /threads", "threads:create"],
  ["POST /threads/search", "threads:search"],
  ["POST /threads/count", "threads:search"],
  ["GET /threads/*", "threads:read"],
  ["PATCH /threads/*", "threads:update"],
  ["DELETE /threads/*", "threads:delete"],
  ["POST /threads/*/copy", "threads:read threads:create"],
  ["GET /threads/*/state", "threads:read"],
  ["POST /threads/*/state", "threads:update threads:read"],
  ["GET /threads/*/state/*", "threads:read"],
  ["POST /threads/*/state/checkpoint", "threads:read"],
  ["GET /threads/*/history", "threads:read"],
  ["POST /threads/*/history", "threads:read"],
  ["GET /threads/*/runs", "threads:search threads:read"],
  ["POST /threads/*/runs", "threads:create_run"],
  ["POST /threads/*/runs/stream", "threads:create_run"],
  ["POST /threads/*/runs/wait", "threads:create_run"],
  ["GET /threads/*/runs/*", "threads:read"],
  ["DELETE /threads/*/runs/*", "threads:delete"],
  ["GET /threads/*/runs/*/join", "threads:read"],
  ["GET /threads/*/runs/*/stream", "threads:read"],
  ["POST /threads/*/runs/*/cancel", "threads:update"],
  ["POST /runs", "threads:create_run"],
  ["POST /runs/stream", "threads:create_run"],
  ["POST /runs/wait", "threads:create_run"],
  ["POST /runs/batch", "threads:create_run"],
  ["POST /assistants", "assistants:create"],
  ["POST /assistants/search", "assistants:search"],
  ["POST /assistants/count", "assistants:search"],
  ["GET /assistants/*", "assistants:read"],
  ["PATCH /assistants/*", "assistants:update"],
  ["DELETE /assistants/*", "assistants:delete"],
  ["GET /assistants/*/graph", "assistants:read"],
  ["GET /assistants/*/schemas", "assistants:read"],
  ["GET /assistants/*/subgraphs", "assistants:read"],
  ["POST /assistants/*/latest", "assistants:update"],
  ["POST /assistants/*/versions", "assistants:read"],
  ["PUT /store/items", "store:put"],
  ["GET /store/items", "store:get"],
  ["DELETE /store/items", "store:delete"],
  ["POST /store/items/search", "store:search"],
  ["POST /store/namespaces", "store:list_namespaces"],
].map(([row, events]) => {
  const pattern = row.replaceAll("*", "[^/]+");
  return { match: new RegExp(`^${pattern}$`), events: events.split(" ") };
});

const STAMPED = ["create", "update", "create_run"];

function decideOne(event, user, namespace, element) {
  const [res, act] = event.split(":");
  if (user === "admin") return { res, act, kind: "all" };
  if (res === "store") return namespace?.[0] === user ? { res, act, kind: "all" } : null;
  const d = { res, act, kind: "filter", flt: { owner: user } };
  if (STAMPED.includes(act)) d.set = { metadata: { ...element?.metadata, owner: user } };
  return d;
}

/** The list `dec` of a request; an event that is denied is left out. */
export function decide(user, method, url, body) {
  const { pathname, searchParams } = new URL(url);
  const literal = ROWS.filter(({ match }) => match.test(`${method} ${pathname}`));
  const row = literal.at(-1);
  if (!row) return [];
  const json = body ? JSON.parse(body) : undefined;
  const namespace =
    json?.namespace ?? json?.namespace_prefix ?? json?.prefix ??
    searchParams.get("namespace")?.split(".");
  const elements = Array.isArray(json) ? json : [json];
  // cancel's body-less update has no metadata to stamp
  return elements
    .flatMap((element) => row.events.map((event) => decideOne(event, user, namespace, element)))
    .filter(Boolean);
}
