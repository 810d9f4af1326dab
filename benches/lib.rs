//! Criterion benches of chainrule's parts: `cargo bench -p chainrule-benches`. Whole training steps are measured by
//! `cargo xtask bench`.
