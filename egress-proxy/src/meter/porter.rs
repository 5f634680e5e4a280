//! The way between the thread that serves agents and the one that owns the files, with few wake-ups.
//!
//! Waking another thread costs more than what it does for one request. So where requests are served one task, the *porter*,
//! carries jobs to the writer once everybody who could go on has gone on, and brings answers back all together. Where there
//! is none, each goes by itself. And who is alone wakes nobody: it does the writer's work itself.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Notify, oneshot};

use super::job::{Fresh, Job};
use super::presence::Presence;
use super::round::Round;
use super::writer::Files;
use super::{Admission, MeterError, NotAdmitted};

/// An answer of the writer, for whoever waits for it.
pub(super) enum Answer {
    /// With what was asked for, which goes where it came from: memory that another thread frees is waited for.
    Admitted(oneshot::Sender<Result<Fresh, NotAdmitted>>, Result<Fresh, NotAdmitted>, Box<Admission>),
    Done(oneshot::Sender<Result<(), MeterError>>, Result<(), MeterError>),
}

impl Answer {
    pub(super) fn deliver(self) {
        // Whoever asked may have left; `Fresh` takes care of the one case in which that matters.
        match self {
            Self::Admitted(reply, answer, asked) => {
                drop(reply.send(answer));
                drop(asked);
            }
            Self::Done(reply, answer) => drop(reply.send(answer)),
        }
    }
}

/// What waits to be carried.
pub(super) struct Porter {
    me: Weak<Self>,
    files: Files,
    jobs: Sender<Job>,
    waiting: Mutex<Waiting>,
    call: Notify,
    pub(super) presence: Presence,
}

#[derive(Default)]
struct Waiting {
    /// Somebody carries.
    is_carried: bool,
    /// Jobs that the thread was given so far.
    sent: u64,
    jobs: Vec<Job>,
    answers: Vec<Answer>,
}

impl Porter {
    pub(super) fn new(files: Files, jobs: Sender<Job>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            files,
            jobs,
            waiting: Mutex::default(),
            call: Notify::new(),
            presence: Presence::default(),
        })
    }

    /// Hands a job over in a moment, or does it where nobody else is under way.
    pub(super) fn hand(&self, job: Job) -> Result<(), MeterError> {
        let mut waiting = self.waiting();
        if !waiting.is_carried {
            return self.send(&mut waiting, job);
        }
        let is_alone = job.is_awaited() && self.presence.is_one() && !waiting.jobs.iter().any(Job::is_awaited);
        waiting.jobs.push(job);
        if is_alone {
            self.go_first(waiting);
        } else if waiting.jobs.len() == 1 {
            drop(waiting);
            self.call.notify_one();
        }
        Ok(())
    }

    /// Does what waits on the spot, if the files are free for it.
    fn go_first(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let mut files = self.files.try_lock();
        let free = files.as_mut().ok().and_then(|files| files.as_mut());
        let Some(writer) = free.filter(|writer| writer.is_free(waiting.sent, &waiting.jobs)) else {
            drop(waiting);
            return self.call.notify_one();
        };
        let jobs = std::mem::take(&mut waiting.jobs);
        drop(waiting);
        let round = Round::here(writer.now(), &self.me);
        writer.turn(jobs, round);
        let wants_thread = writer.wants_thread();
        drop(files);
        if wants_thread {
            // A thread that has ended has closed the files.
            drop(self.hand_now(Job::Tend));
        }
    }

    /// Hands a job over now, behind all that were handed over before.
    pub(super) fn hand_now(&self, job: Job) -> Result<(), MeterError> {
        let mut waiting = self.waiting();
        self.send_all(&mut waiting);
        self.send(&mut waiting, job)
    }

    /// Brings answers to who waits for them.
    pub(super) fn bring(&self, answers: &mut Vec<Answer>) {
        if answers.is_empty() {
            return;
        }
        let mut waiting = self.waiting();
        if waiting.is_carried {
            waiting.answers.append(answers);
            drop(waiting);
            return self.call.notify_one();
        }
        drop(waiting);
        answers.drain(..).for_each(Answer::deliver);
    }

    /// Carries for as long as it is polled; one at a time.
    pub(super) async fn carry(&self) {
        {
            let mut waiting = self.waiting();
            if std::mem::replace(&mut waiting.is_carried, true) {
                return;
            }
        }
        let _end = End(self);
        let mut answers = Vec::new();
        loop {
            self.call.notified().await;
            {
                let mut waiting = self.waiting();
                self.send_all(&mut waiting);
                std::mem::swap(&mut waiting.answers, &mut answers);
            }
            answers.drain(..).for_each(Answer::deliver);
        }
    }

    fn send(&self, waiting: &mut Waiting, job: Job) -> Result<(), MeterError> {
        waiting.sent += 1;
        self.jobs.send(job).map_err(|_| MeterError::Closed)
    }

    fn send_all(&self, waiting: &mut Waiting) {
        for job in std::mem::take(&mut waiting.jobs) {
            if self.send(waiting, job).is_err() {
                tracing::error!(
                    "usage arrived after the meter was closed; the request is closed as an estimate at next start"
                );
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_carried(&self) -> bool {
        self.waiting().is_carried
    }

    /// Jobs that the thread was given, once it has laid the files down.
    #[cfg(test)]
    pub(super) fn sent(&self) -> u64 {
        drop(self.files.lock());
        self.waiting().sent
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing waits for a porter that has gone.
struct End<'a>(&'a Porter);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let answers = {
            let mut waiting = self.0.waiting();
            waiting.is_carried = false;
            self.0.send_all(&mut waiting);
            std::mem::take(&mut waiting.answers)
        };
        answers.into_iter().for_each(Answer::deliver);
    }
}
