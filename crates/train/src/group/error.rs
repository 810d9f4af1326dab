//! Why members of a group cannot train together.

use std::fmt;

/// Why members of a [`Group`](super::Group) cannot train together, or not any longer. A member is called a process, which it is but in
/// tests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// A member has ended before the others.
    #[error("process {rank} has ended before the others: what it said last tells why")]
    Gone {
        /// The member.
        rank: usize,
    },
    /// A member has sent nothing for too long.
    #[error(
        "process {rank} has sent nothing for {seconds} seconds: find out what it waits for, or allow the processes to wait longer"
    )]
    Silent {
        /// The member.
        rank: usize,
        /// For how long the others have waited.
        seconds: u64,
    },
    /// A message could not be sent or received.
    #[error("cannot exchange messages with process {rank}: {message}")]
    Transport {
        /// The member at the other end.
        rank: usize,
        /// What the transport says.
        message: String,
    },
    /// The training of a member ended with an error.
    #[error("process {rank} failed: {message}")]
    Failed {
        /// The member.
        rank: usize,
        /// Its error.
        message: String,
    },
    /// A member sends something else than what the others expect.
    #[error(
        "process {rank} is at {found}, this one at {expected}: all have to call the same functions of the trainer, in the same order, and their callbacks have to go back to other weights together"
    )]
    OutOfStep {
        /// The member.
        rank: usize,
        /// What was expected.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
    /// The members would not compute one training.
    #[error("the processes differ, and would not compute one training:\n{}", table(.0))]
    Differ(Vec<Difference>),
    /// Something that a group does not support.
    #[error("a group of processes does not support {what}: {instead}")]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// The group is used again after an error.
    #[error(
        "the processes have lost step in an error before: start the program again, from a checkpoint if there is one"
    )]
    Over,
}

/// A property in which a member differs from member 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The property, such as `"seed"`.
    pub property: String,
    /// Its value in member 0; empty if that has none.
    pub first: String,
    /// The member that differs.
    pub rank: usize,
    /// Its value there; empty if it has none.
    pub other: String,
}

/// One line for each difference, in columns.
fn table(differences: &[Difference]) -> impl fmt::Display {
    let rows = differences.iter().map(|Difference { property, first, rank, other }| {
        [property.clone(), format!("process 0: {first}"), format!("process {rank}: {other}")]
    });
    let rows: Vec<[String; 3]> = rows.collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [property, first] = [width(0), width(1)];
    let lines = rows.iter().map(|[a, b, c]| format!("  {a:property$}  {b:first$}  {c}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_a_table() {
        let difference = |property: &str, first: &str, rank, other: &str| Difference {
            property: property.into(),
            first: first.into(),
            rank,
            other: other.into(),
        };
        let error = GroupError::Differ(vec![
            difference("seed", "0", 1, "10"),
            difference("instructions", "avx512", 3, "avx2"),
        ]);
        let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
        assert_eq!(
            lines[1..],
            [
                "  seed          process 0: 0       process 1: 10",
                "  instructions  process 0: avx512  process 3: avx2"
            ]
        );
    }
}
