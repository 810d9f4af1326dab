//! Copying rectangles to and from a matrix of patches, for AVX-512 in single precision, where plain loops are slower.

use std::arch::x86_64::*;

use crate::simd::avx512::{LANES, mask};
use crate::simd::level::{Level, level};
use crate::simd::operands::{Rectangle, Rectangles};

/// The maximum number of rectangles that are added together.
const MAX_GROUP: usize = 8;

/// [`im2col`](super::im2col()) of rectangles that are within the slices, if columns are 2 apart in the image and the CPU has
/// AVX-512; otherwise `false`, and nothing is done.
pub(crate) fn im2col(rectangles: Rectangles<'_>, image: &[f32], patches: &mut [f32]) -> bool {
    let suits = level() >= Level::Avx512 && rectangles.image_strides[2] == 2;
    if suits {
        // SAFETY: the CPU has AVX-512, all rectangles are within the slices, and `patches` is borrowed mutably.
        unsafe { copy_every_other(rectangles, image.as_ptr(), patches.as_mut_ptr()) }
    }
    suits
}

/// [`col2im`](super::col2im()) of rectangles that are within the slices, if columns are 1 or 2 apart in the image and the CPU
/// has AVX-512; otherwise `false`, and nothing is done.
pub(crate) fn col2im(rectangles: Rectangles<'_>, patches: &[f32], image: &mut [f32]) -> bool {
    let [_, row, step] = rectangles.image_strides;
    // Rows of a rectangle may overlap in general; these do not.
    let disjoint =
        rectangles.rectangles.iter().all(|rectangle| rectangle.rows <= 1 || rectangle.columns <= row);
    if level() < Level::Avx512 || !(1..=2).contains(&step) || step == 1 && !disjoint {
        return false;
    }
    // SAFETY: the CPU has AVX-512, all rectangles are within the slices, and `image` is borrowed mutably.
    unsafe {
        match step {
            1 => add(rectangles, patches.as_ptr(), image.as_mut_ptr()),
            _ => add_every_other(rectangles, patches.as_ptr(), image.as_mut_ptr()),
        }
    }
    true
}

/// # Safety
///
/// Here and below: the rectangles are within the slices, and the CPU has AVX-512.
#[target_feature(enable = "avx512f")]
unsafe fn copy_every_other(rectangles: Rectangles<'_>, image: *const f32, patches: *mut f32) {
    let even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    rectangles.for_each_row(
        #[inline(always)]
        |in_image, in_patches, columns| {
            for column in (0..columns).step_by(LANES) {
                let (left, masks) = (mask(columns - column), masks_of_every_other(columns - column));
                // SAFETY: the masks exclude what is not in this row.
                unsafe {
                    let image = image.add(in_image + 2 * column);
                    let values = _mm512_maskz_loadu_ps(masks[0], image);
                    let more = _mm512_maskz_loadu_ps(masks[1], image.wrapping_add(LANES));
                    let values = _mm512_permutex2var_ps(values, even, more);
                    _mm512_mask_storeu_ps(patches.add(in_patches + column), left, values);
                }
            }
        },
    );
}

#[target_feature(enable = "avx512f")]
unsafe fn add_every_other(rectangles: Rectangles<'_>, patches: *const f32, image: *mut f32) {
    rectangles.for_each_row(
        #[inline(always)]
        |in_image, in_patches, columns| {
            for column in (0..columns).step_by(LANES) {
                let (left, masks) = (mask(columns - column), masks_of_every_other(columns - column));
                // SAFETY: the masks exclude what is not in this row.
                unsafe {
                    let x = _mm512_maskz_loadu_ps(left, patches.add(in_patches + column));
                    // Each half of the lanes goes to every other lane of a register.
                    let halves = [x, _mm512_shuffle_f32x4::<0b11_10_11_10>(x, x)];
                    for (i, half) in halves.into_iter().enumerate() {
                        let image = image.wrapping_add(in_image + 2 * column + i * LANES);
                        let half = _mm512_maskz_expand_ps(0x5555, half);
                        let sum = _mm512_add_ps(_mm512_maskz_loadu_ps(masks[i], image), half);
                        _mm512_mask_storeu_ps(image, masks[i], sum);
                    }
                }
            }
        },
    );
}

