// HTTP with JSON over the daemon's Unix socket. Anything but a 200 with JSON is an error; no error repeats what was sent.

import { Agent, request } from "node:http";

/** Longest answer that is read, bytes. */
const ANSWER_BYTES = 16 * 1024 * 1024;
/** How long an answer may take that waits for nobody, milliseconds. */
export const SOON = 10_000;

/** The daemon did not answer, or not with a yes. `code` is its word for why. */
export class DaemonError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "DaemonError";
    this.code = code;
  }
}

/** A client with the agent's token. */
export class Client {
  #socket;
  #token;
  #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(socket, token) {
    this.#socket = socket;
    this.#token = token;
  }

  /** Posts to the hook API. `within`: milliseconds; `signal` gives up earlier. */
  post(path, body, { within = SOON, signal } = {}) {
    const text = Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const failed = (code, message) => reject(new DaemonError(code, message));
      const deadline = setTimeout(() => sent.destroy(new Error("deadline")), within);
      const sent = request(
        {
          socketPath: this.#socket,
          path,
          method: "POST",
          agent: this.#agent,
          signal,
          headers: {
            host: "wardkeep",
            authorization: `Bearer ${this.#token}`,
            "content-type": "application/json",
            "content-length": text.length,
          },
        },
        (answer) => {
          const pieces = [];
          let bytes = 0;
          answer.on("data", (piece) => {
            bytes += piece.length;
            if (bytes > ANSWER_BYTES) sent.destroy(new Error("too large"));
            else pieces.push(piece);
          });
          answer.on("end", () => {
            clearTimeout(deadline);
            try {
              const value = JSON.parse(Buffer.concat(pieces).toString("utf8"));
              if (answer.statusCode === 200) resolve(value);
              else failed(String(value?.error?.code ?? answer.statusCode), String(value?.error?.message ?? "refused"));
            } catch {
              failed("unreadable", "the Wardkeep daemon's answer cannot be read");
            }
          });
          answer.on("error", () => failed("broken", "the Wardkeep daemon's answer broke off"));
        },
      );
      sent.on("error", () => {
        clearTimeout(deadline);
        failed("no-answer", "the Wardkeep daemon does not answer; nothing is allowed until it does");
      });
      sent.end(text);
    });
  }

  /** Ends what is open. */
  close() {
    this.#agent.destroy();
  }
}
