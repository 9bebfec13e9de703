// SPDX-License-Identifier: Apache-2.0
// Runs the real agent server in a process of its own; options come as the last
// argument, the address goes to stdout, the end of stdin ends it.
import { startServer } from "@langchain/langgraph-api/server";

const options = JSON.parse(process.argv.at(-1));
const { host } = await startServer(options);
console.log(`LISTENING ${host}`);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
