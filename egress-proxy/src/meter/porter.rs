//! The way between the thread that serves agents and the one that owns the files, with few wake-ups.
//!
//! Waking another thread costs more than what it does for one request. So where requests are served one task, the *porter*,
//! carries jobs to the writer once everybody who could go on has gone on, and brings answers back all together. Where there
//! is none, each goes by itself.

use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::writer::{Fresh, Job};
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
    jobs: Sender<Job>,
    waiting: Mutex<Waiting>,
    call: Notify,
}

#[derive(Default)]
struct Waiting {
    /// Somebody carries.
    is_carried: bool,
    jobs: Vec<Job>,
    answers: Vec<Answer>,
}

impl Porter {
    pub(super) fn new(jobs: Sender<Job>) -> Self {
        Self { jobs, waiting: Mutex::default(), call: Notify::new() }
    }

    /// Hands a job over in a moment.
    pub(super) fn hand(&self, job: Job) -> Result<(), MeterError> {
        let mut waiting = self.waiting();
        if !waiting.is_carried {
            return self.jobs.send(job).map_err(|_| MeterError::Closed);
        }
        waiting.jobs.push(job);
        if waiting.jobs.len() == 1 {
            drop(waiting);
            self.call.notify_one();
        }
        Ok(())
    }

    /// Hands a job over now, behind all that were handed over before.
    pub(super) fn hand_now(&self, job: Job) -> Result<(), MeterError> {
        let mut waiting = self.waiting();
        self.send(&mut waiting.jobs);
        self.jobs.send(job).map_err(|_| MeterError::Closed)
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
                self.send(&mut waiting.jobs);
                std::mem::swap(&mut waiting.answers, &mut answers);
            }
            answers.drain(..).for_each(Answer::deliver);
        }
    }

    fn send(&self, jobs: &mut Vec<Job>) {
        for job in jobs.drain(..) {
            if self.jobs.send(job).is_err() {
                tracing::error!(
                    "usage arrived after the meter was closed; the request is closed as an estimate at next start"
                );
            }
        }
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
            self.0.send(&mut waiting.jobs);
            std::mem::take(&mut waiting.answers)
        };
        answers.into_iter().for_each(Answer::deliver);
    }
}
