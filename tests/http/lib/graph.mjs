// SPDX-License-Identifier: Apache-2.0
// A deterministic agent for the tests: no model, every wait is a gate that the
// test opens.
import { StateGraph } from "@langchain/langgraph";
import { z } from "zod";

const State = z.object({
  text: z.string().optional(), // what to say
  ticks: z.number().optional(), // how many events to stream
  gate: z.string().optional(), // the gate to wait at before each further event
  answer: z.string().optional(),
  caller: z.string().nullish(), // whom the server says it runs for
  told: z.string().optional(), // all that the server says of the caller, JSON
});

/** Resolves when the test opens the gate; rejects when the run is cancelled. */
async function wait(name, signal) {
  await fetch(`${process.env.AA_TEST_GATE}/${name}`, { signal });
}

/* What comes from the request and its user. */
const told = (configurable) =>
  Object.fromEntries(
    Object.entries(configurable).filter(([key]) => /^(langgraph_auth|x-|user-agent$)/i.test(key)),
  );

async function speak(state, config) {
  for (let i = 0; i < (state.ticks ?? 0); i++) {
    if (state.gate) await wait(`${state.gate}.${i}`, config.signal);
    config.writer?.({ tick: i });
  }
  if (state.gate) await wait(`${state.gate}.end`, config.signal);
  return {
    answer: `echo: ${state.text}`,
    caller: config.configurable?.langgraph_auth_user_id ?? null,
    told: JSON.stringify(told(config.configurable ?? {})),
  };
}

export const graph = new StateGraph(State)
  .addNode("speak", speak)
  .addEdge("__start__", "speak")
  .addEdge("speak", "__end__")
  .compile();
