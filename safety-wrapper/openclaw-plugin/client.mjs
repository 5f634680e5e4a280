// HTTP with JSON over the daemon's Unix socket. Anything but a 200 with JSON is an error; no error repeats what was sent.

import { Agent, request } from "node:http";

/** Longest answer that is read, bytes. */
const ANSWER_BYTES = 16 * 1024 * 1024;
/** Longest line of an answer without an end, characters. */
const LINE_CHARS = 64 * 1024;
const AWAY = "the Wardkeep daemon does not answer; nothing is allowed until it does";
const UNREADABLE = "the Wardkeep daemon's answer cannot be read";
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

/** `Promise.withResolvers`, which the oldest Node that still gets fixes does not have. */
function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
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
        { ...this.#options(path, text), agent: this.#agent, signal },
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
            const heard = Buffer.concat(pieces).toString("utf8");
            if (answer.statusCode !== 200) return failed(...refusalOf(answer.statusCode, heard));
            try {
              resolve(JSON.parse(heard));
            } catch {
              failed("unreadable", UNREADABLE);
            }
          });
          answer.on("error", () => failed("broken", "the Wardkeep daemon's answer broke off"));
        },
      );
      sent.on("error", () => {
        clearTimeout(deadline);
        failed("no-answer", AWAY);
      });
      sent.end(text);
    });
  }

  /**
   * Posts for an answer that has no end: `said` is its first line, `over` comes when it ended, `end` ends it. It has a
   * connection of its own, which does not keep the process.
   */
  hold(path, body) {
    const said = deferred();
    const over = deferred();
    // Whoever does not wait for the line waits for the end.
    said.promise.catch(() => {});
    const done = (code, message) => {
      clearTimeout(deadline);
      said.reject(new DaemonError(code, message));
      over.resolve();
      sent.destroy();
    };
    const deadline = setTimeout(() => done("no-answer", AWAY), SOON);
    const text = Buffer.from(JSON.stringify(body));
    const sent = request({ ...this.#options(path, text), agent: false }, (answer) => {
      let heard = "";
      answer.setEncoding("utf8");
      answer.on("data", (piece) => {
        heard += piece;
        const line = heard.indexOf("\n");
        if (heard.length > LINE_CHARS) done("unreadable", UNREADABLE);
        if (answer.statusCode !== 200 || line === -1) return;
        clearTimeout(deadline);
        try {
          said.resolve(JSON.parse(heard.slice(0, line)));
        } catch {
          done("unreadable", UNREADABLE);
        }
        heard = "";
      });
      answer.on("close", () => done(...refusalOf(answer.statusCode, heard)));
    });
    sent.on("socket", (socket) => socket.unref());
    sent.on("error", () => done("no-answer", AWAY));
    sent.end(text);
    return { said: said.promise, over: over.promise, end: () => done("ended", AWAY) };
  }

  #options(path, text) {
    return {
      socketPath: this.#socket,
      path,
      method: "POST",
      headers: {
        host: "wardkeep",
        authorization: `Bearer ${this.#token}`,
        "content-type": "application/json",
        "content-length": text.length,
      },
    };
  }

  /** Ends what is open. */
  close() {
    this.#agent.destroy();
  }
}

/** Code and words of an answer that is no yes. */
function refusalOf(status, text) {
  try {
    const { error } = JSON.parse(text);
    return [String(error?.code ?? status), String(error?.message ?? "refused")];
  } catch {
    return ["unreadable", UNREADABLE];
  }
}
