//! Where the patches of an image lie in memory.
//!
//! The matrix of patches has a row for each channel and place of the kernel, and a column for each position of the
//! features ("im2col"). It is many times as large as the image, so it is made for a [`Tile`] of the positions and
//! some of the channels at a time.

use chainrule_tensor::Real;
use chainrule_tensor::conv::{Rectangle, Rectangles, col2im, im2col};

use super::window::Geometry;

/// A box of positions of the features, which lie one after the other in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tile<const N: usize> {
    first: [usize; N],
    count: [usize; N],
    /// The place of its first position.
    pub(super) at: usize,
    /// How many positions it has.
    pub(super) columns: usize,
}

/// The tiles of no more than `most` positions, if a row along the last axis is not longer: whole planes or rows of
/// the features, or else parts of a row.
pub(super) fn tiles<const N: usize>(features: [usize; N], most: usize) -> impl Iterator<Item = Tile<N>> {
    // Axes after this one are whole, and before it a tile has one place.
    let (mut axis, mut plane) = (N - 1, 1);
    while axis > 0 && plane * features[axis] <= most {
        plane *= features[axis];
        axis -= 1;
    }
    let length = features[axis];
    let part = length.div_ceil(length.div_ceil((most / plane).max(1)));
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
            Tile { first, count, at: (line * length + start) * plane, columns: count[axis] * plane }
        })
    })
}

/// How the patches of one channel after the other lie in memory.
#[derive(Clone, Debug)]
pub(super) struct Lowering<const N: usize> {
    /// What it was made for: the tile, and the pitch of whole rows.
    made: Option<(Tile<N>, usize)>,
    rectangles: Vec<Rectangle>,
    /// Whether some patches reach beyond the image.
    pub(super) clipped: bool,
    /// The rows of the image of which a kernel with a stride takes some along the first axis: those from each of these on.
    phases: Vec<usize>,
    /// Where the row of each place of the kernel begins.
    pub(super) starts: Vec<usize>,
    /// Those of the places that are first along all axes but the first.
    pub(super) firsts: Vec<usize>,
    /// From a place of the kernel to the next, along any axis but the first, and from a channel to the next.
    pub(super) pitch: usize,
    pub(super) channel: usize,
    /// For [`Rectangles`]: the strides in the image, and from row to row in the patches.
    image_strides: [usize; 3],
    patch_row: usize,
}

/// The places of a kernel along all axes but the first, in order.
fn places<const N: usize>(kernel: [usize; N]) -> impl Iterator<Item = [usize; N]> {
    (0..kernel[1..].iter().product()).map(move |mut index: usize| {
        let mut place = [0; N];
        for axis in (1..N).rev() {
            place[axis] = index % kernel[axis];
            index /= kernel[axis];
        }
        place
    })
}

impl<const N: usize> Default for Lowering<N> {
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

impl<const N: usize> Lowering<N> {
    /// Every row by itself, `pitch` from the one before it. Returns whether that is new.
    pub(super) fn whole(&mut self, geometry: &Geometry<N>, tile: &Tile<N>, pitch: usize) -> bool {
        if !self.begin(geometry, tile, pitch) {
            return false;
        }
        for first in 0..geometry.kernel[0] {
            for mut place in places(geometry.kernel) {
                place[0] = first;
                let to = self.starts.len() * pitch;
                let offset = std::array::from_fn(|axis| place[axis] * geometry.dilation[axis]);
                self.block(geometry, tile.first, offset, tile.count, to);
                self.starts.push(to);
            }
        }
        (self.pitch, self.channel) = (pitch, self.starts.len() * pitch);
        true
    }

    /// Rows of places that differ along the first axis overlap: where the kernel has one place more along it, its row
    /// begins one row of features later. With a stride, every so many rows of the image are together. Returns whether that
    /// is new.
    pub(super) fn overlapping(&mut self, geometry: &Geometry<N>, tile: &Tile<N>) -> bool {
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
        for (index, place) in places(kernel).enumerate() {
            let mut offset = std::array::from_fn(|axis| place[axis] * dilation[axis]);
            for slot in 0..self.phases.len() {
                offset[0] = self.phases[slot];
                self.block(geometry, tile.first, offset, count, index * self.pitch + slot * count[0] * row);
            }
        }
        let inner = places(kernel).count();
        self.channel = inner * self.pitch;
        for first in 0..kernel[0] {
            let (phase, rows) = (first * dilation[0] % stride[0], first * dilation[0] / stride[0]);
            let slot = self.phases.iter().position(|&other| other == phase).expect("all are there");
            let start = (slot * count[0] + rows) * row;
            self.firsts.push(start);
            self.starts.extend((0..inner).map(|index| index * self.pitch + start));
        }
        true
    }

    /// How many values a channel of [`overlapping`](Self::overlapping) patches takes.
    pub(super) fn size(geometry: &Geometry<N>, tile: &Tile<N>) -> usize {
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

    /// The image itself is the patches.
    pub(super) fn image(&mut self, geometry: &Geometry<N>) {
        let (size, row) = (geometry.image.iter().product(), geometry.image[1..].iter().product::<usize>());
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
        // A stride beyond the image is never taken.
        let row = if N > 1 { stride[N - 2].saturating_mul(image[N - 1]) } else { 0 };
        self.image_strides = [image.iter().product(), row, stride[N - 1]];
        self.patch_row = tile.count[N - 1];
        true
    }

    /// Adds what of a box lies within the image. The box has `count` places, from `offset` beyond where the window is at
    /// the position `first` on, and lies from `to` on in memory.
    fn block(
        &mut self,
        geometry: &Geometry<N>,
        first: [usize; N],
        offset: [usize; N],
        count: [usize; N],
        to: usize,
    ) {
        let Geometry { image, stride, before, .. } = geometry;
        // Along each axis, place i of the box is place `origin + i stride - before` of the image.
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
        // Rows and columns are of the last two axes; all places along the others have a block each.
        let outer = N.saturating_sub(2);
        let mut place = begin;
        loop {
            let index = |size: &[usize; N], at: &dyn Fn(usize) -> usize| {
                (0..N).fold(0, |index, axis| index * size[axis] + at(axis))
            };
            self.rectangles.push(Rectangle {
                image: index(image, &|axis| origin[axis] + place[axis] * stride[axis] - before[axis]),
                patches: to + index(&count, &|axis| place[axis]),
                rows: if N > 1 { end[N - 2] - begin[N - 2] } else { 1 },
                columns: end[N - 1] - begin[N - 1],
            });
            let Some(axis) = (0..outer).rev().find(|&axis| place[axis] + 1 < end[axis]) else { return };
            place[axis] += 1;
            place[axis + 1..outer].copy_from_slice(&begin[axis + 1..outer]);
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
