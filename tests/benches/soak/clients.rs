//! The callers: many that ask and end in every way, and ten thousand that rest. One process, one thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::call::{Call, whole};
use crate::chance::Chance;
use crate::talk::Talk;
use crate::ways::{Api, Ending, Model};
use crate::wire::Answer;

/// Longest wait for one answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two requests on a connection that rests.
const REST: Duration = Duration::from_secs(360);
/// Connections from one address: each has its own ports.
const OF_ONE: usize = 5_000;

/// What to do.
#[derive(Args, Clone, Debug)]
pub(crate) struct Clients {
    #[arg(long)]
    pub(crate) to: SocketAddr,
    #[arg(long)]
    pub(crate) token: String,
    /// File with the vault's names and values, as JSON
    #[arg(long)]
    pub(crate) secrets: PathBuf,
    #[arg(long)]
    pub(crate) seed: u64,
    #[arg(long)]
    pub(crate) seconds: u64,
    #[arg(long)]
    pub(crate) idle: usize,
    #[arg(long)]
    pub(crate) workers: usize,
    /// Longest pause before a request, in milliseconds
    #[arg(long)]
    pub(crate) pause: usize,
}

/// What was seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Calls, by model.
    pub(crate) asked: BTreeMap<String, u64>,
    pub(crate) calls: u64,
    /// Answers that were not as they should be.
    pub(crate) wrong: u64,
    pub(crate) wrongs: Vec<String>,
    /// Connections that rest.
    pub(crate) idle: usize,
    /// Those that were closed while they should have rested.
    pub(crate) idle_lost: u64,
    /// Answers to requests on them.
    pub(crate) idle_answers: u64,
}

impl Seen {
    fn wrong(&mut self, text: String) {
        self.wrong += 1;
        if self.wrongs.len() < 10 {
            self.wrongs.push(text);
        }
    }
}

/// What all callers share.
pub(crate) struct Scene {
    pub(crate) clients: Clients,
    pub(crate) talk: Talk,
    seen: RefCell<Seen>,
    numbers: std::cell::Cell<u64>,
    resting: RefCell<Vec<Option<TcpStream>>>,
}

/// Plays its parts; a line of JSON after each, the next one after a line from the other side.
pub(crate) async fn run(clients: &Clients) -> anyhow::Result<()> {
    let secrets: Vec<(String, String)> = serde_json::from_slice(&std::fs::read(&clients.secrets)?)?;
    let mut cues = BufReader::new(tokio::io::stdin()).lines();
    let scene = Rc::new(Scene {
        clients: clients.clone(),
        talk: Talk::new(&secrets),
        seen: RefCell::default(),
        numbers: std::cell::Cell::new(0),
        resting: RefCell::default(),
    });
    scene.tell()?;
    cues.next_line().await?;
    open(&scene).await?;
    scene.tell()?;
    cues.next_line().await?;

    let end = Instant::now() + Duration::from_secs(clients.seconds);
    let mut tasks = Vec::new();
    for worker in 0..clients.workers {
        tasks.push(tokio::task::spawn_local(work(Rc::clone(&scene), worker as u64, end)));
    }
    tasks.push(tokio::task::spawn_local(keep(Rc::clone(&scene), end)));
    let told = tokio::task::spawn_local({
        let scene = Rc::clone(&scene);
        async move {
            while Instant::now() + Duration::from_secs(10) < end {
                sleep(Duration::from_secs(10)).await;
                drop(scene.tell());
            }
        }
    });
    for task in tasks {
        task.await?;
    }
    told.await?;
    scene.tell()?;
    cues.next_line().await?;
    for at in 0..scene.clients.idle {
        ask_resting(&scene, at).await;
    }
    scene.tell()?;
    cues.next_line().await?;
    Ok(())
}

impl Scene {
    fn tell(&self) -> anyhow::Result<()> {
        crate::say(&serde_json::to_string(&*self.seen.borrow())?)
    }

    fn number(&self) -> u64 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    pub(crate) async fn connect(&self, from: usize) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        let host = u8::try_from(2 + from).unwrap_or(1);
        socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into())?;
        let stream = socket.connect(self.clients.to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Opens the connections that rest, and asks once on each.
async fn open(scene: &Rc<Scene>) -> anyhow::Result<()> {
    for at in 0..scene.clients.idle {
        let stream = scene.connect(1 + at / OF_ONE).await?;
        scene.resting.borrow_mut().push(Some(stream));
        ask_resting(scene, at).await;
    }
    scene.seen.borrow_mut().idle = scene.clients.idle;
    Ok(())
}

/// Asks on all of them in turn.
async fn keep(scene: Rc<Scene>, end: Instant) {
    let step = REST / u32::try_from(scene.clients.idle.max(1)).unwrap_or(1);
    let mut at = 0;
    // By the clock: on a busy machine every pause is longer than it should be.
    let mut next = tokio::time::Instant::now();
    while Instant::now() < end && scene.clients.idle > 0 {
        next += step;
        tokio::time::sleep_until(next).await;
        ask_resting(&scene, at).await;
        at = (at + 1) % scene.clients.idle;
    }
}

async fn ask_resting(scene: &Scene, at: usize) {
    let Some(mut stream) = scene.resting.borrow_mut().get_mut(at).and_then(Option::take) else { return };
    let ask = format!("GET /v1/models HTTP/1.1\r\nhost: soak\r\nauthorization: Bearer {}\r\n\r\n", scene.clients.token);
    let mut answer = Answer::default();
    let asked = async {
        stream.write_all(ask.as_bytes()).await?;
        whole(&mut stream, &mut answer).await
    };
    let asked = timeout(PATIENCE, asked).await;
    let mut seen = scene.seen.borrow_mut();
    if matches!(asked, Ok(Ok(true))) && answer.status == 200 {
        seen.idle_answers += 1;
        if let Some(place) = scene.resting.borrow_mut().get_mut(at) {
            *place = Some(stream);
        }
    } else {
        seen.idle_lost += 1;
        let text = format!("a connection that rests: {asked:?}, status {}", answer.status);
        seen.wrong(text);
    }
}

/// One caller: asks again and again.
async fn work(scene: Rc<Scene>, worker: u64, end: Instant) {
    let mut chance = Chance::new(scene.clients.seed.wrapping_mul(1_000_003).wrapping_add(worker));
    let mut line: Option<TcpStream> = None;
    while Instant::now() < end {
        sleep(Duration::from_millis(chance.below(scene.clients.pause.max(1)) as u64)).await;
        let api = Api::ALL[chance.below(Api::ALL.len())];
        let model = Model { api, ending: Ending::draw(&mut chance) };
        let number = scene.number();
        let mut call = Call { scene: &scene, model, number, chance: &mut chance, answer: Answer::default() };
        let outcome = call.run(&mut line).await;
        let (status, body) = (call.answer.status, tail(&call.answer.body));
        let mut seen = scene.seen.borrow_mut();
        seen.calls += 1;
        *seen.asked.entry(model.name()).or_default() += 1;
        if let Err(error) = outcome {
            line = None;
            seen.wrong(format!("{} {number}: {error:#}; {status} {body}", model.name()));
        }
    }
}

fn tail(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[body.len().saturating_sub(200)..]).into_owned()
}
