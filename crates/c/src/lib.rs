//! The C interface: load a model, describe it, predict.
//!
//! The decision here: **nothing but the boundary is here.** What a pointer points to is checked for null and given to safe code at once; a
//! panic becomes a code. `include/chainrule.h` documents the functions, and a test compiles a program against it.

// The boundary to C is what this crate is. Every block says why it is sound.
#![allow(unsafe_code)]

mod failure;
mod loaded;

use std::ffi::{CStr, c_char};
use std::slice;

use failure::{Failure, Status, guarded, last_error};
use loaded::LoadedModel;

/// The version of the library.
#[unsafe(no_mangle)]
pub extern "C" fn chainrule_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    VERSION.as_ptr()
}

/// What the last call on this thread that failed says about it.
#[unsafe(no_mangle)]
pub extern "C" fn chainrule_last_error() -> *const c_char {
    last_error()
}

/// Loads a model file.
///
/// # Safety
///
/// `path` is null or a text that ends with 0, and `model` is null or valid to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn chainrule_load(path: *const c_char, model: *mut *mut LoadedModel) -> Status {
    guarded(|| {
        // SAFETY: the caller promises that it is null or valid to be written.
        let model = unsafe { model.as_mut() }.ok_or(Failure::null("model"))?;
        *model = std::ptr::null_mut();
        if path.is_null() {
            return Err(Failure::null("path"));
        }
        // SAFETY: it is not null, and the caller promises that it ends with 0.
        let path = unsafe { CStr::from_ptr(path) };
        let path = path.to_str().map_err(|_| Failure::argument("path is no UTF-8"))?;
        *model = Box::into_raw(Box::new(LoadedModel::load(path)?));
        Ok(())
    })
}

/// Frees a model.
///
/// # Safety
///
/// `model` is null or comes from [`chainrule_load`], and is used no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn chainrule_free(model: *mut LoadedModel) {
    if !model.is_null() {
        // SAFETY: it was made by `Box::into_raw` in `chainrule_load`, and the caller gives it up.
        drop(unsafe { Box::from_raw(model) });
    }
}

/// The layers.
///
/// # Safety
///
/// Here and below, `model` is null or comes from [`chainrule_load`] and is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn chainrule_describe(model: *const LoadedModel) -> *const c_char {
    // SAFETY: the caller promises that it is null or a model.
    unsafe { model.as_ref() }.map_or(std::ptr::null(), |model| model.description().as_ptr())
}

/// The number of values of a sample.
///
/// # Safety
///
/// As above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn chainrule_input_size(model: *const LoadedModel) -> usize {
    // SAFETY: the caller promises that it is null or a model.
    unsafe { model.as_ref() }.map_or(0, |model| model.input().iter().product())
}

/// The number of values of a prediction.
///
/// # Safety
///
/// As above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn chainrule_output_size(model: *const LoadedModel) -> usize {
    // SAFETY: the caller promises that it is null or a model.
    unsafe { model.as_ref() }.map_or(0, |model| model.output().iter().product())
}

/// The lengths of the axes of a sample.
///
/// # Safety
///
/// As above, and `axes` is null or valid for `capacity` values to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn chainrule_input_shape(
    model: *const LoadedModel,
    axes: *mut usize,
    capacity: usize,
) -> usize {
    // SAFETY: the caller promises that it is null or a model.
    let shape = unsafe { model.as_ref() }.map_or(&[][..], LoadedModel::input);
    // SAFETY: the caller promises the capacity.
    unsafe { write_axes(shape, axes, capacity) }
}

/// The lengths of the axes of a prediction.
///
/// # Safety
///
/// As for [`chainrule_input_shape`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn chainrule_output_shape(
    model: *const LoadedModel,
    axes: *mut usize,
    capacity: usize,
) -> usize {
    // SAFETY: the caller promises that it is null or a model.
    let shape = unsafe { model.as_ref() }.map_or(&[][..], LoadedModel::output);
    // SAFETY: the caller promises the capacity.
    unsafe { write_axes(shape, axes, capacity) }
}

/// Writes as many lengths as there is room for; returns how many there are.
///
/// # Safety
///
/// `axes` is null or valid for `capacity` values to be written.
unsafe fn write_axes(shape: &[usize], axes: *mut usize, capacity: usize) -> usize {
    if !axes.is_null() {
        for (index, length) in shape.iter().take(capacity).enumerate() {
            // SAFETY: it is not null, and `index` is below the capacity. The memory need not be initialised.
            unsafe { axes.add(index).write(*length) };
        }
    }
    shape.len()
}

/// Predicts for samples.
///
/// # Safety
///
/// As above; `samples` is null or valid for `count` samples, and `predictions` is null or valid for as many predictions to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn chainrule_predict(
    model: *const LoadedModel,
    samples: *const f32,
    count: usize,
    predictions: *mut f32,
) -> Status {
    guarded(|| {
        // SAFETY: the caller promises that it is null or a model.
        let model = unsafe { model.as_ref() }.ok_or(Failure::null("model"))?;
        if count == 0 {
            return Ok(());
        }
        if samples.is_null() {
            return Err(Failure::null("samples"));
        }
        if predictions.is_null() {
            return Err(Failure::null("predictions"));
        }
        let values = |shape: &[usize]| {
            let size: usize = shape.iter().product();
            let bytes = size.checked_mul(count)?.checked_mul(size_of::<f32>())?;
            isize::try_from(bytes).is_ok().then_some(size * count)
        };
        let too_many = || Failure::argument("count is larger than what memory can hold");
        let inputs = values(model.input()).ok_or_else(too_many)?;
        let outputs = values(model.output()).ok_or_else(too_many)?;
        // SAFETY: it is not null, the caller promises so many values, and they take no more bytes than an `isize` counts.
        let samples = unsafe { slice::from_raw_parts(samples, inputs) };
        let found = model.predict(samples, count)?;
        for (index, value) in found.iter().take(outputs).enumerate() {
            // SAFETY: it is not null, and the caller promises room for so many. It need not be initialised.
            unsafe { predictions.add(index).write(*value) };
        }
        Ok(())
    })
}
