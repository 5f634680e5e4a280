// https-proxy-agent, by which most programs for Node use a proxy. Without TLS it makes a tunnel as well, for which the gateway
// has no name to compare: http-proxy-agent is for that.

import { HttpsProxyAgent } from "https-proxy-agent";
import { using } from "./https_client.mjs";

export const { send, twice, slow } = using(() => new HttpsProxyAgent(process.env.HTTPS_PROXY, { keepAlive: true }));
