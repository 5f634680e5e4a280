//! `GET /events`: says what changed, never the data. The page fetches the fragment, as the person it belongs to.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event as Message, KeepAlive};
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use wardkeep_proto::ids::TenantId;

use crate::app::SharedClock;
use crate::auth::Session;
use crate::events::{Change, Event, Events};
use crate::store::{Caller, Store};

/// A comment this often keeps proxies from closing the stream.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// A stream ends after this long and the browser comes again: a session that has ended is noticed.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// The stream of one person.
pub(super) async fn stream(
    session: Session,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    State(events): State<Events>,
) -> Sse<impl Stream<Item = Result<Message, Infallible>>> {
    let listener =
        Listener { caller: session.caller(), store, clock, events: events.subscribe(), names: HashMap::new() };
    // The first message opens the stream at once; headers alone may wait in a proxy.
    let first = stream::once(async { Ok(Message::default().comment("open")) });
    let rest =
        stream::unfold(listener, |mut listener| async { listener.next().await.map(|message| (Ok(message), listener)) });
    let until = tokio::time::sleep(LIFE);
    let stream = futures_util::StreamExt::take_until(futures_util::StreamExt::chain(first, rest), until);
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

struct Listener {
    caller: Caller,
    store: Store,
    clock: SharedClock,
    events: Receiver<Event>,
    /// Names of tenants that this person may see; `None` for one that is not to be seen.
    names: HashMap<TenantId, Option<String>>,
}

impl Listener {
    /// The next change that concerns this person; `None` when the hub stops.
    async fn next(&mut self) -> Option<Message> {
        loop {
            match self.events.recv().await {
                Ok(event) => {
                    if let Some(name) = self.name(event.tenant).await {
                        return Some(message(topic(event.change), Some(&name)));
                    }
                }
                // Too slow: what was missed is not known, so everything is looked at again.
                Err(RecvError::Lagged(_)) => return Some(message("all", None)),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    async fn name(&mut self, tenant: TenantId) -> Option<String> {
        if let Some(known) = self.names.get(&tenant) {
            return known.clone();
        }
        let found = self.store.tenant(&self.caller, tenant, self.clock.now()).await.ok()?;
        let name = found.map(|tenant| tenant.name.to_string());
        self.names.insert(tenant, name.clone());
        name
    }
}

const fn topic(change: Change) -> &'static str {
    match change {
        Change::Tenant | Change::Policy | Change::Command => "fleet",
        Change::Approval(_) => "approvals",
        Change::Activity => "activity",
        Change::Usage => "usage",
    }
}

fn message(topic: &str, tenant: Option<&str>) -> Message {
    let data = serde_json::json!({ "topic": topic, "tenant": tenant });
    Message::default().event("change").data(data.to_string())
}
