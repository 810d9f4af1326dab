//! Memory of numbers that is lent for numbers of double precision.

use crate::real::Real;

/// The same memory as numbers of double precision: half as many as there were in single precision, or one less where they do not begin
/// at the boundary of one. What they are at first has no meaning, and neither have the values afterwards.
///
/// For what is to be computed more precisely than it is stored: [`scratch_for_doubles`] says how much memory that takes.
///
/// ```
/// use chainrule_tensor::{doubles, scratch_for_doubles};
///
/// let mut scratch = vec![0.0f32; scratch_for_doubles(3)];
/// let sums = &mut doubles(&mut scratch)[..3];
/// sums.copy_from_slice(&[1.0, 2.0, 3.0]);
/// assert_eq!(sums.iter().sum::<f64>(), 6.0);
/// ```
pub fn doubles<T: Real>(scratch: &mut [T]) -> &mut [f64] {
    // SAFETY: `T` is `f32` or `f64`, since `Real` cannot be implemented elsewhere, and all bits are a number of either type.
    let (_, doubles, _) = unsafe { scratch.align_to_mut::<f64>() };
    doubles
}

/// How many values of any type [`doubles`] needs for so many numbers of double precision.
pub const fn scratch_for_doubles(count: usize) -> usize {
    2 * count + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_wherever_the_memory_begins() {
        for count in 0..5 {
            let mut single = [0.0f32; 20];
            let mut double = [0.0f64; 20];
            for start in 0..3 {
                let end = start + scratch_for_doubles(count);
                assert!(doubles(&mut single[start..end]).len() >= count);
                assert!(doubles(&mut double[start..end]).len() >= count);
            }
        }
        assert_eq!(doubles(&mut [1.0f64, 2.0]), [1.0, 2.0]);
    }
}
