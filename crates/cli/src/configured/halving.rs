//! Successive halving: many trainings for a short time, and the best of them for longer (Jamieson and Talwalkar 2016).

/// A round of a sweep: how many trainings there are, and for how many epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) candidates: usize,
    pub(super) epochs: u64,
}

/// The rounds for so many candidates, of which one in `factor` goes on to `factor` times the epochs; the last has all `epochs`. There
/// are as many rounds as leave a candidate for the last and an epoch for the first.
pub(super) fn rounds(candidates: usize, factor: usize, epochs: u64) -> Vec<Round> {
    let mut counts = vec![candidates];
    let mut shortest = epochs;
    while counts.last().is_some_and(|&left| left >= factor) && shortest >= factor as u64 {
        counts.push(counts[counts.len() - 1] / factor);
        shortest /= factor as u64;
    }
    let last = counts.len() - 1;
    // From the last one down, so that it has all epochs exactly.
    let epochs = |round: usize| (round..last).fold(epochs, |left, _| left / factor as u64);
    counts
        .iter()
        .enumerate()
        .map(|(round, &candidates)| Round { candidates, epochs: epochs(round) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_go_on_for_long() {
        let pairs = |candidates, factor, epochs| {
            let rounds = rounds(candidates, factor, epochs);
            rounds.into_iter().map(|round| (round.candidates, round.epochs)).collect::<Vec<_>>()
        };
        assert_eq!(pairs(27, 3, 81), [(27, 3), (9, 9), (3, 27), (1, 81)]);
        assert_eq!(pairs(20, 3, 50), [(20, 5), (6, 16), (2, 50)]);
        // An epoch is the least.
        assert_eq!(pairs(64, 2, 5), [(64, 1), (32, 2), (16, 5)]);
        assert_eq!(pairs(2, 3, 10), [(2, 10)]);
        assert_eq!(pairs(9, 3, 0), [(9, 0)]);
    }
}
