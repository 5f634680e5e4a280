// What the person reads where no model may answer. These words are the plugin's own and hold nothing that would have to be
// cleaned, so they reach the person also while the daemon, which cleans everything else, is away.

const NOTHING = "Nothing was done with your message, and nothing was sent anywhere.";

/** Every sentence that was said; there are as many as ways to be closed. */
const SAID = new Set();

/** The daemon does not answer. */
export const away = () =>
  said(
    `Wardkeep, which guards this server, does not answer. ${NOTHING} Whoever runs the server starts it with: systemctl start ` +
      "wardkeep-agent (wardkeep-agent doctor says what is wrong). Send your message again afterwards.",
  );

/** The daemon allows nothing; `states` are its names for why. */
export const shut = (states) =>
  said(
    `Wardkeep allows nothing on this server at the moment (${states.join(", ")}). ${NOTHING} Whoever runs the server finds out ` +
      "what to do with: wardkeep-agent doctor. Send your message again afterwards.",
  );

/** The plugin has no daemon to ask: its settings cannot be used. */
export const unset = () =>
  said(
    `Wardkeep's plugin in OpenClaw is not set up, so nothing is allowed. ${NOTHING} Whoever runs the server finds out what to do ` +
      "with: wardkeep-agent openclaw doctor.",
  );

/** Whether these are words of ours, and nothing else. */
export const ours = (text) => typeof text === "string" && SAID.has(text);

function said(sentence) {
  SAID.add(sentence);
  return sentence;
}
