//! A Unix listener that only hears the daemon's own user and root.

use tokio::net::{UnixListener, UnixStream};

/// Whoever connected; checked already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// User id by `SO_PEERCRED`.
    pub uid: u32,
}

/// Accepts connections of the allowed users and drops all others before a byte is read.
#[derive(Debug)]
pub struct PeerChecked {
    inner: UnixListener,
    own_uid: u32,
}

impl PeerChecked {
    /// Allows `own_uid` and root.
    #[must_use]
    pub fn new(inner: UnixListener, own_uid: u32) -> Self {
        Self { inner, own_uid }
    }

    fn check(&self, stream: &UnixStream) -> Option<Peer> {
        let uid = stream.peer_cred().ok()?.uid();
        allowed(uid, self.own_uid).then_some(Peer { uid })
    }
}

const fn allowed(uid: u32, own: u32) -> bool {
    uid == own || uid == 0
}

impl axum::serve::Listener for PeerChecked {
    type Io = UnixStream;
    type Addr = Peer;

    async fn accept(&mut self) -> (UnixStream, Peer) {
        loop {
            match self.inner.accept().await {
                Ok((stream, _)) => match self.check(&stream) {
                    Some(peer) => return (stream, peer),
                    None => tracing::warn!("a connection to the admin socket by another user was dropped"),
                },
                // Out of descriptors, most likely: give others time to close theirs.
                Err(error) => {
                    tracing::error!(%error, "the admin socket cannot accept");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Peer> {
        Ok(Peer { uid: self.own_uid })
    }
}

impl axum::extract::connect_info::Connected<axum::serve::IncomingStream<'_, PeerChecked>> for Peer {
    fn connect_info(stream: axum::serve::IncomingStream<'_, PeerChecked>) -> Self {
        *stream.remote_addr()
    }
}

#[cfg(test)]
mod tests {
    use axum::serve::Listener as _;

    use super::*;

    #[test]
    fn only_the_own_user_and_root_are_heard() {
        assert!(!allowed(1001, 1000) && !allowed(u32::MAX, 1000) && allowed(1000, 1000) && allowed(0, 1000));
    }

    #[tokio::test]
    async fn a_foreign_peer_is_dropped_before_a_byte_is_read() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("admin.sock");
        let me = rustix::process::geteuid().as_raw();
        if me == 0 {
            // Root is always heard: only the accepting half can be shown.
            let mut listener = PeerChecked::new(UnixListener::bind(&path).expect("binds"), 4_000_000);
            let _client = UnixStream::connect(&path).await.expect("connects");
            assert_eq!(listener.accept().await.1, Peer { uid: 0 });
            return;
        }
        let mut listener = PeerChecked::new(UnixListener::bind(&path).expect("binds"), me + 1);
        let client = UnixStream::connect(&path).await.expect("connects");
        let accepted = tokio::time::timeout(std::time::Duration::from_millis(200), listener.accept()).await;
        assert!(accepted.is_err());
        client.readable().await.expect("closed by the daemon");
        assert_eq!(client.try_read(&mut [0; 1]).expect("end of stream"), 0);
    }
}
