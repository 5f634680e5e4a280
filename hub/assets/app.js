// Live updates, copying, theme and keys. Every page works without this file; only "live" needs it.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("scripted");

  const say = (text) => {
    const region = document.getElementById("said");
    if (region) region.textContent = text;
  };

  // -- Live: the stream only says what changed; htmx fetches the fragment that shows it -------------------------------

  const waiting = new Map();
  const changed = (name) => {
    if (waiting.has(name)) return;
    // Heartbeats of a whole fleet and counters of tokens change all the time; nobody reads faster than this.
    const rest = name === "wk-fleet" || name === "wk-usage" ? 1500 : 200;
    waiting.set(name, setTimeout(() => {
      waiting.delete(name);
      document.body.dispatchEvent(new CustomEvent(name, { bubbles: true }));
    }, rest));
  };
  const everything = () => {
    for (const element of document.querySelectorAll("[data-topic]")) changed(element.dataset.topic);
  };

  let late = 0;
  let pause = 1000;
  const setOffline = (offline) => {
    if (offline === root.hasAttribute("data-offline")) return;
    root.toggleAttribute("data-offline", offline);
    say(offline ? "Live updates have stopped. Trying again." : "Live updates are back.");
  };

  const connect = (address) => {
    const source = new EventSource(address);
    source.addEventListener("open", () => {
      clearTimeout(late);
      pause = 1000;
      // Also after the first opening: something may have changed since the page was made.
      everything();
      setOffline(false);
    });
    source.addEventListener("change", (event) => {
      const { topic, tenant } = JSON.parse(event.data);
      if (topic === "all") return everything();
      changed("wk-" + topic);
      if (tenant) changed("wk-tenant-" + tenant);
    });
    source.addEventListener("error", () => {
      clearTimeout(late);
      late = setTimeout(() => setOffline(true), 2000);
      if (source.readyState !== EventSource.CLOSED) return;
      // The browser gives up after an HTTP error: the hub restarts, or the session has ended.
      fetch(address.replace("events", "approvals/count"), { redirect: "manual" })
        .then((answer) => answer.type === "opaqueredirect" && location.reload())
        .catch(() => {});
      setTimeout(() => connect(address), pause);
      pause = Math.min(pause * 2, 30000);
    });
    addEventListener("pagehide", () => source.close());
  };

  // -- Times: "3 min ago" stays true while the page is open; the same words as src/pages/words.rs --------------------

  const span = (seconds) => {
    if (seconds < 60) return Math.floor(seconds) + " s";
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return minutes + " min";
    const hours = Math.floor(minutes / 60);
    if (hours < 10 && minutes % 60) return hours + " h " + (minutes % 60) + " min";
    if (hours < 48) return hours + " h";
    return Math.floor(hours / 24) + " days";
  };
  const tick = () => {
    for (const element of document.querySelectorAll("time[data-relative]")) {
      const seconds = (Date.parse(element.dateTime) - Date.now()) / 1000;
      const text = Math.abs(seconds) < 5 ? "just now" : seconds < 0 ? span(-seconds) + " ago" : "in " + span(seconds);
      if (element.textContent !== text) element.textContent = text;
    }
  };

  // -- Copying -------------------------------------------------------------------------------------------------------

  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // Plain HTTP on a local network has no clipboard interface.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await copy(button.dataset.copy);
      button.classList.add("copied");
      say("Copied.");
      setTimeout(() => button.classList.remove("copied"), 1200);
    } catch {
      say("Copying is not possible here.");
    }
  });

  // -- Theme: at once, without losing a note that is being written ---------------------------------------------------

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-theme-form]") && event.submitter) {
      event.preventDefault();
      const theme = event.submitter.value;
      root.dataset.theme = theme;
      for (const button of document.querySelectorAll("[data-theme-form] button")) {
        button.setAttribute("aria-pressed", String(button.value === theme));
      }
      const body = new URLSearchParams(new FormData(form, event.submitter));
      fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => {});
      return;
    }
    if (form.matches(".decide")) {
      // The browser has taken the form's data before the buttons go dead: one tap, one decision.
      setTimeout(() => {
        for (const button of form.querySelectorAll("button")) button.disabled = true;
      });
    }
  });
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll(".decide button[disabled]:not([data-barred])")) button.disabled = false;
  });

  // -- Approvals: keys, and a moment of rest after the list has moved ------------------------------------------------

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    const step = { j: 1, k: -1 }[event.key];
    if (!step) return;
    const cards = [...document.querySelectorAll("[data-card]")];
    const at = cards.indexOf(document.activeElement?.closest("[data-card]"));
    const next = cards[at < 0 ? (step > 0 ? 0 : cards.length - 1) : at + step];
    if (!next) return;
    event.preventDefault();
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "start" });
  });

  const order = () => [...document.querySelectorAll("[data-card]")].map((card) => card.id).join();
  let before = "";
  document.addEventListener("htmx:before:swap", () => {
    before = order();
  });
  document.addEventListener("htmx:after:swap", () => {
    tick();
    if (before === order()) return;
    root.toggleAttribute("data-settling", true);
    setTimeout(() => root.toggleAttribute("data-settling", false), 700);
  });

  // -- Filter of the fleet: as you type; without script the form's button does it ------------------------------------

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-instant]");
    if (form) form.requestSubmit();
  });

  const start = () => {
    tick();
    setInterval(tick, 10000);
    const address = document.body.dataset.events;
    if (address) connect(address);
    if ("serviceWorker" in navigator && document.body.dataset.worker) {
      navigator.serviceWorker.register(document.body.dataset.worker).catch(() => {});
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
