// The proof that this plugin is alive in this process: without it the daemon refuses the agent's LLM traffic.

import { randomUUID } from "node:crypto";

/** After a failure, milliseconds. */
const AGAIN = 5_000;

/** Renews the lease until it is ended. */
export class Lease {
  #client;
  #runtime;
  #session = `openclaw:${randomUUID()}`;
  #timer;
  #ended = false;

  constructor(client, runtime) {
    this.#client = client;
    this.#runtime = runtime;
  }

  /** Takes the lease now and keeps it. */
  begin() {
    if (!this.#ended) this.#beat();
  }

  /** Renews it once; answers what is closed for this agent. */
  async renew() {
    if (this.#ended) throw new Error("wardkeep: this plugin was stopped");
    const body = { session: this.#session, runtime: this.#runtime };
    return await this.#client.post("/v1/hooks/session-start", body);
  }

  async #beat() {
    let next = AGAIN;
    try {
      next = Math.max(1_000, Number((await this.renew()).lease.renew_after_ms) || AGAIN);
    } catch {
      // The daemon is away: it is asked again soon, and until then nothing runs.
    }
    if (this.#ended) return;
    this.#timer = setTimeout(() => this.#beat(), next);
    this.#timer.unref();
  }

  /** Gives it back, so that nothing of this agent goes on without the plugin. */
  async end() {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      await this.#client.post("/v1/hooks/session-end", { session: this.#session }, { within: 2_000 });
    } catch {
      // It runs out by itself.
    }
  }
}
