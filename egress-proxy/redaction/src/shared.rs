//! The engine in use, which the daemon replaces when the vault changes.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::Engine;

/// A handle to the present engine; clones see the same one.
#[derive(Clone)]
pub struct Shared(Arc<ArcSwap<Engine>>);

impl Shared {
    /// Starts with `engine`.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(engine)))
    }

    /// The engine of this moment. Load once per request, so that one text is judged by one engine.
    #[must_use]
    pub fn load(&self) -> Arc<Engine> {
        self.0.load_full()
    }

    /// Puts `engine` in use for everything that loads from now on.
    pub fn replace(&self, engine: Engine) {
        self.0.store(Arc::new(engine));
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared(..)")
    }
}
