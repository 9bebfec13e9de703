// SPDX-License-Identifier: Apache-2.0
// HTTP as bytes: requests that no polite client sends, answers unpolished.
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { once } from "node:events";

const DEADLINE = 20_000; // ms for an answer

export class Answer {
  constructor(status, rawHeaders, body) {
    this.status = status;
    this.rawHeaders = rawHeaders; // [name, value] as sent
    this.body = body; // Buffer
  }
  /** First value of a header, by any case; null: absent. */
  header(name) {
    const found = this.rawHeaders.find(([n]) => n.toLowerCase() === name.toLowerCase());
    return found ? found[1] : null;
  }
  headers(name) {
    return this.rawHeaders.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, v]) => v);
  }
  get text() {
    return this.body.toString("utf8");
  }
  get json() {
    return JSON.parse(this.text);
  }
}

const pairs = (flat) =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);

/* Given a list, node adds nothing of its own. */
function complete(headers, port, body) {
  if (!Array.isArray(headers)) return headers;
  const has = (name) => headers.some((n, i) => i % 2 === 0 && n.toLowerCase() === name);
  const more = [];
  if (!has("host")) more.push("Host", `127.0.0.1:${port}`);
  if (body !== undefined && !has("content-length") && !has("transfer-encoding"))
    more.push("Content-Length", String(Buffer.byteLength(body)));
  return [...more, ...headers];
}

/**
 * One request over HTTP/1.1.
 * @param headers object, or a flat list [name, value, …] for duplicates
 */
export function request({ port, method = "GET", path = "/", headers = {}, body, agent = false }) {
  return new Promise((resolve, reject) => {
    const outgoing = http.request(
      {
        host: "127.0.0.1",
        port,
        method,
        path,
        headers: complete(headers, port, body),
        agent,
        timeout: DEADLINE,
      },
      async (incoming) => {
        const chunks = [];
        try {
          for await (const chunk of incoming) chunks.push(chunk);
          resolve(new Answer(incoming.statusCode, pairs(incoming.rawHeaders), Buffer.concat(chunks)));
        } catch (error) {
          reject(error);
        }
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer")));
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** One request over HTTP/2 with prior knowledge; chunks: the body in frames. */
export async function h2Request({ port, method = "GET", path = "/", headers = {}, body, chunks }) {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  try {
    const failed = once(session, "error").then(([error]) => Promise.reject(error));
    failed.catch(() => {});
    const frames = chunks ?? (body === undefined ? [] : [body]);
    const stream = session.request(
      { ":method": method, ":path": path, ...headers },
      { endStream: frames.length === 0 },
    );
    stream.setTimeout(DEADLINE, () => stream.destroy(new Error("no answer")));
    const answered = once(stream, "response");
    for (const [i, frame] of frames.entries())
      if (i < frames.length - 1) stream.write(frame);
      else stream.end(frame);
    const [raw] = await Promise.race([answered, failed]);
    const received = [];
    for await (const chunk of stream) received.push(chunk);
    const list = Object.entries(raw).filter(([name]) => !name.startsWith(":"));
    return new Answer(
      raw[":status"],
      list.flatMap(([name, v]) => [v].flat().map((one) => [name, String(one)])),
      Buffer.concat(received),
    );
  } finally {
    session.destroy();
  }
}

/** A TCP connection: bytes out as they are given, answers read one by one. */
export class Connection {
  #kept = Buffer.alloc(0);
  #news = []; // after it: joined when somebody looks
  #ended = false;
  #wake = () => {};

  static async open(port) {
    const connection = new Connection();
    const socket = net.connect(port, "127.0.0.1");
    connection.socket = socket;
    const more = () => connection.#wake();
    socket.on("data", (data) => {
      connection.#news.push(data);
      more();
    });
    for (const event of ["end", "close", "error"])
      socket.on(event, () => {
        connection.#ended = true;
        more();
      });
    await once(socket, "connect");
    return connection;
  }

  get #buffer() {
    if (this.#news.length) this.#kept = Buffer.concat([this.#kept, ...this.#news.splice(0)]);
    return this.#kept;
  }

  /** What of it is left. */
  set #buffer(bytes) {
    this.#kept = bytes;
  }

  send(bytes) {
    this.socket.write(bytes);
    return this;
  }

  /** Lines joined by CR LF and the empty line at the end. */
  sendLines(...lines) {
    return this.send(`${lines.join("\r\n")}\r\n\r\n`);
  }

  async #more() {
    if (this.#ended) throw new Error(`connection ended, left: ${this.#buffer}`);
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("no answer")), DEADLINE);
      this.#wake = () => {
        clearTimeout(late);
        resolve();
      };
    });
  }

  async #take(n) {
    while (this.#buffer.length < n) await this.#more();
    const taken = this.#buffer.subarray(0, n);
    this.#buffer = this.#buffer.subarray(n);
    return taken;
  }

  async #takeLine() {
    let at;
    while ((at = this.#buffer.indexOf("\r\n")) < 0) await this.#more();
    const line = (await this.#take(at + 2)).toString("latin1");
    return line.slice(0, -2);
  }

  async #takeChunks() {
    const chunks = [];
    for (;;) {
      const size = parseInt(await this.#takeLine(), 16);
      if (size) chunks.push(await this.#take(size));
      const tail = await this.#takeLine();
      if (!size) {
        if (tail) while (await this.#takeLine()); // trailers
        return Buffer.concat(chunks);
      }
    }
  }

  /** The next answer, 1xx included; `head`: it answers a HEAD. */
  async answer({ head = false } = {}) {
    const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(await this.#takeLine()) ?? [];
    if (!status) throw new Error("not an HTTP answer");
    const list = [];
    for (let line; (line = await this.#takeLine()); ) {
      const at = line.indexOf(":");
      list.push([line.slice(0, at), line.slice(at + 1).trim()]);
    }
    const answer = new Answer(Number(status), list, Buffer.alloc(0));
    const length = answer.header("content-length");
    if (head || answer.status < 200 || [204, 304].includes(answer.status)) return answer;
    if (/chunked/i.test(answer.header("transfer-encoding") ?? "")) answer.body = await this.#takeChunks();
    else if (length !== null) answer.body = await this.#take(Number(length));
    else answer.body = await this.rest();
    return answer;
  }

  /** All that comes until the other side closes. */
  async rest() {
    while (!this.#ended) await this.#more();
    const all = this.#buffer;
    this.#buffer = Buffer.alloc(0);
    return all;
  }

  /** Resolves when the other side has closed. */
  async closed() {
    while (!this.#ended) await this.#more();
  }

  /** Bytes until they contain a text. */
  async until(text) {
    while (!this.#buffer.includes(text)) await this.#more();
    return this.#take(this.#buffer.indexOf(text) + Buffer.byteLength(text));
  }

  close() {
    this.socket.destroy();
  }
}
