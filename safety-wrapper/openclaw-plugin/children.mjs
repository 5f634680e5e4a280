// The sub-agents that there are in this process. The daemon is told all of them whenever that changes, and whenever it gave a
// lease: it counts them, and knows by whom each was started.

import { sessionNamed } from "./names.mjs";

/** Most that are told. */
const MOST = 256;

/** Who was started by whom, until it ended. */
export class Children {
  #client;
  #lease;
  #alive = new Map();
  /** What is told later must not be overtaken. */
  #turn = Promise.resolve();

  constructor(client, lease) {
    this.#client = client;
    this.#lease = lease;
  }

  /** For `subagent_spawned`, which is awaited before the start has its result. */
  spawned(event, ctx) {
    const session = sessionNamed(event?.childSessionKey ?? ctx?.childSessionKey);
    const parent = sessionNamed(ctx?.requesterSessionKey);
    if (session === undefined) return undefined;
    // Started by nobody that is known: then it stands below itself, which is as deep as nothing may.
    this.#alive.set(session, parent ?? session);
    return this.tell();
  }

  /** For `subagent_ended`. */
  ended(event) {
    return this.#alive.delete(sessionNamed(event?.targetSessionKey)) ? this.tell() : undefined;
  }

  /** Says it all. A daemon that is away hears it with its next lease. */
  tell() {
    const say = () => {
      const alive = [...this.#alive].slice(-MOST).map(([session, parent]) => ({ session, parent }));
      return this.#client.post("/v1/hooks/subagents", { session: this.#lease.session, alive });
    };
    this.#turn = this.#turn.then(say).catch(() => {});
    return this.#turn;
  }
}
