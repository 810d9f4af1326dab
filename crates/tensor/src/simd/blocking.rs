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

/// `0..total` in the smallest number of parts that are no longer than `max_len`, all of nearly the same length.
#[derive(Clone, Copy)]
pub(crate) struct EvenParts {
    pub(crate) count: usize,
    /// The length of a part, and how many of the first are one longer.
    shorter: usize,
    longer_parts: usize,
}

impl EvenParts {
    #[inline(always)]
    pub(crate) fn new(total: usize, max_len: usize) -> Self {
        let count = total.div_ceil(max_len);
        Self { count, shorter: total / count.max(1), longer_parts: total % count.max(1) }
    }

    /// Where a part begins, and its length.
    #[inline(always)]
    pub(crate) fn part(self, index: usize) -> (usize, usize) {
        let start = index * self.shorter + index.min(self.longer_parts);
        (start, self.shorter + usize::from(index < self.longer_parts))
    }
}

/// The start and the length of each of [`EvenParts`].
#[inline]
pub(crate) fn even_parts(total: usize, max_len: usize) -> impl Iterator<Item = (usize, usize)> {
    let parts = EvenParts::new(total, max_len);
    (0..parts.count).map(move |index| parts.part(index))
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
