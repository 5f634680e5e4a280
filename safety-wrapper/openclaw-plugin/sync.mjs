// The daemon's answer for a hook that cannot wait: a worker asks, this thread sleeps until it has the answer. 63 microseconds
// a round trip where nothing else runs.

import { MessageChannel, Worker, receiveMessageOnPort } from "node:worker_threads";

/** How long the gateway's thread may stand still, milliseconds. */
const PATIENCE = 2_000;

/** Asks the daemon and blocks. */
export class SyncClient {
  #worker;
  #port;
  #flag = new Int32Array(new SharedArrayBuffer(4));
  #number = 0;

  constructor(socket, token) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = new Worker(new URL("./sync-worker.mjs", import.meta.url), {
      workerData: { socket, token, flag: this.#flag, port: port2 },
      transferList: [port2],
      // The worker has what it needs; the gateway's environment may hold keys.
      env: {},
      execArgv: [],
    });
    this.#worker.unref();
    this.#port.unref();
    // An error of the worker shows itself as an answer that does not come.
    this.#worker.on("error", () => {});
  }

  /** As `Client.post`, at once. */
  post(path, body) {
    const number = ++this.#number;
    const until = Date.now() + PATIENCE;
    const seen = Atomics.load(this.#flag, 0);
    this.#port.postMessage({ number, path, text: JSON.stringify(body) });
    for (let last = seen; ; last = Atomics.load(this.#flag, 0)) {
      for (let got = receiveMessageOnPort(this.#port); got !== undefined; got = receiveMessageOnPort(this.#port)) {
        // An answer that came too late belongs to a question nobody waits for any more.
        if (got.message.number !== number) continue;
        if (got.message.text === undefined) throw new Error("wardkeep: the daemon did not answer");
        return JSON.parse(got.message.text);
      }
      const left = until - Date.now();
      if (left <= 0) throw new Error("wardkeep: the daemon did not answer in time");
      Atomics.wait(this.#flag, 0, last, left);
    }
  }

  /** Ends the worker. */
  close() {
    this.#port.close();
    return this.#worker.terminate();
  }
}
