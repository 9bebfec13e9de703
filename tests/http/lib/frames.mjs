// SPDX-License-Identifier: Apache-2.0
// HTTP/2 requests that no polite client sends: any fields, in any order.
import http2 from "node:http2";
import net from "node:net";
import { once } from "node:events";
import { Duplex } from "node:stream";
import { Answer } from "./wire.mjs";

const DEADLINE = 20_000; // ms for an answer
const PREFACE = 24; // bytes
const HEADERS = 1;
const END_STREAM = 1;
const END_HEADERS = 4;

/* RFC 7541 s5.1, a prefix of seven bits. */
function integer(n) {
  if (n < 127) return [n];
  const bytes = [127];
  for (n -= 127; n >= 128; n >>>= 7) bytes.push((n & 127) | 128);
  return [...bytes, n];
}

/* RFC 7541 s6.2.2: literals that leave no trace in any table. */
const text = (value) => {
  const bytes = Buffer.from(value, "latin1");
  return Buffer.concat([Buffer.from(integer(bytes.length)), bytes]);
};
const block = (fields) =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));

function frame(type, flags, id, payload) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

/* Whatever node asks for, these fields are sent. */
class Swap extends Duplex {
  #out = Buffer.alloc(0);
  #preface = false;

  constructor(port, fields) {
    super();
    this.fields = fields;
    this.peer = net.connect(port, "127.0.0.1");
    this.peer.on("data", (bytes) => this.push(bytes));
    this.peer.on("end", () => this.push(null));
    this.peer.on("error", (error) => this.destroy(error));
  }
  _read() {}
  _write(bytes, encoding, done) {
    this.#out = Buffer.concat([this.#out, bytes]);
    if (!this.#preface && this.#out.length >= PREFACE) {
      this.peer.write(this.#cut(PREFACE));
      this.#preface = true;
    }
    while (this.#preface && this.#out.length >= 9) {
      const size = 9 + this.#out.readUIntBE(0, 3);
      if (this.#out.length < size) break;
      this.peer.write(this.#swapped(this.#cut(size)));
    }
    done();
  }
  #cut(n) {
    const head = this.#out.subarray(0, n);
    this.#out = this.#out.subarray(n);
    return head;
  }
  #swapped(sent) {
    if (sent[3] !== HEADERS) return sent;
    return frame(HEADERS, END_HEADERS | (sent[4] & END_STREAM), sent.readUInt32BE(5), block(this.fields));
  }
  _destroy(error, done) {
    this.peer.destroy();
    done(error);
  }
}

/**
 * One request of exactly these fields over a clear connection of its own.
 * @param fields [name, value] pairs, pseudo-header fields included
 * @return the answer; null: the stream or the connection was reset instead
 */
export async function h2Fields({ port, fields, body }) {
  const session = http2.connect("http://x", { createConnection: () => new Swap(port, fields) });
  session.on("error", () => {});
  try {
    const stream = session.request({ ":path": "/" }, { endStream: body === undefined });
    stream.setTimeout(DEADLINE, () => stream.destroy(new Error("no answer")));
    const reset = once(stream, "close").then(() => null);
    const failed = once(stream, "error").then(([error]) => {
      if (error.message === "no answer") throw error;
      return null;
    });
    failed.catch(() => {});
    const answered = once(stream, "response");
    answered.catch(() => {});
    if (body !== undefined) stream.end(body);
    const first = await Promise.race([answered, reset, failed]);
    if (!first) return null;
    const received = [];
    for await (const chunk of stream) received.push(chunk);
    const list = Object.entries(first[0]).filter(([name]) => !name.startsWith(":"));
    const flat = list.flatMap(([name, v]) => [v].flat().map((one) => [name, String(one)]));
    return new Answer(first[0][":status"], flat, Buffer.concat(received));
  } finally {
    session.destroy();
  }
}
