//! What several benchmarks share: the daemon on a stage of its own, what it is asked, who answers. The benchmarks stand in
//! targets of their own: `./dev bench`.

pub mod bodies;
pub mod chance;
pub mod mock;
pub mod process;
pub mod stage;
pub mod vault;
pub mod wire;
