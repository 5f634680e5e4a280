//! What is sent for a socket after it was closed: the kernel knows no user of it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketType, bind, connect, ipproto, listen, socket};
use wardkeep_lock::{Lock, Plan, Request, State, UidRange, ruleset};

use super::net::Net;
use super::{AGENT, Helped, OTHER, addr, plan};

/// Written before the lock, and after it.
static BEFORE: [u8; 32 * 1024] = [b'B'; 32 * 1024];
static AFTER: [u8; 64 * 1024] = [b'A'; 64 * 1024];

/// Both ends of a connection.
struct Pair {
    near: TcpStream,
    far: TcpStream,
}

impl Pair {
    fn new(net: &Net, uid: u32, listener: &TcpListener) -> Self {
        let near = net.connect(uid, addr(listener)).expect("connected");
        let (far, _) = listener.accept().expect("accepted");
        near.set_nonblocking(true).expect("set");
        Self { near, far }
    }

    /// Writes and closes at once; how much arrives of what was written.
    fn close_after(self, text: &[u8]) -> usize {
        let Self { mut near, mut far } = self;
        let _ = near.write(text);
        drop(near);
        received(&mut far, text[0])
    }
}

/// How many bytes `letter` come until the end, or until nothing came for longer than the kernel waits to send again.
fn received(far: &mut TcpStream, letter: u8) -> usize {
    far.set_read_timeout(Some(Duration::from_millis(1500))).expect("set");
    let (mut buffer, mut count) = (vec![0; 65536], 0);
    while let Ok(read @ 1..) = far.read(&mut buffer) {
        count += buffer[..read].iter().filter(|byte| **byte == letter).count();
    }
    count
}

/// Somewhere beyond the router and somewhere on loopback, in both families.
fn servers(net: &Net) -> [TcpListener; 4] {
    let places = [(&net.beyond, "198.51.100.2:0"), (&net.beyond, "[2001:db8:51::2]:0")];
    let [v4, v6] = places.map(|(side, at)| net.listener(side, at));
    let [lo4, lo6] = ["127.0.0.1:0", "[::1]:0"].map(|at| net.listener(&net.here, at));
    [v4, v6, lo4, lo6]
}

/// MPTCP at both ends.
fn multipath_pair(net: &Net, at: &str) -> Pair {
    let at: SocketAddr = at.parse().expect("an address");
    let made = || {
        let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        socket(family, SocketType::STREAM, Some(ipproto::MPTCP)).expect("the kernel has MPTCP")
    };
    let listener = net.at(&net.beyond, 0, || {
        let socket = made();
        bind(&socket, &at).and_then(|()| listen(&socket, 8)).expect("bound");
        TcpListener::from(socket)
    });
    let near = net.at(&net.here, AGENT, || {
        let socket = made();
        connect(&socket, &addr(&listener)).expect("connected");
        TcpStream::from(socket)
    });
    let (far, _) = listener.accept().expect("accepted");
    near.set_nonblocking(true).expect("set");
    Pair { near, far }
}

