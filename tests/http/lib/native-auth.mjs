// SPDX-License-Identifier: Apache-2.0
// The policies TENANTS and TEMPTING of lib/policies.mjs as the agent server's
// own handlers: what it does without any gateway. The API key is the name.
import { Auth, HTTPException } from "@langchain/langgraph-sdk/auth";

const USERS = { alice: [], bob: [], admin: ["admin"] };
const tempting = process.env.AA_TEST_POLICY === "tempting";

/* What a handler may return by mistake: see TEMPTING. */
const MISTAKES = {
  "eq-empty": () => ({ owner: { $eq: "" } }),
  in: (who) => ({ owner: { $in: [who] } }),
  "no-operator": () => ({ owner: {} }),
  or: (who) => ({ $or: [{ owner: who }, { team: who }] }),
  list: (who) => ({ owner: [who] }),
  nothing: () => ({}),
  eq: (who) => ({ owner: { $eq: who } }),
};

const isAdmin = ({ permissions }) => permissions.includes("admin");

function owned({ event, value, user, permissions }) {
  if (isAdmin({ permissions })) return true;
  const mistake = event === "threads:search" && tempting && MISTAKES[value.metadata?.try];
  if (mistake) return mistake(user.identity);
  // This server would take it for a condition of a search.
  if (!/:(create|update|create_run)$/.test(event)) return { owner: user.identity };
  value.metadata ??= {};
  value.metadata.owner = user.identity;
  return { owner: user.identity };
}

function stored({ event, value, user, permissions }) {
  if (isAdmin({ permissions })) return true;
  if (tempting) {
    value.namespace = [user.identity, ...(value.namespace ?? [])];
    return true;
  }
  if (value.namespace?.[0] !== "shelf") return { namespace: { $contains: user.identity } };
  if (event === "store:put") value.value.owner = user.identity;
  return { owner: user.identity };
}

export const auth = new Auth()
  .authenticate((request) => {
    const name = request.headers.get("x-api-key");
    if (!Object.hasOwn(USERS, name ?? "")) throw new HTTPException(401, { message: "who?" });
    return { identity: name, permissions: USERS[name] };
  })
  .on("*", () => false)
  .on(["threads", "assistants"], owned)
  .on("store", stored);
