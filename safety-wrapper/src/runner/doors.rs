//! The one way out of a unit: its own network has nothing but loopback, on which the launcher listens where the forward
//! proxy would be. Each connection is handed out of the unit as an open socket, and the runner carries its bytes to the
//! proxy, which knows by a token of this run alone whose it is.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::net::sockopt::socket_domain;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// Connections of one run at a time.
const CONNECTIONS: usize = 64;
/// The certificates that programs trust by themselves.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where the forward proxy is, and what its clients trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardProxy {
    /// On loopback, outside.
    pub address: SocketAddr,
    /// The certificate that hosts show which the proxy inspects, PEM.
    pub authority_pem: String,
}

/// The proxy for one run.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) authority_pem: String,
    /// Names the agent to the proxy, as long as this run lives.
    pub(crate) token: String,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.token.zeroize();
    }
}

impl Door {
    /// What programs read: where the proxy is, and whom to trust.
    pub(super) fn environment(&self, folder: &Path) -> Vec<(&'static str, String)> {
        let proxy = format!("http://run:{}@127.0.0.1:{}", self.token, self.address.port());
        let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
        let roots = roots_file(folder).display().to_string();
        let trust = ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS"];
        let mut all: Vec<_> = names.into_iter().map(|name| (name, proxy.clone())).collect();
        all.extend(trust.into_iter().map(|name| (name, roots.clone())));
        all.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
        all
    }
}

fn roots_file(folder: &Path) -> PathBuf {
    super::tmp(folder).join("roots.pem")
}

/// Both ends: the runner's and the launcher's.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// In the launcher: listens where programs look for the proxy, and hands each connection out.
pub(super) fn open(door: &Door, folder: &Path, out: OwnedFd) -> io::Result<()> {
    let mut roots = fs::read_to_string(SYSTEM_ROOTS).unwrap_or_default();
    roots.push('\n');
    roots.push_str(&door.authority_pem);
    fs::write(roots_file(folder), roots)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, door.address.port()))?;
    thread::Builder::new().name("door".to_owned()).spawn(move || {
        for connection in listener.incoming().flatten() {
            if hand_out(&out, &connection).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

fn hand_out(out: &OwnedFd, connection: &TcpStream) -> io::Result<()> {
    let files = [connection.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(out, &[IoSlice::new(b"c")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// In the runner: carries the bytes of each connection that is handed out. Ends with the unit.
pub(super) fn serve(from: OwnedFd, proxy: SocketAddr) -> io::Result<()> {
    let open = Arc::new(AtomicUsize::new(0));
    thread::Builder::new().name("door".to_owned()).spawn(move || {
        while let Ok(Some(connection)) = take(&from) {
            if open.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS {
                open.fetch_sub(1, Ordering::SeqCst);
                continue;
            }
            let open = Arc::clone(&open);
            let carried = thread::Builder::new().name("carry".to_owned()).spawn(move || {
                carry(&connection, proxy);
                open.fetch_sub(1, Ordering::SeqCst);
            });
            if carried.is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

/// The next connection; `None` when the unit is gone, or hands out what is none.
fn take(from: &OwnedFd) -> io::Result<Option<TcpStream>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0; 1];
    recvmsg(from, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let file: Option<OwnedFd> = files.next().and_then(|mut files| files.next());
    // Only what the unit could have opened itself: an internet socket, whose other end is in its own network.
    let file = file.filter(|file| matches!(socket_domain(file), Ok(AddressFamily::INET | AddressFamily::INET6)));
    Ok(file.map(TcpStream::from))
}

fn carry(inside: &TcpStream, proxy: SocketAddr) {
    let Ok(outside) = TcpStream::connect(proxy) else { return };
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut &*inside, &mut &outside);
            let _ = outside.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut &outside, &mut &*inside);
        let _ = inside.shutdown(Shutdown::Write);
    });
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::UdpSocket;

    use super::*;

    fn door(port: u16) -> Door {
        Door {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            authority_pem: "-----BEGIN OURS-----".to_owned(),
            token: "wkr1_token".to_owned(),
        }
    }

    #[test]
    fn a_connection_inside_is_one_to_the_proxy_and_ends_with_it() {
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = proxy.local_addr().unwrap();
        let served = thread::spawn(move || {
            let (mut stream, _) = proxy.accept().unwrap();
            let mut asked = String::new();
            stream.read_to_string(&mut asked).unwrap();
            stream.write_all(format!("heard {asked}").as_bytes()).unwrap();
        });
        // Inside and outside are one network here, so they cannot have one port.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(super::super::tmp(folder.path())).unwrap();
        let (ours, theirs) = pair().unwrap();
        open(&door(free), folder.path(), theirs).unwrap();
        serve(ours, address).unwrap();
        let mut inside = TcpStream::connect((Ipv4Addr::LOCALHOST, free)).unwrap();
        inside.write_all(b"CONNECT").unwrap();
        inside.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        inside.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "heard CONNECT");
        served.join().unwrap();
        let roots = fs::read_to_string(roots_file(folder.path())).unwrap();
        assert!(roots.ends_with("-----BEGIN OURS-----"));
    }

    #[test]
    fn what_is_no_connection_ends_the_door() {
        let (ours, theirs) = pair().unwrap();
        let file = fs::File::open("/dev/null").unwrap();
        let hand = |file: &dyn std::os::fd::AsFd| {
            let files = [file.as_fd()];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(&files));
            sendmsg(&theirs, &[IoSlice::new(b"c")], &mut control, SendFlags::NOSIGNAL).unwrap();
        };
        hand(&file);
        assert!(take(&ours).unwrap().is_none());
        hand(&pair().unwrap().0);
        assert!(take(&ours).unwrap().is_none());
        hand(&UdpSocket::bind("127.0.0.1:0").unwrap());
        assert!(take(&ours).unwrap().is_some(), "carried as bytes, to the proxy and nowhere else");
        drop(theirs);
        assert!(take(&ours).unwrap().is_none());
    }

    #[test]
    fn programs_are_told_where_and_whom_to_trust() {
        let told = door(7402).environment(Path::new("/tmp/run"));
        let get = |wanted: &str| told.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
        assert_eq!(get("https_proxy"), Some("http://run:wkr1_token@127.0.0.1:7402"));
        assert_eq!(get("SSL_CERT_FILE"), Some("/tmp/run/tmp/roots.pem"));
    }
}