fn nowhere() -> [SocketAddr; 1] {
    ["127.0.0.1:1".parse().expect("an address")]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_after_the_lock_is_not_sent_after_closing() {
    let Some(net) = Net::new("closed") else { return };
    let folder = tempfile::tempdir().expect("tempdir");
    let (servers, helper) = (servers(&net), Helped::new(&net, folder.path(), plan(&nowhere())));
    let multipath = ["198.51.100.2:0", "[2001:db8:51::2]:0"].map(|at| multipath_pair(&net, at));
    let single = servers.iter().map(|server| Pair::new(&net, AGENT, server));
    let open: Vec<Pair> = single.chain(multipath).collect();
    helper.status(Request::EgressLock {}).await;
    for pair in open {
        let to = pair.far.local_addr().expect("known");
        assert_eq!(pair.close_after(&AFTER), 0, "{to}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_opened_while_the_rules_were_flushed_is_no_way_out_either() {
    let Some(net) = Net::new("window") else { return };
    let folder = tempfile::tempdir().expect("tempdir");
    let (servers, lock) = (servers(&net), Lock::new(net.nft(), net.sockets(), folder.path().join("lock.json")));
    let plan = plan(&nowhere());
    lock.lock(&plan).await.expect("locked");
    net.nft().apply("flush ruleset\n").await.expect("flushed");
    let open: Vec<Pair> = servers.iter().map(|server| Pair::new(&net, AGENT, server)).collect();
    let helper = Helped::new(&net, folder.path(), plan);
    while helper.status(Request::EgressStatus {}).await.state != State::Locked {
        tokio::task::yield_now().await;
    }
    for pair in open {
        let to = pair.far.local_addr().expect("known");
        assert_eq!(pair.close_after(&AFTER), 0, "{to}");
    }
}

/// The other end takes nothing at first, so that no packet of the agent is refused before it closes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_alone_hold_what_waits_in_a_closed_socket() {
    let Some(net) = Net::new("waits") else { return };
    let others = Plan::new(vec![UidRange { first: 7, last: 7 }], nowhere(), 64_003).expect("sound");
    // From no lock, and from one under which the agent was free.
    for before in [None, Some(others)] {
        if let Some(before) = before {
            net.nft().apply(&ruleset::text(&before)).await.expect("locked");
        }
        let servers = servers(&net);
        let full = servers.iter().map(|server| {
            set_socket_recv_buffer_size(server, 4096).expect("set");
            let mut pair = Pair::new(&net, AGENT, server);
            assert!(pair.near.write(&BEFORE).expect("written") > 8192, "more than the other end takes");
            pair
        });
        let full: Vec<Pair> = full.collect();
        std::thread::sleep(Duration::from_millis(300));
        net.nft().apply(&ruleset::text(&plan(&nowhere()))).await.expect("locked");
        let closed = full.into_iter().map(|Pair { mut near, far }| {
            // The kernel may have asked for room meanwhile, and been refused.
            let _ = near.write(&AFTER);
            far
        });
        for mut far in closed.collect::<Vec<_>>() {
            assert_eq!(received(&mut far, AFTER[0]), 0, "{}", far.local_addr().expect("known"));
        }
        let listing = net.nft().list().await.expect("listed").expect("there");
        assert!(listing.totals.unowned.packets > 0, "{:?}", listing.totals);
        assert!(listing.tried.iter().any(|tried| tried.destination.uid.is_none()), "{:?}", listing.tried);
        net.nft().remove().await.expect("removed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_close_after_their_last_write_and_it_arrives() {
    let Some(net) = Net::new("others") else { return };
    let folder = tempfile::tempdir().expect("tempdir");
    let door = net.listener(&net.here, "127.0.0.1:0");
    let (servers, helper) = (servers(&net), Helped::new(&net, folder.path(), plan(&[addr(&door)])));
    let served = net.at(&net.here, OTHER, || TcpListener::bind("198.51.100.1:0")).expect("bound");
    let called = || {
        let near = net.at(&net.beyond, 0, || TcpStream::connect(addr(&served))).expect("connected");
        let (far, _) = served.accept().expect("accepted");
        far.set_nonblocking(true).expect("set");
        // The server is the end that is judged.
        Pair { near: far, far: near }
    };
    let all = || {
        let theirs = [OTHER, 0].into_iter().flat_map(|uid| servers.iter().map(move |server| (uid, server)));
        let open: Vec<Pair> = theirs.map(|(uid, server)| Pair::new(&net, uid, server)).chain([called()]).collect();
        open
    };
    let before = all();
    helper.status(Request::EgressLock {}).await;
    let mut after = all();
    after.push(Pair::new(&net, AGENT, &door));
    for Pair { mut near, mut far } in before.into_iter().chain(after) {
        // More than fits: the rest is sent by nobody.
        let mut written = 0;
        while let Ok(some) = near.write(&AFTER) {
            written += some;
        }
        drop(near);
        let to = far.local_addr().expect("known");
        assert!(written > AFTER.len() && received(&mut far, AFTER[0]) == written, "{to}");
    }
    assert_eq!(helper.status(Request::EgressStatus {}).await.totals.unowned.packets, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_locked_users_end_and_those_to_doors_stay() {
    let Some(net) = Net::new("ended") else { return };
    let folder = tempfile::tempdir().expect("tempdir");
    let door = net.listener(&net.here, "127.0.0.1:0");
    let (servers, helper) = (servers(&net), Helped::new(&net, folder.path(), plan(&[addr(&door)])));
    let ends: Vec<Pair> = servers.iter().map(|server| Pair::new(&net, AGENT, server)).collect();
    let stays = [Pair::new(&net, AGENT, &door), Pair::new(&net, OTHER, &servers[0])];
    let status = helper.status(Request::EgressLock {}).await;
    assert_eq!((status.state, status.open), (State::Locked, None));
    // The agent has not sent anything since.
    for Pair { mut near, far } in ends {
        let to = far.local_addr().expect("known");
        let error = near.read(&mut [0; 8]).expect_err("ended").kind();
        assert_eq!(error, std::io::ErrorKind::ConnectionAborted, "{to}");
    }
    for pair in stays {
        assert_eq!(pair.close_after(&AFTER), AFTER.len());
    }
    // The kernel would tell the other ends, for the agent: each is refused, and so noted with its user.
    let tried = helper.status(Request::EgressStatus {}).await.tried;
    let noted = |server: &TcpListener| {
        tried
            .iter()
            .any(|tried| tried.destination.uid == Some(AGENT) && Some(addr(server).port()) == tried.destination.port)
    };
    assert!(servers.iter().all(noted), "{tried:?}");
}
