//! Benchmarks stand in targets of their own: `./dev bench`.