/// The masks of two registers of which every other lane is one of up to 16 remaining values.
#[inline(always)]
fn masks_of_every_other(left: usize) -> [__mmask16; 2] {
    let values = 2 * left.min(LANES) - 1;
    [mask(values) & 0x5555, mask(values.saturating_sub(LANES)) & 0x5555]
}

/// Rectangles that go to about the same part of the image, as those of neighbouring weights of a kernel do, are added in
/// registers, so that each value of the image is read and written once.
#[target_feature(enable = "avx512f")]
unsafe fn add(rectangles: Rectangles<'_>, patches: *const f32, image: *mut f32) {
    for repetition in 0..rectangles.repeat {
        let mut rest = rectangles.rectangles;
        while let [first, others @ ..] = rest {
            // A rectangle without values may begin anywhere.
            if first.rows == 0 || first.columns == 0 {
                rest = others;
                continue;
            }
            let (mut begin, mut end) = (first.image, first.image + first.columns);
            // Together, too, no row reaches into the next.
            let near = |other: &&Rectangle| {
                begin = begin.min(other.image);
                end = end.max(other.image + other.columns);
                other.rows == first.rows && other.columns > 0 && end - begin <= rectangles.image_strides[1]
            };
            let count = rest.iter().take(MAX_GROUP).take_while(near).count().max(1);
            let (group, others) = rest.split_at(count);
            rest = others;
            let in_image = repetition * rectangles.image_strides[0];
            let in_patches = repetition * rectangles.patch_strides[0];
            // SAFETY: these rectangles are some of those within the slices.
            unsafe { add_group(rectangles, group, patches.add(in_patches), image.add(in_image)) }
        }
    }
}

/// Adds up to `MAX_GROUP` rectangles with the same number of rows, whose rows together do not overlap in the image.
#[target_feature(enable = "avx512f")]
unsafe fn add_group(rectangles: Rectangles<'_>, group: &[Rectangle], patches: *const f32, image: *mut f32) {
    let begin = group.iter().map(|rectangle| rectangle.image).min().unwrap_or(0);
    let end = group.iter().map(|rectangle| rectangle.image + rectangle.columns).max().unwrap_or(0);
    for first in (begin..end).step_by(LANES) {
        // Of each rectangle, the lanes that it has here, and the address of the first lane.
        let mut parts = [(0, patches); MAX_GROUP];
        let mut all = 0;
        for (part, rectangle) in parts.iter_mut().zip(group) {
            let lanes = |index: usize| mask_below(index.saturating_sub(first));
            let mask = lanes(rectangle.image + rectangle.columns) & !lanes(rectangle.image);
            let in_patches = patches.wrapping_add(rectangle.patches).wrapping_add(first);
            *part = (mask, in_patches.wrapping_sub(rectangle.image));
            all |= mask;
        }
        let image_row = rectangles.image_strides[1];
        // SAFETY: the masks exclude what is in no rectangle, and for each rectangle what is not in it.
        let load = |row| unsafe { _mm512_maskz_loadu_ps(all, image.add(first + row * image_row)) };
        // A row is read before the one above is written: a CPU that sees both registers overlap would wait,
        // though their lanes do not.
        let (rows, mut next) = (group[0].rows, load(0));
        for row in 0..rows {
            let mut sum = next;
            if row + 1 < rows {
                next = load(row + 1);
            }
            // SAFETY: as above.
            unsafe {
                for &(mask, patches) in &parts[..group.len()] {
                    let patches = patches.wrapping_add(row * rectangles.patch_strides[1]);
                    sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, patches));
                }
                _mm512_mask_storeu_ps(image.add(first + row * image_row), all, sum);
            }
        }
    }
}

/// The mask of the lowest `lanes` lanes, which may be none or all.
#[inline(always)]
fn mask_below(lanes: usize) -> __mmask16 {
    if lanes == 0 { 0 } else { mask(lanes) }
}
