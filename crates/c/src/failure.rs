//! What C is told when something fails: a code, and a text for each thread.

use std::cell::RefCell;
use std::error::Error;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The codes of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum Status {
    /// Nothing failed.
    Ok = 0,
    /// A pointer is null, or a path is no UTF-8.
    InvalidArgument = 1,
    /// The file cannot be read, or is no model in single precision.
    InvalidFile = 2,
    /// The samples are none that the model accepts.
    InvalidSamples = 3,
    /// A panic, which is a bug.
    InternalError = 4,
}

/// A code and its text.
#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    text: String,
}

impl Failure {
    pub(crate) fn argument(text: impl Into<String>) -> Self {
        Self { status: Status::InvalidArgument, text: text.into() }
    }

    pub(crate) fn null(argument: &str) -> Self {
        Self::argument(format!("{argument} is null"))
    }

    /// Of an error and its sources.
    pub(crate) fn of(status: Status, error: &dyn Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text += &format!(": {error}");
            source = error.source();
        }
        Self { status, text }
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// The text of the last failure on this thread.
pub(crate) fn last_error() -> *const c_char {
    LAST.with_borrow(|text| text.as_ptr())
}

/// The code of what `work` returns. A panic ends here.
pub(crate) fn guarded(work: impl FnOnce() -> Result<(), Failure>) -> Status {
    // What is broken by a panic is dropped: a model is not changed by any function.
    let failure = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return Status::Ok,
        Ok(Err(failure)) => failure,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref().copied());
            let text =
                format!("a panic in chainrule, which is a bug: {}", text.unwrap_or("without a message"));
            Failure { status: Status::InternalError, text }
        }
    };
    let text: Vec<u8> = failure.text.into_bytes().into_iter().filter(|byte| *byte != 0).collect();
    LAST.set(CString::new(text).unwrap_or_default());
    failure.status
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn last() -> String {
        // SAFETY: the text of this thread is valid until the next failure.
        unsafe { CStr::from_ptr(last_error()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_is_a_code() {
        assert_eq!(guarded(|| panic!("number {}", 7)), Status::InternalError);
        assert_eq!(last(), "a panic in chainrule, which is a bug: number 7");
        assert_eq!(guarded(|| Err(Failure::argument("a zero\0 inside"))), Status::InvalidArgument);
        assert_eq!(last(), "a zero inside");
        assert_eq!(guarded(|| Ok(())), Status::Ok);
        assert_eq!(std::thread::spawn(last).join().unwrap(), "");
    }
}
