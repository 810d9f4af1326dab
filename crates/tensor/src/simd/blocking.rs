//! Cutting loops into blocks whose sizes are known while compiling.

/// Calls with a constant in place of a number that is known only at run time, and is one of a few.
macro_rules! with_constant {
    ($value:expr, [$($n:literal)*], |$name:ident| $call:expr) => {
        match $value {
            $($n => {
                const $name: usize = $n;
                $call
            })*
            _ => unreachable!("a block is no larger"),
        }
    };
}
pub(crate) use with_constant;

/// Cuts `0..total` into the smallest number of parts that are no longer than `max_len`, all of nearly the same length. Returns
/// the start and the length of each.
#[inline]
pub(crate) fn even_parts(total: usize, max_len: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = total.div_ceil(max_len);
    let (shorter, longer_parts) = (total / count.max(1), total % count.max(1));
    let mut end = 0;
    (0..count).map(move |i| {
        let len = shorter + usize::from(i < longer_parts);
        end += len;
        (end - len, len)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_everything_once() {
        for (total, max_len) in [(0, 3), (1, 8), (8, 8), (9, 8), (23, 4), (100, 7)] {
            let parts: Vec<_> = even_parts(total, max_len).collect();
            assert_eq!(parts.len(), total.div_ceil(max_len));
            let end = parts.iter().fold(0, |end, &(start, len)| {
                assert!(start == end && len <= max_len && len > 0, "{parts:?}");
                start + len
            });
            assert_eq!(end, total);
        }
    }
}
