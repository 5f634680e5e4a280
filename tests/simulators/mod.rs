//! Outside parties on a socket: real servers on 127.0.0.1 that speak their party's API and remember what they were sent.

pub mod llm;
pub mod newsletter;
mod recorded;

pub use recorded::Recorded;

#[cfg(test)]
fn http_client() -> reqwest::Client {
    // Another test of this binary may have been first; that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
