// The plugin beside a daemon, as a test has it.

import plugin from "../index.mjs";
import { ctx, daemon, host, started } from "./daemon.mjs";

/** A plugin with its daemon, for one test. */
export async function set(answers, config = {}) {
  const there = await daemon({
    "/v1/hooks/lease": { held: started },
    "/v1/hooks/session-start": started,
    "/v1/hooks/session-end": {},
    "/v1/hooks/redact": ({ value }) => ({ value: JSON.parse(JSON.stringify(value).replaceAll("hunter2-secret", "SECRET_REF(pw)")) }),
    ...answers,
  });
  const settings = { socket: there.socket, tokenFile: there.tokenFile, runner: "/usr/bin/wardkeep-agent", workspace: "/srv/agents/a" };
  const api = host({ ...settings, waitSeconds: 1, ...config });
  plugin.register(api);
  return { api, ...there, end: async () => (await api.dispose(), there.stop()) };
}

/** What the plugin says to a call before any other hook. */
export const decide = (api, event) => api.policy.evaluate(event, ctx);
