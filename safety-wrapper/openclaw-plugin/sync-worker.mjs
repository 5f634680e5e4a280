// The other half of sync.mjs.

import { workerData } from "node:worker_threads";

import { Client } from "./client.mjs";

const { socket, token, flag, port } = workerData;
const client = new Client(socket, token);

port.on("message", async ({ number, path, text }) => {
  let answer;
  try {
    answer = JSON.stringify(await client.post(path, JSON.parse(text), { within: 1_900 }));
  } catch {
    // Without a text: whoever asked goes the way of a daemon that is not there.
  }
  port.postMessage({ number, text: answer });
  Atomics.add(flag, 0, 1);
  Atomics.notify(flag, 0);
});
