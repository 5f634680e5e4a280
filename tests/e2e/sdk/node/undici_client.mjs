// undici's own fetch with its agent that looks for a proxy in the environment.

import { EnvHttpProxyAgent, fetch, setGlobalDispatcher } from "undici";
import { readFileSync } from "node:fs";

// A package of its own: what Node was told of authorities and proxies is not for it.
const ca = readFileSync(process.env.NODE_EXTRA_CA_CERTS);
setGlobalDispatcher(new EnvHttpProxyAgent({ connect: { ca }, requestTls: { ca } }));
globalThis.fetch = fetch;

const { using } = await import("./fetch_client.mjs");
export const { send, twice, slow } = using(() => ({}));
