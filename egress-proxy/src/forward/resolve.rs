//! From a name to addresses.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

use tokio::sync::Semaphore;

/// Questions that may wait for the system at the same time: each takes a thread.
const QUESTIONS: usize = 32;

/// An answer under way.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Whoever knows the addresses of names.
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of `host` (a name, lower case) at this moment.
    fn lookup<'a>(&'a self, host: &'a str) -> Lookup<'a>;
}

/// The system's own resolver, `/etc/hosts` included.
#[derive(Debug)]
pub struct SystemResolver(Semaphore);

impl Default for SystemResolver {
    fn default() -> Self {
        Self(Semaphore::new(QUESTIONS))
    }
}

impl Resolver for SystemResolver {
    fn lookup<'a>(&'a self, host: &'a str) -> Lookup<'a> {
        Box::pin(async move {
            let _turn = self.0.acquire().await.map_err(io::Error::other)?;
            Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
        })
    }
}
