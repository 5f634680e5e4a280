//! A short memory of where bytes came from.

/// Where the last bytes of a view came from.
pub(crate) struct Ring {
    starts: Vec<usize>,
    pub(crate) at: usize,
}

impl Ring {
    pub(crate) fn new(deepest: usize) -> Self {
        // Room for a hexdump address that is taken back.
        Self { starts: vec![0; (deepest + 64).next_power_of_two()], at: 0 }
    }

    #[inline]
    pub(crate) fn push(&mut self, start: usize) {
        let mask = self.starts.len() - 1;
        self.starts[self.at & mask] = start;
        self.at += 1;
    }

    /// Start of the item `back` before the end; 1 is the last one.
    #[inline]
    pub(crate) fn start(&self, back: usize) -> usize {
        self.starts[self.at.wrapping_sub(back) & (self.starts.len() - 1)]
    }
}
