//! The launcher: the first process in the unit of a run. It gets the call over the line that is its standard input, locks
//! itself in further, does the one thing and reports. It holds no secret but those of its call.

use std::fs::DirBuilder;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::used::Used;
use super::wire::{self, Hello};
use super::{Held, Raw, RunSpec, SPEC_BYTES, doors, here, keep_to_ourselves, tmp};

/// The whole life of a launcher process.
///
/// Call this from `main` when the daemon's own file is started in the unit of a run, and end with its code.
#[must_use]
pub fn launch_from_stdin() -> ExitCode {
    if launch().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

pub(super) fn launch() -> io::Result<()> {
    keep_to_ourselves();
    let mut line = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    wire::put_json(&mut line, &Hello { launcher: wire::VERSION })?;
    // Whoever dies while it writes this leaves no whole message: nothing runs.
    let spec: RunSpec = wire::take_json(&mut line, SPEC_BYTES)?;
    let limit = Duration::from_millis(spec.limit_ms);
    let most = spec.output_bytes;
    let mut end = line.try_clone()?;
    let ready = ready(&spec).and_then(|()| match &spec.proxy {
        Some(door) => {
            let out = io::stdout().as_fd().try_clone_to_owned();
            let opened = out.and_then(|out| doors::open(door, &spec.folder, out));
            opened.map_err(|error| format!("the way to the proxy could not be made: {error}; nothing was done"))
        }
        None => Ok(()),
    });
    let speaker = Arc::new(Mutex::new(Some(line.try_clone()?)));
    let told = Arc::clone(&speaker);
    let tell = Box::new(move |piece: &[u8]| {
        if let Some(line) = told.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // A runner that hears nothing any more has gone; its end is the unit's.
            let _ = wire::put_piece(line, piece);
        }
    });
    let held = match ready {
        // Nothing more is said to us: what comes is the end, also when the runner died.
        Ok(()) => here::perform(spec, most, limit, tell, move || drop(end.read(&mut [0; 1]))),
        Err(why) => Held { raw: Raw::failed(why), was_ended: false, used: Used::default() },
    };
    // What comes after the limit of patience is said by nobody: the report is one message.
    drop(speaker.lock().unwrap_or_else(PoisonError::into_inner).take());
    wire::put_report(&mut line, &held.raw, Used::by_unit())
}

/// Makes the private folder, and makes sure that this is the workspace which the daemon means.
pub(super) fn ready(spec: &RunSpec) -> Result<(), String> {
    let make = |path: &Path| {
        let made = DirBuilder::new().mode(0o700).recursive(true).create(path);
        made.map_err(|error| format!("no private folder could be made: {error}"))
    };
    make(&tmp(&spec.folder))?;
    let Some(wanted) = spec.workspace_is else { return Ok(()) };
    match std::fs::metadata(&spec.workspace).map(|about| (about.dev(), about.ino())) {
        Ok(is) if is == wanted => Ok(()),
        Ok(_) => Err("the workspace was exchanged while the call was started; nothing was done".to_owned()),
        Err(error) => Err(format!("the workspace cannot be seen in the run's unit ({error}); nothing was done")),
    }
}
