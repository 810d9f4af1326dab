//! How the patches of an image are stored.
//!
//! The matrix of patches has a row for each channel and position of the kernel, and a column for each position of the features
//! ("im2col"). It is many times as large as the image, so it is made for a [`Tile`] of the positions and some of the channels at
//! a time.

use chainrule_tensor::Real;
use chainrule_tensor::conv::{Rectangle, Rectangles, col2im, im2col};

use super::window::Geometry;

/// A box of positions of the features, which are contiguous in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tile<const N: usize> {
    first: [usize; N],
    count: [usize; N],
    /// The index of its first position.
    pub(super) start: usize,
    /// How many positions it has.
    pub(super) columns: usize,
}

/// The tiles of no more than `max_positions` positions: whole planes or rows of the features, or parts of a row if a row is
/// longer.
pub(super) fn tiles<const N: usize>(
    features: [usize; N],
    max_positions: usize,
) -> impl Iterator<Item = Tile<N>> {
    // Axes after this one are whole, and along those before it a tile has one position.
    let (mut axis, mut plane) = (N - 1, 1);
    while axis > 0 && plane * features[axis] <= max_positions {
        plane *= features[axis];
        axis -= 1;
    }
    let length = features[axis];
    let part = length.div_ceil(length.div_ceil((max_positions / plane).max(1)));
    let lines = features[..axis].iter().product::<usize>();
    (0..lines).flat_map(move |line| {
        (0..length).step_by(part).map(move |start| {
            let (mut first, mut count) = ([0; N], features);
            let mut rest = line;
            for outer in (0..axis).rev() {
                (first[outer], count[outer]) = (rest % features[outer], 1);
                rest /= features[outer];
            }
            (first[axis], count[axis]) = (start, part.min(length - start));
            Tile { first, count, start: (line * length + start) * plane, columns: count[axis] * plane }
        })
    })
}

/// How the patches are stored, one channel after the other.
#[derive(Clone, Debug)]
pub(super) struct PatchLayout<const N: usize> {
    /// What it was made for: the tile, and the pitch of separate rows.
    made: Option<(Tile<N>, usize)>,
    rectangles: Vec<Rectangle>,
    /// Whether some patches extend beyond the image.
    pub(super) clipped: bool,
    /// The offsets along the first axis, modulo the stride, at which a kernel reads rows of the image.
    phases: Vec<usize>,
    /// Where the row of each position of the kernel begins.
    pub(super) starts: Vec<usize>,
    /// Those of the positions that are first along all axes but the first.
    pub(super) firsts: Vec<usize>,
    /// The distance between positions of the kernel, along any axis but the first, and between channels.
    pub(super) pitch: usize,
    pub(super) channel: usize,
    /// For [`Rectangles`]: the strides in the image, and from row to row in the patches.
    image_strides: [usize; 3],
    patch_row: usize,
}

/// The positions of a kernel along all axes but the first, in order.
fn inner_positions<const N: usize>(kernel: [usize; N]) -> impl Iterator<Item = [usize; N]> {
    (0..kernel[1..].iter().product()).map(move |mut index: usize| {
        let mut position = [0; N];
        for axis in (1..N).rev() {
            position[axis] = index % kernel[axis];
            index /= kernel[axis];
        }
        position
    })
}

impl<const N: usize> Default for PatchLayout<N> {
    fn default() -> Self {
        Self {
            made: None,
            rectangles: Vec::new(),
            clipped: false,
            phases: Vec::new(),
            starts: Vec::new(),
            firsts: Vec::new(),
            pitch: 0,
            channel: 0,
            image_strides: [0; 3],
            patch_row: 0,
        }
    }
}

impl<const N: usize> PatchLayout<N> {
    /// Stores each row separately, `pitch` after the one before it. Returns whether the layout has changed.
    pub(super) fn separate_rows(&mut self, geometry: &Geometry<N>, tile: &Tile<N>, pitch: usize) -> bool {
        if !self.begin(geometry, tile, pitch) {
            return false;
        }
        for first in 0..geometry.kernel[0] {
            for mut position in inner_positions(geometry.kernel) {
                position[0] = first;
                let to = self.starts.len() * pitch;
                let offset = std::array::from_fn(|axis| position[axis] * geometry.dilation[axis]);
                self.add_box(geometry, tile.first, offset, tile.count, to);
                self.starts.push(to);
            }
        }
        (self.pitch, self.channel) = (pitch, self.starts.len() * pitch);
        true
    }

    /// Lets rows overlap whose positions differ along the first axis: for the next position of the kernel along it, the row
    /// begins one row of features later. With a stride, the rows of the image with one offset modulo the stride are stored
    /// together. Returns whether the layout has changed.
    pub(super) fn overlapping_rows(&mut self, geometry: &Geometry<N>, tile: &Tile<N>) -> bool {
        if !self.begin(geometry, tile, 0) {
            return false;
        }
        let Geometry { kernel, stride, dilation, .. } = *geometry;
        self.phases.clear();
        for first in 0..kernel[0] {
            let phase = first * dilation[0] % stride[0];
            if !self.phases.contains(&phase) {
                self.phases.push(phase);
            }
        }
        let mut count = tile.count;
        count[0] += (kernel[0] - 1) * dilation[0] / stride[0];
        let row = tile.columns / tile.count[0];
        self.pitch = self.phases.len() * count[0] * row;
        for (index, position) in inner_positions(kernel).enumerate() {
            let mut offset = std::array::from_fn(|axis| position[axis] * dilation[axis]);
            for slot in 0..self.phases.len() {
                offset[0] = self.phases[slot];
                self.add_box(geometry, tile.first, offset, count, index * self.pitch + slot * count[0] * row);
            }
        }
        let inner = inner_positions(kernel).count();
        self.channel = inner * self.pitch;
        for first in 0..kernel[0] {
            let phase = first * dilation[0] % stride[0];
            let rows = first * dilation[0] / stride[0];
            let slot = self.phases.iter().position(|&other| other == phase).expect("it was added above");
            let start = (slot * count[0] + rows) * row;
            self.firsts.push(start);
            self.starts.extend((0..inner).map(|index| index * self.pitch + start));
        }
        true
    }

