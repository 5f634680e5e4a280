use std::os::unix::net::UnixDatagram;
use std::sync::Mutex;

use super::diag::tests::{over, said};
use super::*;
use crate::plan::UidRange;

/// A pretended kernel: answers one question with each of `answers`, and then lists nothing. Keeps what it was asked.
fn kernel(answers: Vec<Vec<u8>>) -> (Sockets, Arc<Mutex<Vec<Vec<u8>>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (kept, answers) = (asked.clone(), Arc::new(Mutex::new(std::collections::VecDeque::from(answers))));
    let sockets = Sockets::through(move || {
        let (ours, theirs) = UnixDatagram::pair()?;
        let (kept, answers) = (kept.clone(), answers.clone());
        std::thread::spawn(move || {
            let mut question = [0; 256];
            while let Ok(length @ 1..) = theirs.recv(&mut question) {
                kept.lock().expect("whole").push(question[..length].to_vec());
                let answer = answers.lock().expect("whole").pop_front().unwrap_or_else(|| over(0));
                if theirs.send(&answer).is_err() {
                    break;
                }
            }
        });
        Ok(ours.into())
    });
    (sockets, asked)
}

/// The line of a kernel in which nobody has anything open.
pub(crate) fn nothing_open() -> io::Result<OwnedFd> {
    let (sockets, _) = kernel(Vec::new());
    (sockets.open)()
}

fn plan() -> Plan {
    let door = "127.0.0.1:7400".parse().expect("an address");
    Plan::new(vec![UidRange { first: 998, last: 1000 }], [door], 7).expect("sound")
}

#[tokio::test]
async fn a_kernel_that_cannot_is_named_and_one_that_lies_ends_nothing() {
    let found = || [said("192.0.2.9:443", 998, 7), over(0)].concat();
    let none = || over(0);
    for (answers, says) in [
        (vec![over(-2)], "does not list"),
        (vec![b"what?".to_vec()], "unknown form"),
        (vec![found(), none(), over(-95)], "INET_DIAG_DESTROY"),
        (vec![found(), none(), over(-1)], "does not end a connection"),
        (std::iter::repeat_n([found(), none(), over(0)], 9).flatten().collect(), "1 connections do not end"),
    ] {
        let error = kernel(answers).0.end(&plan()).await.expect_err(says);
        assert!(error.to_string().contains(says), "{says}: {error}");
    }
    let nobody = Sockets::through(|| Err(io::ErrorKind::Unsupported.into()));
    assert!(matches!(nobody.end(&plan()).await, Err(SocketsError::NotListed(_))));
}

#[tokio::test]
async fn connections_of_locked_users_end_and_those_to_doors_and_of_others_stay() {
    let v4 = [
        said("192.0.2.9:443", 998, 7),
        said("192.0.2.9:443", 997, 7),
        said("192.0.2.9:443", 1001, 7),
        said("192.0.2.9:443", 1000, 0),
        said("127.0.0.1:7400", 999, 7),
        said("127.0.0.1:7401", 999, 7),
        over(0),
    ];
    let v6 = [said("[2001:db8::9]:1", 1000, 7), said("[::ffff:127.0.0.1]:7400", 1000, 7), over(0)];
    // The last one is gone before it is ended.
    let (sockets, asked) = kernel(vec![v4.concat(), v6.concat(), over(0), over(0), over(-2)]);
    assert_eq!(sockets.end(&plan()).await.expect("ended"), 2);
    // Two lists, three ends, two lists.
    assert_eq!(asked.lock().expect("whole").len(), 7);
}
