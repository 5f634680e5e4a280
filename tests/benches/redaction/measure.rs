//! Time and memory.
//!
//! Time is the processor time of this process: what else runs on the machine then only costs caches.

use peak_alloc::PeakAlloc;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Seconds of processor time that `work` takes.
pub(crate) fn seconds(work: impl FnOnce()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let start = now();
    work();
    now() - start
}

/// Seconds of several rounds, from the shortest to the longest.
#[derive(Clone, Debug)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn new(mut seconds: Vec<f64>) -> Self {
        seconds.sort_unstable_by(f64::total_cmp);
        Self(seconds)
    }

    pub(crate) fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    pub(crate) fn shortest(&self) -> f64 {
        self.0[0]
    }

    pub(crate) fn longest(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    /// Speeds over `bytes`.
    pub(crate) fn speed(&self, bytes: usize) -> Speed {
        let mb = bytes as f64 / 1e6;
        Speed { median: mb / self.median(), least: mb / self.longest(), most: mb / self.shortest() }
    }
}

/// MB (10^6 bytes) in a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speed {
    pub(crate) median: f64,
    least: f64,
    pub(crate) most: f64,
}

impl Speed {
    pub(crate) fn json(self) -> Value {
        json!({"mb_per_s": self.median, "least": self.least, "most": self.most})
    }

    /// Half of the range in percent of the median.
    fn spread(self) -> f64 {
        (self.most - self.least) / self.median * 50.0
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>7.0} ±{:<3.0}", self.median, self.spread())
    }
}

/// Runs every work once a round, one after the other, so that a slow moment of the machine meets all of them; the first
/// round warms caches and is not counted.
pub(crate) fn side_by_side<const N: usize>(rounds: usize, mut works: [&mut dyn FnMut(); N]) -> [Times; N] {
    let mut seconds: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(rounds));
    for round in 0..=rounds {
        for (work, seconds) in works.iter_mut().zip(&mut seconds) {
            let took = self::seconds(work);
            if round > 0 {
                seconds.push(took);
            }
        }
    }
    seconds.map(Times::new)
}

/// What a structure costs to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Built {
    pub(crate) seconds: f64,
    /// Bytes of heap it keeps.
    pub(crate) kept: usize,
    /// Bytes of heap at the height of the work.
    pub(crate) peak: usize,
}

impl Built {
    pub(crate) fn json(self) -> Value {
        json!({"build_ms": self.seconds * 1e3, "bytes": self.kept, "peak_bytes": self.peak})
    }
}

impl std::fmt::Display for Built {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "{:>8.1} ms {:>8.2} MiB, {:.2} MiB while it is built",
            self.seconds * 1e3,
            mib(self.kept),
            mib(self.peak)
        )
    }
}

/// Makes something three times; the time is the median.
pub(crate) fn build<T>(mut make: impl FnMut() -> T) -> (T, Built) {
    let mut times: Vec<f64> = (0..2).map(|_| seconds(|| drop(make()))).collect();
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let made = {
        let mut made = None;
        times.push(seconds(|| made = Some(make())));
        made
    };
    let made = made.unwrap_or_else(make);
    let kept = HEAP.current_usage().saturating_sub(before);
    let peak = HEAP.peak_usage().saturating_sub(before);
    (made, Built { seconds: Times::new(times).median(), kept, peak })
}
