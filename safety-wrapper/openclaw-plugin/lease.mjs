// The proof that this plugin is alive in this process: without it the daemon refuses the agent's LLM traffic.
//
// The daemon gives it to a connection, and takes it back in the moment in which that ends: with this process, however it ends.

import { randomUUID } from "node:crypto";

/** Between two tries, milliseconds: at first, and at most. */
const SOONEST = 250;
const LATEST = 5_000;

/** Holds the lease until it is ended. */
export class Lease {
  #client;
  #body;
  #open;
  #timer;
  #again = SOONEST;
  #held = () => {};
  #ended = false;

  constructor(client, runtime) {
    this.#client = client;
    this.#body = { session: `openclaw:${randomUUID()}`, runtime };
  }

  /** The session by which the daemon knows this lease. */
  get session() {
    return this.#body.session;
  }

  /** Takes the lease now, and again whenever it was lost: a daemon that starts anew gives another one. `held`: each time. */
  begin(held) {
    this.#held = held ?? this.#held;
    if (!this.#ended && this.#open === undefined) this.#hold();
  }

  /** How things stand for this agent, with a lease that is held. */
  async standing() {
    if (this.#ended) throw new Error("this plugin was stopped");
    await (this.#open ?? this.#hold()).said;
    try {
      return await this.#client.post("/v1/hooks/session-start", { ...this.#body, bound: true });
    } catch (error) {
      // It was lost in this very moment: the daemon may have started anew.
      if (error?.code !== "lease" || this.#ended) throw error;
      this.#open?.end();
      return await this.#hold().said;
    }
  }

  #hold() {
    clearTimeout(this.#timer);
    const open = this.#client.hold("/v1/hooks/lease", this.#body);
    this.#open = open;
    open.said.then(() => {
      this.#again = SOONEST;
      this.#held();
    }, () => {});
    open.over.then(() => {
      if (this.#open !== open) return;
      this.#open = undefined;
      if (this.#ended) return;
      this.#timer = setTimeout(() => this.begin(), this.#again);
      this.#timer.unref();
      this.#again = Math.min(2 * this.#again, LATEST);
    });
    return open;
  }

  /** Gives it back, so that nothing of this agent goes on without the plugin. */
  async end() {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    try {
      await this.#client.post("/v1/hooks/session-end", { session: this.#body.session }, { within: 2_000 });
    } catch {
      // It ends with the connection.
    }
    this.#open?.end();
  }
}
