//! Criterion benches of the parts, against bare BLAS calls; see `benches/`.
