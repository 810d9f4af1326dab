//! The chapters of the book as documentation: `cargo test -p chainrule-book` compiles and runs every program in them, and
//! `mdbook serve docs/book` shows them.

#[doc = include_str!("src/program.md")]
pub mod program {}

#[doc = include_str!("src/first.md")]
pub mod first {}

#[doc = include_str!("src/table.md")]
pub mod table {}

#[doc = include_str!("src/pictures.md")]
pub mod pictures {}

#[doc = include_str!("src/text.md")]
pub mod text {}

#[doc = include_str!("src/own-parts.md")]
pub mod own_parts {}

#[doc = include_str!("src/loop.md")]
pub mod by_hand {}

#[doc = include_str!("src/examples.md")]
pub mod examples {}

#[doc = include_str!("src/seeing.md")]
pub mod seeing {}

#[doc = include_str!("src/bits.md")]
pub mod bits {}

#[doc = include_str!("src/speed.md")]
pub mod speed {}

#[doc = include_str!("src/keras.md")]
pub mod keras {}

#[doc = include_str!("src/pytorch.md")]
pub mod pytorch {}
