//! Waiting for something that is mostly there already.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// It did not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Late;

/// As [`tokio::time::timeout`], but the time is asked for, and counts, only from the moment at which something has to be waited
/// for: what has come already needs no clock.
pub(crate) async fn within<F: Future>(patience: Duration, work: F) -> Result<F::Output, Late> {
    let (mut work, mut alarm) = (pin!(work), pin!(None::<Sleep>));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Ok(done));
        }
        if alarm.is_none() {
            alarm.set(Some(sleep(patience)));
        }
        match alarm.as_mut().as_pin_mut() {
            // Work that has used up its share of the turn must not keep the alarm from being heard.
            Some(alarm) => pin!(tokio::task::unconstrained(alarm)).poll(cx).map(|()| Err(Late)),
            None => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_too_late_is_not_waited_for() {
        let (begun, patience) = (Instant::now(), Duration::from_secs(5));
        assert_eq!(within(patience, std::future::pending::<()>()).await, Err(Late));
        assert_eq!(begun.elapsed(), patience);
        assert_eq!(within(patience, sleep(Duration::from_secs(6))).await, Err(Late));
        assert_eq!(within(patience, sleep(Duration::from_secs(4))).await, Ok(()));
        assert_eq!(within(Duration::ZERO, async { 7 }).await, Ok(7), "what is there needs no time");
        assert_eq!(begun.elapsed(), Duration::from_secs(14));
    }
}
