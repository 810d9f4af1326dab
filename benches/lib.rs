//! Benches of the parts.
