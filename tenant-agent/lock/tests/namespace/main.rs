//! The lock on a real kernel: real users, in network namespaces of their own. Needs root, nftables and iproute2.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wardkeep_lock::helper::EVERY;
use wardkeep_lock::journal::What;
use wardkeep_lock::listing::{Destination, protocol_name};
use wardkeep_lock::{
    Answer, ContainerTerms, Helper, Lock, Plan, Request, RunTerms, State, Status, Terms, UidRange, ask,
};
use wardkeep_proto::chance::SystemChance;
use wardkeep_proto::time::SystemClock;

use net::Net;

mod closed;
mod net;

/// The agent, one of its subordinate ids, and somebody else.
const AGENT: u32 = 64_001;
const SUBORDINATE: u32 = 640_017;
const OTHER: u32 = 64_002;

fn plan(doors: &[SocketAddr]) -> Plan {
    let uids = vec![UidRange { first: AGENT, last: AGENT }, UidRange { first: 640_000, last: 705_535 }];
    Plan::new(uids, doors.iter().copied(), 64_003).expect("sound")
}

/// The helper, serving one namespace.
struct Helped {
    folder: PathBuf,
    plan: Arc<Mutex<Plan>>,
    stop: CancellationToken,
}

impl Helped {
    fn new(net: &Net, folder: &Path, first: Plan) -> Self {
        let now = Arc::new(Mutex::new(first));
        let plan = now.clone();
        let terms = Terms {
            runs: RunTerms::of_system(Path::new("/bin/false"), 0, Arc::new(|| Ok(Vec::new()))).expect("a name"),
            containers: ContainerTerms {
                engine: Arc::new(|| Ok(None)),
                workspaces: Arc::new(|| Ok(Vec::new())),
                group: 0,
            },
            lock: Lock::new(net.nft(), net.sockets(), folder.join("lock.json")),
            journal: folder.join("journal.json"),
            socket: folder.join("helper.sock"),
            daemon: 64_003,
            plan: Arc::new(move || Ok(plan.lock().expect("whole").clone())),
            every: EVERY,
            clock: Arc::new(SystemClock),
            chance: Arc::new(SystemChance::new()),
        };
        let stop = CancellationToken::new();
        tokio::spawn(Helper::open(terms).expect("listens").run(stop.clone()));
        Self { folder: folder.to_owned(), plan: now, stop }
    }

    async fn status(&self, request: Request) -> Status {
        match ask(&self.folder.join("helper.sock"), request).await {
            Ok(Answer::Status { status, .. }) => status,
            other => panic!("{other:?}"),
        }
    }

