//! Chance as a value that is passed in.

/// Where random bytes come from. Tests pass a counted sequence.
pub trait Chance: Send + Sync + 'static {
    /// Fills `out` with random bytes.
    fn fill(&self, out: &mut [u8]);
}

/// The operating system's generator through ring; built in `main` only.
#[derive(Clone, Debug)]
pub struct SystemChance(ring::rand::SystemRandom);

impl SystemChance {
    /// Opens the generator.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a default would let a generator appear anywhere")]
    pub fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that makes a generator")]
        Self(ring::rand::SystemRandom::new())
    }
}

impl Chance for SystemChance {
    fn fill(&self, out: &mut [u8]) {
        use ring::rand::SecureRandom as _;
        // getrandom(2) fails only before the pool is ready at boot or on a kernel older than 3.17; there is no way to go
        // on without random bytes, and a process without them must not run.
        self.0.fill(out).expect("the operating system gives random bytes");
    }
}

/// `N` random bytes.
pub fn bytes<const N: usize>(chance: &dyn Chance) -> [u8; N] {
    let mut out = [0; N];
    chance.fill(&mut out);
    out
}
