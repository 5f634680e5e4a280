//! HTTP/1.1 on a plain socket, no more of it than loader and mock need: they must cost less than what they measure.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context as _;
use memchr::memmem;

/// Where the head ends, its empty line included.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

/// The value of a header; `name` in lower case.
pub fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    head.split(|&b| b == b'\n').skip(1).find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        found.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    })
}

/// The number at the beginning.
pub fn number(bytes: &[u8]) -> u64 {
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit());
    digits.fold(0, |n, b| n.wrapping_mul(10).wrapping_add(u64::from(b - b'0')))
}

/// A POST with a JSON body, ready to be sent again and again.
pub fn post(host: &str, path: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    [head.as_bytes(), body].concat()
}

/// How an answer's body ends.
enum Framing {
    Length(usize),
    Chunked(Chunk),
    Close,
}

/// What of a chunk comes next.
enum Chunk {
    /// Its size, as far as it was read.
    Size(usize),
    /// So many bytes of it.
    Data(usize),
    /// The end of its line.
    Line,
    /// The end of all, trailers included.
    Trailer,
}

/// An answer that comes in pieces.
#[derive(Default)]
pub struct Answer {
    raw: Vec<u8>,
    /// Bytes of `raw` that were read.
    at: usize,
    framing: Option<Framing>,
    /// Of the status line; 0 until it came.
    pub status: u64,
    /// What came of it, without its framing.
    pub body: Vec<u8>,
    /// Pieces in which the body was framed.
    pub frames: u64,
    closes: bool,
}

impl Answer {
    /// Begins the next answer of the connection.
    pub fn restart(&mut self) {
        self.raw.clear();
        self.body.clear();
        (self.at, self.status, self.frames, self.framing, self.closes) = (0, 0, 0, None, false);
    }

    /// Where bytes from the socket go; then [`Self::advance`].
    pub fn room(&mut self) -> &mut Vec<u8> {
        &mut self.raw
    }

    /// Whether the connection is to be closed after it.
    pub fn closes(&self) -> bool {
        self.closes
    }

    /// Reads what has come; `true` when the answer is whole.
    pub fn advance(&mut self) -> anyhow::Result<bool> {
        if self.framing.is_none() {
            let Some(end) = head_end(&self.raw) else { return Ok(false) };
            let head = &self.raw[..end];
            self.status = number(head.get(9..).context("a status line")?);
            self.closes = header(head, "connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
            self.framing = Some(if header(head, "transfer-encoding").is_some() {
                Framing::Chunked(Chunk::Size(0))
            } else if let Some(length) = header(head, "content-length") {
                Framing::Length(usize::try_from(number(length))?)
            } else {
                Framing::Close
            });
            self.at = end;
        }
        Ok(match &mut self.framing {
            Some(Framing::Length(length)) => {
                self.body.extend_from_slice(&self.raw[self.at..]);
                self.frames = 1;
                self.at = self.raw.len();
                self.body.len() >= *length
            }
            Some(Framing::Chunked(_)) => self.chunks()?,
            _ => {
                self.body.extend_from_slice(&self.raw[self.at..]);
                self.at = self.raw.len();
                false
            }
        })
    }

    fn chunks(&mut self) -> anyhow::Result<bool> {
        let Some(Framing::Chunked(chunk)) = &mut self.framing else { return Ok(false) };
        while self.at < self.raw.len() {
            let rest = &self.raw[self.at..];
            match chunk {
                Chunk::Size(size) => {
                    let byte = rest[0];
                    self.at += 1;
                    match char::from(byte).to_digit(16) {
                        Some(digit) => *size = *size * 16 + digit as usize,
                        None if byte == b'\n' && *size == 0 => *chunk = Chunk::Trailer,
                        None if byte == b'\n' => *chunk = Chunk::Data(*size),
                        None => anyhow::ensure!(byte == b'\r', "no chunk"),
                    }
                }
                Chunk::Data(left) => {
                    let take = (*left).min(rest.len());
                    self.body.extend_from_slice(&rest[..take]);
                    self.at += take;
                    *left -= take;
                    if *left == 0 {
                        self.frames += 1;
                        *chunk = Chunk::Line;
                    }
                }
                Chunk::Line => {
                    if rest[0] == b'\n' {
                        *chunk = Chunk::Size(0);
                    }
                    self.at += 1;
                }
                Chunk::Trailer => return Ok(rest.ends_with(b"\r\n")),
            }
        }
        Ok(false)
    }
}

/// One request on a connection of its own, waiting as long as `patience`.
pub fn once(address: SocketAddr, request: &[u8], patience: Duration) -> anyhow::Result<(u64, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_nodelay(true)?;
    let mut answer = Answer::default();
    ask(&mut stream, request, &mut answer)?;
    Ok((answer.status, answer.body))
}

/// One request on a connection that stays; `answer` is begun anew.
pub fn ask(stream: &mut (impl Read + Write), request: &[u8], answer: &mut Answer) -> anyhow::Result<()> {
    answer.restart();
    stream.write_all(request)?;
    let mut piece = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut piece)?;
        answer.room().extend_from_slice(&piece[..read]);
        if answer.advance()? || read == 0 {
            anyhow::ensure!(answer.status != 0, "no answer");
            return Ok(());
        }
    }
}

/// A GET, as [`once`] wants it.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").into_bytes()
}

/// Nanoseconds of the machine's one clock, which loader and mock share.
pub fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
