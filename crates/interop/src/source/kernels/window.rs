//! The windows of convolutions and poolings.

/// A window that slides over rows and columns: over a single row, if the samples have one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) channels: usize,
    pub(crate) size: [usize; 2],
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) dilation: [usize; 2],
    pub(crate) before: [usize; 2],
    pub(crate) outputs: [usize; 2],
}

impl Window {
    /// The first position of the window that is inside of the axis, and the one after the last.
    pub(crate) fn inside(&self, axis: usize, output: usize) -> [usize; 2] {
        let start = output * self.stride[axis];
        let first = self.before[axis].saturating_sub(start).div_ceil(self.dilation[axis]);
        let end = (self.before[axis] + self.size[axis]).saturating_sub(start).div_ceil(self.dilation[axis]);
        [first, if end < self.kernel[axis] { end } else { self.kernel[axis] }]
    }
    /// The index along the axis of a position that is inside.
    pub(crate) fn index(&self, axis: usize, output: usize, position: usize) -> usize {
        output * self.stride[axis] + position * self.dilation[axis] - self.before[axis]
    }
    /// How many positions of the window are inside of the axis or its padding.
    pub(crate) fn padded(&self, axis: usize, output: usize) -> usize {
        let left = 2 * self.before[axis] + self.size[axis] - output * self.stride[axis];
        let count = left.div_ceil(self.dilation[axis]);
        if count < self.kernel[axis] { count } else { self.kernel[axis] }
    }
}
