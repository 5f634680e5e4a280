//! The end of connections that locked users had before: the rules refuse what is sent over them, and here they are closed.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with};

use crate::plan::Plan;
use diag::{Family, Found, Message};

mod diag;

/// The kernel answers while it is asked; longer means that it never will.
const WITHIN: Duration = Duration::from_secs(5);
/// One look ends what it finds, the next one finds nothing.
const LOOKS: usize = 4;
/// More than the kernel puts into one datagram.
const DATAGRAM: usize = 64 * 1024;

/// No such socket: it ended by itself.
const GONE: i32 = -2;
/// The kernel was built without `CONFIG_INET_DIAG_DESTROY`.
const CANNOT: i32 = -95;

/// The way to the kernel's sockets.
#[derive(Clone)]
pub struct Sockets {
    open: Arc<dyn Fn() -> io::Result<OwnedFd> + Send + Sync>,
}

/// Why connections may still be open.
#[derive(Debug, thiserror::Error)]
pub enum SocketsError {
    /// It does not speak of sockets.
    #[error("the kernel does not list connections; is its module tcp_diag there?")]
    NotListed(#[source] io::Error),
    /// It does not end them.
    #[error("this kernel cannot end connections: it was built without INET_DIAG_DESTROY")]
    CannotEnd,
    /// It says no.
    #[error("the kernel does not end a connection")]
    Refused(#[source] io::Error),
    /// It says what nobody understands.
    #[error("the kernel speaks of connections in an unknown form")]
    Unknown,
    /// They are made anew, or do not end.
    #[error("{0} connections do not end")]
    Stay(usize),
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sockets")
    }
}

impl Default for Sockets {
    /// This machine's.
    fn default() -> Self {
        Self::through(line)
    }
}

impl Sockets {
    /// Through a line that `open` makes: the tests' network namespace, or a kernel that has none.
    #[must_use]
    pub fn through(open: impl Fn() -> io::Result<OwnedFd> + Send + Sync + 'static) -> Self {
        Self { open: Arc::new(open) }
    }

    /// Ends every TCP connection of the plan's users but those to its doors, and says how many. What nobody has open any
    /// more has no user either, and is left to the rules.
    ///
    /// # Errors
    /// All of [`SocketsError`].
    pub async fn end(&self, plan: &Plan) -> Result<usize, SocketsError> {
        let (open, plan) = (Arc::clone(&self.open), plan.clone());
        let work = tokio::task::spawn_blocking(move || end(&open().map_err(SocketsError::NotListed)?, &plan));
        work.await.unwrap_or_else(|error| Err(SocketsError::NotListed(io::Error::other(error))))
    }
}

/// A line to the kernel about the sockets of the network namespace in which it is made.
///
/// # Errors
/// When there is none.
pub fn line() -> io::Result<OwnedFd> {
    let line = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(SOCK_DIAG))?;
    connect(&line, &SocketAddrNetlink::new(0, 0))?;
    Ok(line)
}

fn end(line: &OwnedFd, plan: &Plan) -> Result<usize, SocketsError> {
    set_socket_timeout(line, Timeout::Recv, Some(WITHIN)).map_err(|error| SocketsError::NotListed(error.into()))?;
    let (mut ended, mut left) = (0, 0);
    for _ in 0..LOOKS {
        let mut found = Vec::new();
        for family in [Family::V4, Family::V6] {
            found.extend(list(line, family)?.into_iter().filter(|found| is_to_end(found, plan)));
        }
        left = found.len();
        if left == 0 {
            return Ok(ended);
        }
        for found in found {
            ended += usize::from(destroy(line, &found)?);
        }
    }
    Err(SocketsError::Stay(left))
}

fn is_to_end(found: &Found, plan: &Plan) -> bool {
    let is_locked = plan.uids().iter().any(|range| (range.first..=range.last).contains(&found.uid));
    is_locked && found.inode != 0 && !plan.doors().contains(&found.peer())
}

fn list(line: &OwnedFd, family: Family) -> Result<Vec<Found>, SocketsError> {
    let mut all = Vec::new();
    match ask(line, &diag::list(family), &mut all)? {
        0.. => Ok(all),
        error => Err(SocketsError::NotListed(io::Error::from_raw_os_error(-error))),
    }
}

/// False when it ended by itself.
fn destroy(line: &OwnedFd, found: &Found) -> Result<bool, SocketsError> {
    match ask(line, &found.destroy(), &mut Vec::new())? {
        0 => Ok(true),
        GONE => Ok(false),
        CANNOT => Err(SocketsError::CannotEnd),
        error => Err(SocketsError::Refused(io::Error::from_raw_os_error(-error))),
    }
}

/// Asks, and reads to the end of the answer.
fn ask(line: &OwnedFd, question: &[u8], found: &mut Vec<Found>) -> Result<i32, SocketsError> {
    let broken = |error: rustix::io::Errno| SocketsError::NotListed(error.into());
    send(line, question, SendFlags::empty()).map_err(broken)?;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let (read, _) = recv(line, &mut buffer[..], RecvFlags::empty()).map_err(broken)?;
        if read == 0 {
            return Err(SocketsError::Unknown);
        }
        for message in diag::messages(&buffer[..read]).ok_or(SocketsError::Unknown)? {
            match message {
                Message::Found(socket) => found.push(socket),
                Message::Over(how) => return Ok(how),
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