    async fn events(&self) -> Vec<What> {
        match ask(&self.folder.join("helper.sock"), Request::EgressEvents { after: 0 }).await {
            Ok(Answer::Events { events, .. }) => events.into_iter().map(|event| event.what).collect(),
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Helped {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Everything that somebody might want to reach.
struct Places {
    doors: Vec<TcpListener>,
    closed: Vec<(&'static str, TcpListener)>,
    datagrams: Vec<(&'static str, UdpSocket)>,
}

impl Places {
    fn open(net: &Net) -> Self {
        let here = |addr: &str| net.listener(&net.here, addr);
        let beyond = |addr: &str| net.listener(&net.beyond, addr);
        Self {
            doors: vec![here("127.0.0.1:0"), here("[::1]:0")],
            closed: vec![
                ("another port of loopback", here("127.0.0.1:0")),
                ("another port of loopback, IPv6", here("[::1]:0")),
                ("another address of loopback", here("127.0.0.2:0")),
                ("this machine by its own address", here("198.51.100.1:0")),
                ("a routed address", beyond("198.51.100.2:0")),
                ("a routed address, IPv6", beyond("[2001:db8:51::2]:0")),
                ("DNS over TCP", beyond("198.51.100.2:53")),
                ("DNS over TCP, IPv6", beyond("[2001:db8:51::2]:53")),
                ("DNS over TLS", beyond("198.51.100.2:853")),
            ],
            datagrams: vec![
                ("DNS", net.receiver("198.51.100.2:53")),
                ("DNS, IPv6", net.receiver("[2001:db8:51::2]:53")),
                ("QUIC", net.receiver("198.51.100.2:443")),
                ("QUIC, IPv6", net.receiver("[2001:db8:51::2]:443")),
            ],
        }
    }

    fn doors(&self) -> Vec<SocketAddr> {
        self.doors.iter().map(addr).collect()
    }

    /// What `uid` does not reach of all that is no door.
    fn unreached(&self, net: &Net, uid: u32) -> Vec<&'static str> {
        let streams = self.closed.iter().filter(|(_, place)| net.connect(uid, addr(place)).is_err());
        let datagrams = self.datagrams.iter().filter(|(_, place)| !net.arrives(uid, place));
        streams.map(|(name, _)| *name).chain(datagrams.map(|(name, _)| *name)).collect()
    }

    fn everything(&self) -> Vec<&'static str> {
        self.closed.iter().map(|(name, _)| *name).chain(self.datagrams.iter().map(|(name, _)| *name)).collect()
    }

    fn reaches_the_doors(&self, net: &Net, uid: u32) -> bool {
        self.doors.iter().all(|door| {
            let Ok(mut stream) = net.connect(uid, addr(door)) else { return false };
            let (mut accepted, _) = door.accept().expect("connected");
            let mut heard = [0; 4];
            stream.write_all(b"ask?").and_then(|()| accepted.read_exact(&mut heard)).is_ok()
                && accepted.write_all(b"yes.").and_then(|()| stream.read_exact(&mut heard)).is_ok()
        })
    }
}

fn addr(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("bound")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_reach_their_doors_and_nothing_else() {
    let Some(net) = Net::new("reach") else { return };
    let (places, folder) = (Places::open(&net), tempfile::tempdir().expect("tempdir"));
    let helper = Helped::new(&net, folder.path(), plan(&places.doors()));
    for uid in [AGENT, SUBORDINATE, OTHER] {
        assert_eq!(places.unreached(&net, uid), [""; 0], "unlocked, {uid}");
        assert!(places.reaches_the_doors(&net, uid), "unlocked, {uid}");
    }

    assert_eq!(helper.status(Request::EgressLock {}).await.state, State::Locked);
    for uid in [AGENT, SUBORDINATE] {
        assert_eq!(places.unreached(&net, uid), places.everything(), "{uid}");
        assert!(places.reaches_the_doors(&net, uid), "{uid}");
    }
    for uid in [OTHER, 0] {
        assert_eq!(places.unreached(&net, uid), [""; 0], "{uid}");
        assert!(places.reaches_the_doors(&net, uid), "{uid}");
    }

    let status = helper.status(Request::EgressStatus {}).await;
    let totals = status.totals;
    assert!(totals.passed.packets >= 12 && totals.denied.packets >= 26, "{totals:?}");
    assert!(totals.denied_dns.packets >= 10 && totals.denied_dns.packets < totals.denied.packets, "{totals:?}");
    assert!(status.tried.iter().all(|tried| tried.destination.uid != Some(OTHER)));

    // Unlocking takes the last attempts into the journal first.
    assert_eq!(helper.status(Request::EgressUnlock {}).await.state, State::Unlocked);
    let events = helper.events().await;
    let tried: Vec<String> = events.iter().filter_map(attempt_of_the_agent).collect();
    for place in ["udp 198.51.100.2:53", "tcp 198.51.100.2:53", "udp 2001:db8:51::2:443", "tcp 2001:db8:51::2:53"] {
        assert!(tried.iter().any(|tried| tried == place), "{place} in {tried:?}");
    }
    assert!(matches!(events[0], What::Applied { by: 0, .. }) && events.last() == Some(&What::Removed { by: 0 }));
    for uid in [AGENT, SUBORDINATE, OTHER] {
        assert_eq!(places.unreached(&net, uid), [""; 0], "unlocked again, {uid}");
    }
}

fn attempt_of_the_agent(what: &What) -> Option<String> {
    let What::Attempt(tried) = what else { return None };
    let Destination { uid, address, protocol, port } = tried.destination;
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    (uid == Some(AGENT)).then(|| format!("{} {address}{port}", protocol_name(protocol)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_neither_tcp_nor_udp_to_a_host_is_held_too() {
    use rustix::net::{AddressFamily, SendFlags, SocketType, ipproto, sendto, socket};
    let Some(net) = Net::new("odd") else { return };
    let folder = tempfile::tempdir().expect("tempdir");
    let helper = Helped::new(&net, folder.path(), plan(&["127.0.0.1:1".parse().expect("an address")]));
    // Pings without privileges are a setting of the namespace.
    net.at(&net.here, 0, || std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647")).expect("set");
    let ping = |uid: u32| {
        net.at(&net.here, uid, || {
            let socket = socket(AddressFamily::INET, SocketType::DGRAM, Some(ipproto::ICMP)).expect("a socket");
            let to: SocketAddr = "198.51.100.2:0".parse().expect("an address");
            sendto(&socket, &[8, 0, 0, 0, 0, 1, 0, 1], SendFlags::empty(), &to)
        })
    };
    let multicast = |uid: u32| {
        net.at(&net.here, uid, || {
            UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.send_to(b"out", "224.0.0.251:5353"))
        })
    };
    assert!(ping(AGENT).is_ok() && multicast(AGENT).is_ok());
    helper.status(Request::EgressLock {}).await;
    assert!(ping(AGENT).is_err() && multicast(AGENT).is_err());
    assert!(ping(OTHER).is_ok() && multicast(OTHER).is_ok());
    helper.status(Request::EgressUnlock {}).await;
    let tried: Vec<String> = helper.events().await.iter().filter_map(attempt_of_the_agent).collect();
    assert!(tried.contains(&"icmp 198.51.100.2".to_owned()), "{tried:?}");
    assert!(tried.contains(&"udp 224.0.0.251:5353".to_owned()), "{tried:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_what_was_open_nor_who_calls_in_is_a_way_out() {
    let Some(net) = Net::new("open") else { return };
    let folder = tempfile::tempdir().expect("tempdir");
    let helper = Helped::new(&net, folder.path(), plan(&["127.0.0.1:1".parse().expect("an address")]));
    let beyond = net.listener(&net.beyond, "198.51.100.2:0");
    let mut open = net.connect(AGENT, addr(&beyond)).expect("not locked yet");
    let (mut accepted, _) = beyond.accept().expect("connected");
    accepted.set_read_timeout(Some(Duration::from_millis(500))).expect("set");
    let served = |addr: &str| net.at(&net.here, AGENT, || TcpListener::bind(addr)).expect("bound");
    let (inside, outside) = (served("127.0.0.1:0"), served("198.51.100.1:0"));
    let call_in = || {
        let to = addr(&outside);
        net.at(&net.beyond, 0, || std::net::TcpStream::connect_timeout(&to, Duration::from_secs(2)))
    };
    assert!(call_in().is_ok());

    helper.status(Request::EgressLock {}).await;
    let _ = open.write_all(b"after the lock");
    assert!(accepted.read(&mut [0; 32]).is_err(), "a connection from before the lock still carries");
    assert!(call_in().is_err(), "whoever calls from outside is answered");
    // Others of this machine reach what the agent serves on loopback; the agent itself needs a door for that.
    assert!(net.connect(OTHER, addr(&inside)).is_ok());
    assert!(net.connect(AGENT, addr(&inside)).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_no_moment_is_there_no_rule() {
    let Some(net) = Net::new("moment") else { return };
    let folder = tempfile::tempdir().expect("tempdir");
    let doors: [SocketAddr; 2] = ["127.0.0.1:1", "127.0.0.1:2"].map(|door| door.parse().expect("an address"));
    let helper = Helped::new(&net, folder.path(), plan(&doors[..1]));
    let receiver = net.receiver("198.51.100.2:443");
    helper.status(Request::EgressLock {}).await;
    let stop = CancellationToken::new();
    let tries = std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            net.at(&net.here, AGENT, || {
                let socket = UdpSocket::bind("0.0.0.0:0").expect("bound");
                let mut tries = 0u64;
                while !stop.is_cancelled() {
                    let _ = socket.send_to(b"out", "198.51.100.2:443");
                    tries += 1;
                }
                tries
            })
        });
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for round in 0..25 {
                    *helper.plan.lock().expect("whole") = plan(&doors[..1 + round % 2]);
                    assert_eq!(helper.status(Request::EgressLock {}).await.state, State::Locked);
                }
            });
        });
        stop.cancel();
        busy.join().expect("ended")
    });
    receiver.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
    assert!(receiver.recv(&mut [0; 8]).is_err(), "a packet got out");
    // Nor is a count lost.
    let denied = helper.status(Request::EgressStatus {}).await.totals.denied.packets;
    assert!(tries > 1000 && denied == tries, "{denied} of {tries}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lock_comes_back_after_a_reboot_and_after_a_flush() {
    let Some(net) = Net::new("back") else { return };
    let folder = tempfile::tempdir().expect("tempdir");
    let lock = Lock::new(net.nft(), net.sockets(), folder.path().join("lock.json"));
    let beyond = net.listener(&net.beyond, "198.51.100.2:0");
    let plan = plan(&["127.0.0.1:1".parse().expect("an address")]);
    assert!(lock.lock(&plan).await.expect("locked"));
    assert!(!lock.lock(&plan).await.expect("locked"), "the kernel's list agrees with itself");
    net.nft().apply("flush ruleset\n").await.expect("flushed");
    assert!(net.connect(AGENT, addr(&beyond)).is_ok());
    // What the unit does at boot.
    assert!(lock.restore().await.expect("restored"));
    assert!(net.connect(AGENT, addr(&beyond)).is_err());

    // What the helper does while the machine runs: its first look is at once.
    net.nft().apply("add rule inet wardkeep agent accept\nflush chain inet wardkeep output\n").await.expect("changed");
    assert!(net.connect(AGENT, addr(&beyond)).is_ok());
    let helper = Helped::new(&net, folder.path(), plan);
    let mended = async {
        while helper.status(Request::EgressStatus {}).await.state != State::Locked {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), mended).await.expect("mended");
    assert!(net.connect(AGENT, addr(&beyond)).is_err());
    assert!(helper.events().await.iter().any(|what| matches!(what, What::Mended { .. })));
}
