//! The number of threads of BLAS is restored after the last of those who want one.

use std::sync::Barrier;
use std::thread;

use chainrule_tensor::blas::{self, OneThread};

// One test: the number is the whole program's.
#[test]
fn the_number_before_the_first_guard_is_restored_after_the_last() {
    blas::set_threads(2);
    if blas::threads() != 2 {
        return; // a BLAS that cannot tell
    }
    let first = OneThread::new();
    let second = OneThread::new();
    assert_eq!(blas::threads(), 1);
    drop(first);
    assert_eq!(blas::threads(), 1);
    drop(second);
    assert_eq!(blas::threads(), 2);

    let barrier = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let _one = OneThread::new();
                    assert_eq!(blas::threads(), 1);
                }
                let _last = OneThread::new();
                barrier.wait();
            });
        }
    });
    assert_eq!(blas::threads(), 2);

    let unwound = thread::spawn(|| {
        let _one = OneThread::new();
        panic!("while it is held");
    });
    assert!(unwound.join().is_err());
    assert_eq!(blas::threads(), 2);

    let one = OneThread::new();
    blas::set_threads(3);
    drop(one);
    assert_eq!(blas::threads(), 3, "what was set meanwhile is kept");
}
