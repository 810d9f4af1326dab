//! The sum of the rows' losses.

use chainrule_tensor::vector;

/// The number of terms that are summed at once.
pub(crate) const BLOCK: usize = 64;

/// The sum of the losses of rows, in the order of the rows: in double precision, by blocks of 64, whose sums are added one after
/// the other. It depends on the rows alone, not on the parts in which they were computed.
///
/// ```
/// let losses = vec![0.1; 1 << 20];
/// assert!((chainrule_losses::total(losses) / f64::from(1 << 20) - 0.1).abs() < 1e-12);
/// ```
pub fn total(losses: impl IntoIterator<Item = f64>) -> f64 {
    let mut losses = losses.into_iter();
    let mut block = [0.0; BLOCK];
    let mut total = 0.0;
    loop {
        let mut count = 0;
        for (term, loss) in block.iter_mut().zip(losses.by_ref()) {
            *term = loss;
            count += 1;
        }
        if count > 0 {
            total += vector::sum(&block[..count]);
        }
        if count < BLOCK {
            return total;
        }
    }
}

/// `weight x`, which is 0 where the weight is, even if x is infinite: `0 ln 0 = 0` by the limit of `p ln p`. NaN stays NaN.
///
/// ```
/// use chainrule_losses::weighted;
/// assert_eq!(weighted(0.0, f64::NEG_INFINITY), 0.0);
/// assert!(weighted(0.0, f64::NAN).is_nan());
/// ```
#[inline(always)]
pub fn weighted(weight: f64, x: f64) -> f64 {
    // Without a branch, so that loops over it become vector instructions.
    let nothing = (weight == 0.0) & !x.is_nan();
    let x = if nothing { 0.0 } else { x };
    weight * x
}

/// The number of terms that are added in chains, one for each lane.
const CHAIN: usize = 512;

/// `Σ f(aᵢ, bᵢ)` in double precision, over short chains.
#[inline(always)]
pub(crate) fn sum_pairs<T: Copy>(a: &[T], b: &[T], f: impl Fn(T, T) -> f64) -> f64 {
    const LANES: usize = 4;
    if a.len() < 4 * LANES {
        return a.iter().zip(b).fold(0.0, |sum, (&a, &b)| sum + f(a, b));
    }
    let mut total = 0.0;
    for (a, b) in a.chunks(CHAIN).zip(b.chunks(CHAIN)) {
        let mut parts = [0.0; LANES];
        let (a_chunks, a_rest) = a.as_chunks::<LANES>();
        let (b_chunks, b_rest) = b.as_chunks::<LANES>();
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for lane in 0..LANES {
                parts[lane] += f(a[lane], b[lane]);
            }
        }
        for (part, (&a, &b)) in parts.iter_mut().zip(a_rest.iter().zip(b_rest)) {
            *part += f(a, b);
        }
        total += (parts[0] + parts[1]) + (parts[2] + parts[3]);
    }
    total
}
