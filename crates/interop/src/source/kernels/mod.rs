//! The functions of exported files: these very texts are what a file contains, and the Rust ones also run here.

pub(super) mod math;
pub(super) mod moves;
pub(super) mod pooling;
pub(super) mod products;
#[allow(dead_code, reason = "it is for exported files alone")]
pub(super) mod quantized;
pub(super) mod recurrent;
pub(super) mod rows;
pub(super) mod units;
pub(super) mod window;

/// The texts of these files.
macro_rules! texts {
    ($($file:literal)*) => { [$(include_str!($file)),*] };
}

/// The functions in Rust, in the order in which a file has them.
pub(super) const RUST: [&str; 9] = texts!["math.rs" "units.rs" "window.rs" "products.rs" "pooling.rs" "rows.rs" "moves.rs" "recurrent.rs" "quantized.rs"];

/// Those in C, each after the ones that it calls.
pub(super) const C: [&str; 9] = texts!["math.c" "units.c" "window.c" "products.c" "pooling.c" "rows.c" "moves.c" "recurrent.c" "quantized.c"];