    /// How many values a channel takes with [`overlapping_rows`](Self::overlapping_rows).
    pub(super) fn overlapping_size(geometry: &Geometry<N>, tile: &Tile<N>) -> usize {
        let Geometry { kernel, stride, dilation, .. } = geometry;
        let rows = tile.count[0] + (kernel[0] - 1) * dilation[0] / stride[0];
        let (mut a, mut b) = (stride[0], dilation[0]);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        let phases = kernel[0].min(stride[0] / a); //    a is the greatest common divisor
        let planes = kernel[1..].iter().fold(phases, |planes, kernel| planes.saturating_mul(*kernel));
        planes.saturating_mul(rows).saturating_mul(tile.columns / tile.count[0])
    }

    /// Takes the image itself for its patches.
    pub(super) fn image_as_patches(&mut self, geometry: &Geometry<N>) {
        let size = geometry.image.iter().product();
        let row = geometry.image[1..].iter().product::<usize>();
        self.starts.clear();
        self.starts.extend((0..geometry.kernel[0]).map(|first| first * geometry.dilation[0] * row));
        self.firsts.clone_from(&self.starts);
        (self.pitch, self.channel) = (size, size);
    }

    fn begin(&mut self, geometry: &Geometry<N>, tile: &Tile<N>, pitch: usize) -> bool {
        if self.made == Some((*tile, pitch)) {
            return false;
        }
        self.made = Some((*tile, pitch));
        self.rectangles.clear();
        self.starts.clear();
        self.firsts.clear();
        self.clipped = false;
        let Geometry { image, stride, .. } = geometry;
        // A stride beyond the image is never used.
        let row = if N > 1 { stride[N - 2].saturating_mul(image[N - 1]) } else { 0 };
        self.image_strides = [image.iter().product(), row, stride[N - 1]];
        self.patch_row = tile.count[N - 1];
        true
    }

    /// Adds the part of a box that is within the image. The box has `count` positions, begins `offset` after the window for the
    /// position `first`, and is stored from index `to` of the patches on.
    fn add_box(
        &mut self,
        geometry: &Geometry<N>,
        first: [usize; N],
        offset: [usize; N],
        count: [usize; N],
        to: usize,
    ) {
        let Geometry { image, stride, before, .. } = geometry;
        // Along each axis, position i of the box is index `origin + i stride - before` of the image.
        let origin: [usize; N] = std::array::from_fn(|axis| first[axis] * stride[axis] + offset[axis]);
        let begin: [usize; N] =
            std::array::from_fn(|axis| before[axis].saturating_sub(origin[axis]).div_ceil(stride[axis]));
        let end: [usize; N] = std::array::from_fn(|axis| {
            image[axis]
                .saturating_add(before[axis])
                .saturating_sub(origin[axis])
                .div_ceil(stride[axis])
                .min(count[axis])
        });
        self.clipped |= begin != [0; N] || end != count;
        if (0..N).any(|axis| begin[axis] >= end[axis]) {
            return;
        }
        // Rows and columns are along the last two axes; each position along the others has a rectangle of its own.
        let outer = N.saturating_sub(2);
        let mut position = begin;
        loop {
            let index = |size: &[usize; N], at: &dyn Fn(usize) -> usize| {
                (0..N).fold(0, |index, axis| index * size[axis] + at(axis))
            };
            self.rectangles.push(Rectangle {
                image: index(image, &|axis| origin[axis] + position[axis] * stride[axis] - before[axis]),
                patches: to + index(&count, &|axis| position[axis]),
                rows: if N > 1 { end[N - 2] - begin[N - 2] } else { 1 },
                columns: end[N - 1] - begin[N - 1],
            });
            let Some(axis) = (0..outer).rev().find(|&axis| position[axis] + 1 < end[axis]) else { return };
            position[axis] += 1;
            position[axis + 1..outer].copy_from_slice(&begin[axis + 1..outer]);
        }
    }

    /// The rectangles of `channels` channels.
    fn rectangles(&self, channels: usize) -> Rectangles<'_> {
        Rectangles {
            rectangles: &self.rectangles,
            repeat: channels,
            image_strides: self.image_strides,
            patch_strides: [self.channel, self.patch_row],
        }
    }

    /// Copies the first channels of `image` to the patches. Patches outside of the image stay unchanged.
    pub(super) fn im2col<T: Real>(&self, channels: usize, image: &[T], patches: &mut [T]) {
        im2col(self.rectangles(channels), image, patches);
    }

    /// The adjoint: adds the patches to the first channels of `image`.
    pub(super) fn col2im<T: Real>(&self, channels: usize, patches: &[T], image: &mut [T]) {
        col2im(self.rectangles(channels), patches, image);
    }
}
