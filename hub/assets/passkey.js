// Passkeys: making one, approving a critical call with one, letting another one in. The rest of the pages works without.
(() => {
  "use strict";
  const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
  const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const can = () => window.PublicKeyCredential && navigator.credentials && window.isSecureContext;
  const NOT_HERE = "This browser cannot use passkeys. Open this page in another browser, or on your phone.";

  const say = (form, text) => {
    const place = form.querySelector("[data-passkey-said]");
    if (!place) return;
    place.hidden = !text;
    place.querySelector("p").textContent = text;
  };

  // Browsers tell little on purpose: what happened on the key is nobody's business.
  const words = (error, nothing) => {
    switch (error.name) {
      case "NotAllowedError":
      case "AbortError":
        return "It was cancelled, took too long, or no fitting passkey is here. " + nothing;
      case "InvalidStateError":
        return "This device or password manager holds one of your passkeys already. " + nothing;
      case "SecurityError":
        return "Passkeys do not work on this address of the hub. " + nothing;
      case "NotSupportedError":
        return "This passkey is of a kind that cannot be used here. " + nothing;
      default:
        return (error.said || "Something went wrong.") + " " + nothing;
    }
  };

  const busy = (form, on) => {
    for (const button of form.querySelectorAll("button")) button.disabled = on;
    form.setAttribute("aria-busy", String(on));
  };

  // What a key signs; always with its person verified.
  const sign = async (form, challenge) => {
    const allowCredentials = form.dataset.credentials.split(" ").map((one) => {
      const [id, transports] = one.split(":");
      return { type: "public-key", id: decode(id), ...(transports && { transports: transports.split(",") }) };
    });
    const made = await navigator.credentials.get({
      publicKey: {
        challenge: decode(challenge), rpId: form.dataset.rp, allowCredentials, userVerification: "required", timeout: 120000,
      },
    });
    return {
      credential_id: encode(made.rawId),
      authenticator_data: encode(made.response.authenticatorData),
      client_data_json: encode(made.response.clientDataJSON),
      signature: encode(made.response.signature),
    };
  };

  const post = async (form, path, body) => {
    const csrf = form.querySelector("[name=csrf]").value;
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf-token": csrf },
      body: JSON.stringify(body),
    });
    const said = await answer.json().catch(() => null);
    if (answer.ok) return said;
    const message = said?.error?.message ?? "the hub does not answer";
    throw Object.assign(new Error(), { said: message[0].toUpperCase() + message.slice(1) + "." });
  };

  // -- Approving: the challenge is the digest of the call, so that the signature is good for nothing else --------------

  const approve = async (form) => {
    const challenge = form.dataset.challenge;
    // The list may be exchanged while the person is asked.
    const now = () => document.querySelector(`form[data-challenge="${CSS.escape(challenge)}"]`);
    say(form, "");
    busy(form, true);
    try {
      const passkey = await sign(form, challenge);
      const there = now();
      if (!there) return;
      busy(there, false);
      there.querySelector("[name=passkey]").value = JSON.stringify(passkey);
      there.requestSubmit(there.querySelector("button[value=approved]"));
    } catch (error) {
      const there = now();
      if (!there) return;
      busy(there, false);
      say(there, words(error, "Nothing was decided."));
    }
  };

  // -- Making one ------------------------------------------------------------------------------------------------------

  const make = async (form) => {
    say(form, "");
    busy(form, true);
    try {
      const asked = await post(form, "/api/v1/passkeys/challenge", {});
      const made = await navigator.credentials.create({
        publicKey: {
          challenge: decode(asked.challenge),
          rp: { id: asked.rp_id, name: "Wardkeep" },
          user: { id: decode(asked.user_id), name: asked.user_name, displayName: asked.user_name },
          pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
          authenticatorSelection: { userVerification: "required", residentKey: "preferred" },
          excludeCredentials: asked.exclude.map((id) => ({ type: "public-key", id: decode(id) })),
          attestation: "none",
          timeout: 300000,
        },
      });
      const registration = {
        authenticator_data: encode(made.response.getAuthenticatorData()),
        client_data_json: encode(made.response.clientDataJSON),
      };
      const name = form.querySelector("[name=name]").value.trim() || "Passkey";
      const transports = made.response.getTransports?.() ?? [];
      await post(form, "/api/v1/passkeys", { name, challenge: asked.challenge, registration, transports });
      location.assign(form.dataset.then);
    } catch (error) {
      busy(form, false);
      say(form, words(error, "No passkey was made."));
    }
  };

  // -- Letting another one in ------------------------------------------------------------------------------------------

  const introduce = async (form) => {
    say(form, "");
    busy(form, true);
    try {
      const path = `/api/v1/passkeys/${form.dataset.fingerprint}/introduction`;
      const tenant = form.dataset.tenant;
      const asked = await post(form, path, { tenant });
      const assertion = await sign(form, asked.challenge);
      await post(form, path, { tenant, expires_ms: asked.expires_ms, assertion });
      location.assign(form.dataset.then);
    } catch (error) {
      busy(form, false);
      say(form, words(error, "Nothing has changed."));
    }
  };

  // Before any other listener: what is not signed yet must not leave the page.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const act = form.matches("[data-passkey-new]") ? make : form.matches("[data-introduce]") ? introduce : null;
    const signing = form.matches("[data-challenge]") && event.submitter?.value === "approved"
      && !form.querySelector("[name=passkey]").value;
    if (!act && !signing) return;
    event.preventDefault();
    event.stopPropagation();
    if (!can()) return say(form, NOT_HERE);
    (act ?? approve)(form);
  }, { capture: true });

  // Who cannot is told before trying.
  const look = () => {
    if (can()) return;
    for (const form of document.querySelectorAll("[data-challenge], [data-passkey-new], [data-introduce]")) say(form, NOT_HERE);
  };
  document.addEventListener("htmx:after:swap", look);
  // A page that the browser kept must not send what was signed before.
  addEventListener("pageshow", () => {
    for (const field of document.querySelectorAll("[data-challenge] [name=passkey]")) field.value = "";
    look();
  });
})();
