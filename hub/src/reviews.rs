//! Drafts of policy, judged by the servers they are for: each judges its own newest calls, since the hub holds no call.

use wardkeep_policy::Review;
use wardkeep_proto::ids::CommandId;

use crate::app::SharedClock;
use crate::orders::{OrderError, Orders};
use crate::store::commands::{Command, CommandState, Order};
use crate::store::stir::Stir;
use crate::store::tenants::{Standing, Tenant};
use crate::store::{Caller, StoreError};

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
    pub const fn new(orders: Orders, clock: SharedClock) -> Self {
        Self { orders, clock }
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
        stir: &mut Stir,
    ) -> Result<Answer, StoreError> {
        let id = match asked.command {
            Ok(id) => id,
            Err(why) => return Ok(Answer::Silent(why)),
        };
        let ended = self.orders.ended(caller, (asked.tenant.id, id), until, stir).await?;
        Ok(match ended {
            None => Answer::Silent("the order is not in the hub's records any more"),
            Some(command) => heard(&command, command.standing(self.clock.now()))
                .unwrap_or(Answer::Silent("it did not answer in time")),
        })
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
