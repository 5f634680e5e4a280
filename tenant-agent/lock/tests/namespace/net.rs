//! Two network namespaces with a wire between them, and threads that are in one of them as some user.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Gid, Uid};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space, set_thread_gid, set_thread_uid};
use wardkeep_lock::{Nft, Sockets, sockets};

/// This machine, and one beyond its router; both are gone with this value.
pub(crate) struct Net {
    pub(crate) here: String,
    pub(crate) beyond: String,
}

impl Net {
    /// Nothing where it cannot be made, but on a build machine that is a fault.
    #[expect(clippy::print_stdout, reason = "whoever runs the test alone should know")]
    pub(crate) fn new(name: &str) -> Option<Self> {
        if let Some(missing) = missing() {
            assert!(!on_build_machine(), "a build machine must run this test: {missing}");
            println!("not run: {missing}");
            return None;
        }
        let name = |side: &str| format!("wardkeep-{name}-{}-{side}", std::process::id());
        let net = Self { here: name("here"), beyond: name("beyond") };
        for side in [&net.here, &net.beyond] {
            ip(&["netns", "add", side]);
            ip(&["-n", side, "link", "set", "lo", "up"]);
        }
        ip(&["-n", &net.here, "link", "add", "out", "type", "veth", "peer", "name", "in", "netns", &net.beyond]);
        for (side, link, number) in [(&net.here, "out", "1"), (&net.beyond, "in", "2")] {
            ip(&["-n", side, "addr", "add", &format!("198.51.100.{number}/24"), "dev", link]);
            ip(&["-n", side, "addr", "add", &format!("2001:db8:51::{number}/64"), "dev", link, "nodad"]);
            ip(&["-n", side, "link", "set", link, "up"]);
        }
        ip(&["-n", &net.here, "route", "add", "default", "via", "198.51.100.2"]);
        net.wait_for_the_wire();
        Some(net)
    }

    /// The kernel may take a second and more until a new wire carries, and drops what is sent before.
    fn wait_for_the_wire(&self) {
        let started = Instant::now();
        for to in ["198.51.100.2:9", "[2001:db8:51::2]:9"] {
            let end = self.at(&self.beyond, 0, || UdpSocket::bind(to)).expect("bound");
            end.set_read_timeout(Some(Duration::from_millis(50))).expect("set");
            while !(self.send(0, &end) && end.recv(&mut [0; 8]).is_ok()) {
                assert!(started.elapsed() < Duration::from_secs(30), "nothing comes through to {to}");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// The namespace's own rules.
    pub(crate) fn nft(&self) -> Nft {
        Nft::command(["ip", "netns", "exec", &self.here, "nft"])
    }

    /// The namespace's own connections.
    pub(crate) fn sockets(&self) -> Sockets {
        let here = self.here.clone();
        Sockets::through(move || within(&here, 0, sockets::line))
    }

    /// Does `what` in a namespace as a user. Only a thread of its own changes.
    pub(crate) fn at<T: Send>(&self, side: &str, uid: u32, what: impl FnOnce() -> T + Send) -> T {
        within(side, uid, what)
    }

    pub(crate) fn listener(&self, side: &str, addr: &str) -> TcpListener {
        self.at(side, 0, || TcpListener::bind(addr)).expect("bound")
    }

    pub(crate) fn receiver(&self, addr: &str) -> UdpSocket {
        self.at(&self.beyond, 0, || UdpSocket::bind(addr)).expect("bound")
    }

    pub(crate) fn connect(&self, uid: u32, to: SocketAddr) -> std::io::Result<TcpStream> {
        self.at(&self.here, uid, || TcpStream::connect_timeout(&to, Duration::from_secs(2)))
    }

    /// Sends one datagram and looks whether it came. One that the kernel refused to send is given less time to come.
    pub(crate) fn arrives(&self, uid: u32, receiver: &UdpSocket) -> bool {
        let patience = if self.send(uid, receiver) { Duration::from_secs(10) } else { Duration::from_millis(200) };
        receiver.set_read_timeout(Some(patience)).expect("set");
        receiver.recv(&mut [0; 8]).is_ok()
    }

    fn send(&self, uid: u32, receiver: &UdpSocket) -> bool {
        let to = receiver.local_addr().expect("bound");
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        self.at(&self.here, uid, || UdpSocket::bind(any).and_then(|socket| socket.send_to(b"out", to)).is_ok())
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for side in [&self.here, &self.beyond] {
            let _ = Command::new("ip").args(["netns", "del", side]).status();
        }
    }
}

fn within<T: Send>(side: &str, uid: u32, what: impl FnOnce() -> T + Send) -> T {
    let path = format!("/run/netns/{side}");
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            let namespace = File::open(path).expect("there");
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("entered");
            if uid != 0 {
                set_thread_gid(Gid::from_raw(uid)).expect("another group");
                set_thread_uid(Uid::from_raw(uid)).expect("another user");
            }
            what()
        });
        thread.join().expect("ended")
    })
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().expect("ip starts");
    assert!(output.status.success(), "ip {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("it needs root".to_owned());
    }
    let absent = |program: &&str| Command::new(program).arg("-V").output().is_err();
    ["ip", "nft"].iter().find(|program| absent(program)).map(|program| format!("{program} is not installed"))
}

#[expect(clippy::disallowed_methods, reason = "the environment says whether anything may be skipped")]
fn on_build_machine() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}
