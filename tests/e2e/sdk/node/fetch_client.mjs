// Node's own fetch; NODE_USE_ENV_PROXY=1 makes it look for a proxy.

export const using = (more) => ({
  async send({ method, url, headers, body, times = 1 }) {
    const answer = await fetch(url, { method, headers, body: body?.repeat(times), ...more() });
    return { status: answer.status, text: await answer.text() };
  },

  async twice({ url }) {
    const statuses = [];
    for (let round = 0; round < 2; round++) {
      const answer = await fetch(url, more());
      await answer.text();
      statuses.push(answer.status);
    }
    return statuses;
  },

  async slow({ url }) {
    const begun = performance.now();
    const times = [];
    let text = "";
    const answer = await fetch(url, more());
    for await (const piece of answer.body) {
      times.push((performance.now() - begun) / 1000);
      text += Buffer.from(piece).toString();
    }
    return { text, first: times[0], last: times.at(-1) };
  },
});

export const { send, twice, slow } = using(() => ({}));
