//! Messages with open files beside them: a run's line is handed to the helper, which hands it to the run.

use std::io::{self, IoSlice, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as BlockingStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::protocol;

/// Most files beside one message; the kernel closes what is more.
pub const FILES: usize = 2;

/// Sends one message, the files with its first byte. Blocks.
///
/// # Errors
/// When the other end is gone, or there are too many files.
pub fn send(stream: &BlockingStream, message: &impl Serialize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let frame = protocol::frame(message)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if files.len() > FILES || (!files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files))) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = sendmsg(stream, &[IoSlice::new(&frame)], &mut control, SendFlags::NOSIGNAL)?;
    let mut stream = stream;
    stream.write_all(&frame[sent..])
}

/// Receives one message of at most `longest` bytes, and the files beside it.
///
/// # Errors
/// As [`protocol::read`].
pub(crate) async fn receive<T: DeserializeOwned>(stream: &UnixStream, longest: u32) -> io::Result<(T, Vec<OwnedFd>)> {
    let mut files = Vec::new();
    let mut length = [0; 4];
    fill(stream, &mut length, &mut files).await?;
    let mut text = vec![0; protocol::announced(length, longest)?];
    fill(stream, &mut text, &mut files).await?;
    Ok((protocol::parse(&text)?, files))
}

async fn fill(stream: &UnixStream, out: &mut [u8], files: &mut Vec<OwnedFd>) -> io::Result<()> {
    let mut at = 0;
    while at < out.len() {
        stream.readable().await?;
        match stream.try_io(Interest::READABLE, || take(stream, &mut out[at..], files)) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => at += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn take(stream: &UnixStream, out: &mut [u8], files: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let read = recvmsg(stream, &mut [IoSliceMut::new(out)], &mut control, flags)?.bytes;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(more) = message {
            files.extend(more);
        }
    }
    // A message that brings them by drops does not make us hold many.
    files.truncate(FILES);
    Ok(read)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::AsFd as _;

    use super::*;
    use crate::protocol::{ASK_BYTES, Request};

    #[tokio::test]
    async fn files_come_with_their_message_and_no_more_than_asked_for() {
        let (ours, theirs) = BlockingStream::pair().expect("a pair");
        theirs.set_nonblocking(true).expect("set");
        let theirs = UnixStream::from_std(theirs).expect("a stream");
        let (mut near, far) = BlockingStream::pair().expect("a pair");
        send(&ours, &Request::RunReady {}, &[far.as_fd()]).expect("sent");
        drop(far);
        send(&ours, &Request::EgressStatus {}, &[]).expect("sent");
        let (first, mut files) = receive::<Request>(&theirs, ASK_BYTES).await.expect("received");
        assert_eq!((first, files.len()), (Request::RunReady {}, 1));
        BlockingStream::from(files.remove(0)).write_all(b"through").expect("written");
        let mut said = String::new();
        near.read_to_string(&mut said).expect("read");
        assert_eq!(said, "through");
        let (second, files) = receive::<Request>(&theirs, ASK_BYTES).await.expect("received");
        assert_eq!((second, files.len()), (Request::EgressStatus {}, 0));
        assert!(send(&ours, &Request::RunReady {}, &[near.as_fd(); FILES + 1]).is_err());
    }
}
