//! Drafts of policy, judged by the servers they are for: each judges its own newest calls, since the hub holds no call.

use std::time::Duration;

use wardkeep_policy::Review;
use wardkeep_proto::ids::CommandId;

use crate::app::SharedClock;
use crate::orders::{OrderError, Orders};
use crate::store::commands::{Command, CommandState, Order};
use crate::store::tenants::{Standing, Tenant};
use crate::store::{Caller, Store, StoreError};

/// Between two looks whether a server has answered.
const LOOK: Duration = Duration::from_millis(100);
/// Characters of what a server says that is no review.
const WORDS: usize = 2000;

/// What a server said of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has judged.
    Reviewed(Box<Review>),
    /// It would not take the draft, or could not judge; its words, without control characters.
    Refused(String),
    /// Nothing was heard, and why.
    Silent(&'static str),
}

/// A draft on its way to one server.
#[derive(Debug)]
pub struct Asked {
    /// Which server.
    pub tenant: Tenant,
    command: Result<CommandId, &'static str>,
}

/// Asks servers; cheap to clone.
#[derive(Clone)]
pub struct Reviews {
    orders: Orders,
    store: Store,
    clock: SharedClock,
}

impl std::fmt::Debug for Reviews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reviews(..)")
    }
}

impl Reviews {
    /// Reviews by orders over a store.
    #[must_use]
    pub const fn new(orders: Orders, store: Store, clock: SharedClock) -> Self {
        Self { orders, store, clock }
    }

    /// Sends `source` as a draft to one server, if that is there to hear it.
    ///
    /// # Errors
    /// Every reason of [`OrderError`].
    pub async fn ask(
        &self,
        caller: &Caller,
        by: &str,
        tenant: Tenant,
        source: &str,
        last: u32,
    ) -> Result<Asked, OrderError> {
        let command = match tenant.standing(self.clock.now()) {
            Standing::New => Err("it has not enrolled yet"),
            Standing::Offline => Err("it is offline"),
            Standing::Online => {
                let order = Order::JudgeDraft { source: source.to_owned(), last, after: None };
                Ok(self.orders.give(caller, by, tenant.id, order).await?.id)
            }
        };
        Ok(Asked { tenant, command })
    }

    /// Waits for the answer, at most until `until`.
    ///
    /// # Errors
    /// The database.
    pub async fn answer(
        &self,
        caller: &Caller,
        asked: &Asked,
        until: tokio::time::Instant,
    ) -> Result<Answer, StoreError> {
        let id = match asked.command {
            Ok(id) => id,
            Err(why) => return Ok(Answer::Silent(why)),
        };
        loop {
            let command = self.store.command(caller, asked.tenant.id, id).await?;
            match command.map(|command| heard(&command, command.standing(self.clock.now()))) {
                Some(Some(answer)) => return Ok(answer),
                None => return Ok(Answer::Silent("the order is not in the hub's records any more")),
                Some(None) if tokio::time::Instant::now() >= until => {
                    return Ok(Answer::Silent("it did not answer in time"));
                }
                Some(None) => tokio::time::sleep(LOOK).await,
            }
        }
    }
}

pub(crate) fn heard(command: &Command, standing: CommandState) -> Option<Answer> {
    match standing {
        CommandState::Queued | CommandState::Received => None,
        CommandState::Expired => Some(Answer::Silent("it did not answer in time")),
        CommandState::Failed | CommandState::Refused => Some(Answer::Refused(plain(&command.output))),
        CommandState::Succeeded => Some(match serde_json::from_str::<Review>(&command.output) {
            Ok(review) => Answer::Reviewed(Box::new(review)),
            Err(_) => Answer::Refused("its answer cannot be read; update the older side".to_owned()),
        }),
    }
}

/// What a server says must not steer a terminal.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().take(WORDS).map(|c| if c.is_control() { '.' } else { c }).collect()
}
