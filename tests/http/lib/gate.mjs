// SPDX-License-Identifier: Apache-2.0
// Gates that somebody waits at over HTTP until the test opens them.
import { createServer } from "node:http";
import { once } from "node:events";

export async function startGates() {
  const opened = new Set();
  const waiting = new Map(); // name -> responses
  const arrivals = new Map(); // name -> resolvers of arrived()
  const server = createServer((request, response) => {
    const name = request.url.slice(1);
    for (const resolve of arrivals.get(name) ?? []) resolve();
    arrivals.set(name, null);
    if (opened.has(name)) return response.end();
    if (!waiting.has(name)) waiting.set(name, []);
    waiting.get(name).push(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    open(name) {
      opened.add(name);
      for (const response of waiting.get(name) ?? []) response.end();
      waiting.delete(name);
    },
    /** Resolves once somebody stands at the gate (or has passed it). */
    arrived(name) {
      if (arrivals.get(name) === null) return Promise.resolve();
      return new Promise((resolve) => {
        arrivals.set(name, [...(arrivals.get(name) ?? []), resolve]);
      });
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
