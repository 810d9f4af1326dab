//! Kendall's correlation.

use chainrule_core::setting_words;

use super::definition::of_order;
use super::moments::CONSTANT;
use crate::Undefined;

/// What becomes of pairs of samples with equal values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KendallVariant {
    /// They are neither in order nor out of it.
    A,
    /// They are left out of the comparison, so that a full agreement is 1 (Kendall 1945).
    #[default]
    B,
    /// As b, for different numbers of different values (Stuart 1953).
    C,
}

setting_words! { KendallVariant { A = "a", B = "b", C = "c" } }

of_order! {
    /// Kendall's correlation: the pairs of samples that are in the same order less those that are not, from -1 to 1.
    KendallCorrelation = "kendall_correlation";
    aliases ["kendall_rank_corrcoef", "kendall_rank_corr_coef", "kendall", "kendalltau", "kendall_tau"];
    formula "(agreeing - disagreeing) / √((pairs - ties y)(pairs - ties t))";
    source "Kendall 1945, computed as by Knight 1966";
    settings {
        /// What becomes of pairs with equal values: a, b or c.
        variant: KendallVariant = KendallVariant::B, b;
    }
    |metric, pairs| tau(metric.variant, pairs)
}

fn tau(variant: KendallVariant, pairs: &[[f64; 2]]) -> Result<f64, Undefined> {
    // 0 and -0 are equal, but not in the total order.
    let mut sorted: Vec<[f64; 2]> = pairs.iter().map(|pair| pair.map(|value| value + 0.0)).collect();
    sorted.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let both = Ties::of(&sorted, |a, b| a == b);
    let of_y = Ties::of(&sorted, |a, b| a[0] == b[0]);
    let mut targets: Vec<f64> = sorted.iter().map(|pair| pair[1]).collect();
    let disagreeing = sort_counting_swaps(&mut targets);
    let of_t = Ties::of(&targets, |a, b| a == b);
    if of_y.groups < 2 || of_t.groups < 2 {
        return Err(Undefined(CONSTANT));
    }
    let all = pairs_of(pairs.len());
    let difference = all - of_y.pairs - of_t.pairs + both.pairs - 2.0 * disagreeing;
    Ok(match variant {
        KendallVariant::A => difference / all,
        KendallVariant::B => difference / ((all - of_y.pairs).sqrt() * (all - of_t.pairs).sqrt()),
        KendallVariant::C => {
            let groups = of_y.groups.min(of_t.groups) as f64;
            2.0 * difference / ((pairs.len() as f64).powi(2) * (groups - 1.0) / groups)
        }
    })
}

/// Groups of equal elements, and the pairs within them.
struct Ties {
    groups: usize,
    pairs: f64,
}

impl Ties {
    fn of<V>(sorted: &[V], equal: impl Fn(&V, &V) -> bool) -> Self {
        let groups = sorted.chunk_by(equal).map(<[V]>::len);
        groups.fold(Self { groups: 0, pairs: 0.0 }, |Self { groups, pairs }, len| Self {
            groups: groups + 1,
            pairs: pairs + pairs_of(len),
        })
    }
}

fn pairs_of(count: usize) -> f64 {
    count as f64 * (count as f64 - 1.0) / 2.0
}

/// Sorts by merging, and returns how many pairs were out of order.
fn sort_counting_swaps(values: &mut [f64]) -> f64 {
    let half = values.len() / 2;
    if half == 0 {
        return 0.0;
    }
    let (left, right) = values.split_at_mut(half);
    let mut swaps = sort_counting_swaps(left) + sort_counting_swaps(right);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if right[j] < left[i] {
            swaps += (left.len() - i) as f64;
            merged.push(right[j]);
            j += 1;
        } else {
            merged.push(left[i]);
            i += 1;
        }
    }
    merged.extend(&left[i..]);
    merged.extend(&right[j..]);
    values.copy_from_slice(&merged);
    swaps
}
