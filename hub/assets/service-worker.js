// Shows a page of our own when the hub cannot be reached. Keeps no page with data: only the offline page and its assets.
"use strict";
const STORE = "wardkeep-offline-VERSION";
const KEPT = ["/offline", KEPT_ASSETS];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(STORE).then((cache) => cache.addAll(KEPT)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("wardkeep-offline-") && name !== STORE;
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match("/offline")));
  } else if (new URL(request.url).pathname.startsWith("/assets/")) {
    event.respondWith(fetch(request).catch(() => caches.match(request)));
  }
});
