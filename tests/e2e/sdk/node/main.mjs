// Does with one official client what it is asked for, and tells what the client made of the answer.
//
// A line of JSON in: {"do": NAME, "with": {...}}; a line out: {"saw": ...} or {"raised": {...}}.
// The modules beside this file have one function for each NAME.

import { createInterface } from "node:readline";

function described(error) {
  const classes = [];
  for (let kind = error?.constructor; kind?.name; kind = Object.getPrototypeOf(kind)) classes.push(kind.name);
  const status = typeof error?.status === "number" ? error.status : null;
  const said = [];
  for (let one = error; one && said.length < 5; one = one.cause) said.push(one.message ?? `${one}`);
  return { classes, status, text: said.join(": ").slice(0, 2000) };
}

const client = await import(`./${process.argv[2]}.mjs`);
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let told;
  try {
    told = { saw: await client[asked.do](asked.with) };
  } catch (error) {
    console.error(error);
    told = { raised: described(error) };
  }
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
process.exit(0);
