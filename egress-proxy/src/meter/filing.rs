//! Waiting for a settlement to be on disk.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::MeterError;

/// Ready once a settlement is on disk, or the disk refused it.
pub(crate) struct Filing(oneshot::Receiver<Result<(), MeterError>>);

impl Filing {
    pub(super) const fn new(done: oneshot::Receiver<Result<(), MeterError>>) -> Self {
        Self(done)
    }
}

impl Future for Filing {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|done| {
            if let Err(error) = done.unwrap_or(Err(MeterError::Closed)) {
                tracing::warn!(%error, "usage is not on disk yet");
            }
        })
    }
}
