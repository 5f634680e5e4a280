//! The agents: each connection asks again as soon as it was answered, or all of them together at a steady rate.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use memchr::memmem;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::wire::{self, Answer};

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is asked, of whom.
#[derive(Args, Clone, Debug)]
pub(crate) struct Load {
    #[arg(long)]
    pub(crate) to: SocketAddr,
    #[arg(long)]
    pub(crate) path: String,
    /// NAME=VALUE
    #[arg(long)]
    pub(crate) header: Vec<String>,
    /// File with the request's body
    #[arg(long)]
    pub(crate) body: PathBuf,
    #[arg(long)]
    pub(crate) connections: usize,
    #[arg(long)]
    pub(crate) millis: u64,
    /// Microseconds from one request to the next, of all connections; without it each asks as soon as it was answered
    #[arg(long)]
    pub(crate) every: Option<u32>,
}

/// What was seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) first_error: String,
    pub(crate) per_second: f64,
    /// From the first byte asked to the last byte answered.
    pub(crate) total: Times,
    /// To the first byte of the answer's body.
    pub(crate) first_byte: Times,
    /// From the moment a piece of text was sent by the provider to the moment it was read here.
    pub(crate) age: Times,
    /// Pieces of text in an answer.
    pub(crate) deltas: f64,
    pub(crate) frames: f64,
    /// Share of answers that told their usage.
    pub(crate) usage: f64,
}

/// Microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
}

impl Times {
    /// Of times in tenths of microseconds.
    fn of(all: &mut [u32]) -> Self {
        all.sort_unstable();
        let at = |share: f64| match all.len() {
            0 => 0.0,
            count => f64::from(all[(count as f64 * share) as usize]) / 10.0,
        };
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99) }
    }
}

#[derive(Default)]
struct Book {
    total: Vec<u32>,
    first_byte: Vec<u32>,
    age: Vec<u32>,
    errors: u64,
    first_error: String,
    frames: u64,
    usage: u64,
}

impl Book {
    fn wrong(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        if self.first_error.is_empty() {
            self.first_error = format!("{error:#}");
        }
    }
}

/// Asks for as long as it is told to.
pub(crate) async fn run(load: &Load) -> anyhow::Result<Seen> {
    let headers: Vec<(String, String)> =
        load.header.iter().filter_map(|h| h.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let body = std::fs::read(&load.body)?;
    let request: Rc<[u8]> = wire::post(&load.to.to_string(), &load.path, &headers, &body).into();
    let book = Rc::new(RefCell::new(Book::default()));
    let turns = load.every.map(|_| Arc::new(Semaphore::new(0)));
    let begin = Instant::now();
    let end = begin + Duration::from_millis(load.millis);
    let tasks: Vec<_> = (0..load.connections)
        .map(|_| tokio::task::spawn_local(agent(load.to, Rc::clone(&request), end, turns.clone(), Rc::clone(&book))))
        .collect();
    if let Some((every, turns)) = load.every.zip(turns) {
        std::thread::spawn(move || give_turns(Duration::from_micros(every.into()), end, &turns));
    }
    for task in tasks {
        task.await?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    let book = &mut *book.borrow_mut();
    let count = book.total.len() as f64;
    Ok(Seen {
        requests: book.total.len() as u64,
        errors: book.errors,
        first_error: std::mem::take(&mut book.first_error),
        per_second: count / seconds,
        deltas: book.age.len() as f64 / count.max(1.0),
        frames: book.frames as f64 / count.max(1.0),
        usage: book.usage as f64 / count.max(1.0),
        total: Times::of(&mut book.total),
        first_byte: Times::of(&mut book.first_byte),
        age: Times::of(&mut book.age),
    })
}

/// Lets the connection that waits longest ask, every so many microseconds. A thread of its own, since the runtime's timer
/// knows milliseconds only.
fn give_turns(every: Duration, end: Instant, turns: &Semaphore) {
    let mut next = Instant::now();
    while next < end {
        turns.add_permits(1);
        next += every;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    turns.close();
}

async fn agent(
    to: SocketAddr,
    request: Rc<[u8]>,
    end: Instant,
    turns: Option<Arc<Semaphore>>,
    book: Rc<RefCell<Book>>,
) {
    let mut answer = Answer::default();
    while Instant::now() < end {
        if let Err(error) = connection(to, &request, end, turns.as_deref(), &book, &mut answer).await {
            book.borrow_mut().wrong(&error);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn connection(
    to: SocketAddr,
    request: &[u8],
    end: Instant,
    turns: Option<&Semaphore>,
    book: &RefCell<Book>,
    answer: &mut Answer,
) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let mut ages = Vec::new();
    while Instant::now() < end {
        ages.clear();
        if let Some(turns) = turns {
            // Closed at the end.
            let Ok(turn) = turns.acquire().await else { return Ok(()) };
            turn.forget();
        }
        let (first, total) =
            tokio::time::timeout(PATIENCE, one(&mut stream, request, answer, &mut ages)).await.map_err(|_| {
                anyhow::anyhow!("no answer in {} s; {} bytes came", PATIENCE.as_secs(), answer.body.len())
            })??;
        anyhow::ensure!(
            answer.status == 200,
            "{} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)])
        );
        let mut book = book.borrow_mut();
        book.total.push(total);
        book.first_byte.push(first);
        book.age.extend_from_slice(&ages);
        book.frames += answer.frames;
        let tail = &answer.body[answer.body.len().saturating_sub(600)..];
        book.usage += u64::from(memmem::find(tail, b"_tokens\"").is_some());
        if answer.closes() {
            return Ok(());
        }
    }
    Ok(())
}

/// One request; times in tenths of microseconds.
async fn one(
    stream: &mut TcpStream,
    request: &[u8],
    answer: &mut Answer,
    ages: &mut Vec<u32>,
) -> anyhow::Result<(u32, u32)> {
    answer.restart();
    let start = wire::now();
    stream.write_all(request).await?;
    let (mut first, mut looked) = (None, 0);
    loop {
        let read = stream.read_buf(answer.room()).await?;
        let now = wire::now();
        let done = answer.advance()?;
        if !answer.body.is_empty() {
            first.get_or_insert(now);
        }
        looked += ages_of(&answer.body[looked..], now, ages);
        if done {
            let tenths = |nanos: u64| u32::try_from(nanos / 100).unwrap_or(u32::MAX);
            return Ok((tenths(first.unwrap_or(now) - start), tenths(now - start)));
        }
        anyhow::ensure!(read > 0, "the connection ended within an answer");
    }
}

/// Reads the times that whole pieces of text carry; gives how far it got.
fn ages_of(body: &[u8], now: u64, ages: &mut Vec<u32>) -> usize {
    let mut looked = 0;
    for at in memmem::find_iter(body, b"\"t=") {
        let digits = &body[at + 3..];
        let Some(end) = memchr::memchr(b' ', digits) else { return at };
        let age = now.saturating_sub(wire::number(digits)) / 100;
        ages.push(u32::try_from(age).unwrap_or(u32::MAX));
        looked = at + 3 + end;
    }
    // A mark may be cut by the next piece.
    looked.max(body.len().saturating_sub(2))
}
