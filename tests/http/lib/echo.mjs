// SPDX-License-Identifier: Apache-2.0
// A backend that writes down what reaches it, byte for byte.
import { createServer } from "node:http";
import { once } from "node:events";

class Seen {
  constructor(request, body) {
    this.method = request.method;
    this.url = request.url; // as sent
    this.httpVersion = request.httpVersion;
    const flat = request.rawHeaders;
    this.rawHeaders = Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
    this.body = body; // Buffer
  }
  /** All values of a header, by any case. */
  all(name) {
    return this.rawHeaders.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, v]) => v);
  }
  /** Its only value; null: absent; throws when it is there twice. */
  header(name) {
    const values = this.all(name);
    if (values.length > 1) throw new Error(`${name} is there ${values.length} times`);
    return values[0] ?? null;
  }
  get text() {
    return this.body.toString("utf8");
  }
  get json() {
    return JSON.parse(this.text);
  }
}

/**
 * Start it. `requests` lists what was seen, in order of completion; `respond`
 * may be replaced: (request, response, seen) => answers.
 */
export async function startEcho() {
  const echo = {
    requests: [],
    upgrades: [],
    /** What was seen since the last call. */
    take: () => echo.requests.splice(0),
    get last() {
      return echo.requests.at(-1);
    },
    respond(request, response, seen) {
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify({ method: seen.method, url: seen.url, body: seen.text }));
    },
  };
  const server = createServer(async (request, response) => {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // the other side went away
    }
    const seen = new Seen(request, Buffer.concat(chunks));
    echo.requests.push(seen);
    await echo.respond(request, response, seen);
  });
  server.on("upgrade", (request, socket) => {
    echo.upgrades.push(new Seen(request, Buffer.alloc(0)));
    socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  echo.port = server.address().port;
  echo.url = `http://127.0.0.1:${echo.port}`;
  echo.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return echo;
}
