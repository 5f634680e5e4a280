// Node's own http and https modules; NODE_USE_ENV_PROXY=1 makes them look for a proxy.

import http from "node:http";
import https from "node:https";

function asked({ method = "GET", url, headers = {}, body }, agent) {
  return new Promise((resolve, reject) => {
    const request = (url.startsWith("https:") ? https : http).request(url, { method, headers, agent }, resolve);
    request.on("error", reject).setTimeout(20000, () => request.destroy(new Error("timeout")));
    request.end(body);
  });
}

async function text(answer) {
  let said = "";
  for await (const piece of answer.setEncoding("utf8")) said += piece;
  return said;
}

export const using = (agent) => ({
  async send({ body, times = 1, ...rest }) {
    const answer = await asked({ ...rest, body: body?.repeat(times) }, agent(rest.url));
    return { status: answer.statusCode, text: await text(answer) };
  },

  async twice({ url }) {
    const kept = agent(url);
    const statuses = [];
    for (let round = 0; round < 2; round++) {
      const answer = await asked({ url }, kept);
      await text(answer);
      statuses.push(answer.statusCode);
    }
    return statuses;
  },

  async slow({ url }) {
    const begun = performance.now();
    const times = [];
    let said = "";
    const answer = await asked({ url }, agent(url));
    for await (const piece of answer) {
      times.push((performance.now() - begun) / 1000);
      said += piece;
    }
    return { text: said, first: times[0], last: times.at(-1) };
  },
});

export const { send, twice, slow } = using(() => undefined);
