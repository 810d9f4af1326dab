//! The elements of a strided view, one after the other.

/// The indices of the elements of a view in row-major order, for axes of these lengths and strides.
#[derive(Clone, Debug)]
pub(crate) struct Indices {
    shape: Vec<usize>,
    strides: Vec<usize>,
    position: Vec<usize>,
    next: usize,
    left: usize,
}

impl Indices {
    /// Those of a view whose first element has the index `offset`, and whose number of elements can be counted.
    pub(crate) fn new(shape: &[usize], strides: &[usize], offset: usize) -> Self {
        let (shape, strides) = (shape.to_vec(), strides.to_vec());
        let left = count(&shape).unwrap_or(0);
        Self { position: vec![0; shape.len()], shape, strides, next: offset, left }
    }
}

impl Iterator for Indices {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let index = self.next;
        for axis in (0..self.shape.len()).rev() {
            self.position[axis] += 1;
            if self.position[axis] < self.shape[axis] {
                self.next += self.strides[axis];
                break;
            }
            self.position[axis] = 0;
            self.next -= self.strides[axis] * (self.shape[axis] - 1);
        }
        Some(index)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// The number of elements of these axes; `None` if it overflows. Of an axis of length 0 there are none, however long the others are.
pub(crate) fn count(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1usize, |count, &length| count.checked_mul(length))
}

/// The strides of these axes in row-major order.
pub(crate) fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_walked_in_row_major_order() {
        let indices =
            |shape: &[usize], strides: &[usize]| Indices::new(shape, strides, 10).collect::<Vec<_>>();
        assert_eq!(indices(&[2, 3], &[3, 1]), [10, 11, 12, 13, 14, 15]);
        assert_eq!(indices(&[3, 2], &[1, 3]), [10, 13, 11, 14, 12, 15]);
        assert_eq!(indices(&[], &[]), [10]);
        assert!(indices(&[2, 0], &[5, 1]).is_empty());
        assert_eq!(row_major(&[2, 3, 4]), [12, 4, 1]);
        assert_eq!((count(&[usize::MAX, 2, 0]), count(&[usize::MAX, 2])), (Some(0), None));
    }
}
