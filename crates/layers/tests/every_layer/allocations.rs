//! No layer allocates after its first pass.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use chainrule_layer::{Backward, Forward, Layer, Mode, Plan};
use chainrule_tensor::{Buffer, Grads, Params, Seed};
use ndarray::Array2;

use crate::cases::every_layer;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts what each thread asks for.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "an allocator that counts is what this test is about")]
// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[test]
fn the_second_pass_allocates_nothing() {
    for case in every_layer::<f32>() {
        let mut plan = Plan::new();
        let (output, mut cache) = case.layers.plan(case.input, &mut plan).unwrap();
        let mut params = Buffer::zeros(plan.size());
        plan.init(Seed(3), &mut params);
        let (x, mut grads) = (case.samples(4, Seed(4)), Buffer::zeros(plan.size()));
        let (mut y, mut dx) = (Array2::zeros((4, output.size())), Array2::zeros(x.dim()));
        let mut counts = [0; 3];
        for count in &mut counts {
            let before = COUNT.get();
            case.layers.forward(Forward {
                params: Params::new(&params),
                x: x.view(),
                y: y.view_mut(),
                cache: &mut cache,
                mode: Mode::Train { seed: Seed(1), first_row: 0 },
            });
            case.layers.backward(Backward {
                params: Params::new(&params),
                grads: Grads::new(&mut grads),
                x: x.view(),
                y: y.view(),
                dy: y.view(),
                dx: Some(dx.view_mut()),
                cache: &mut cache,
                share: 1.0,
            });
            *count = COUNT.get() - before;
        }
        assert_eq!(counts[1..], [0, 0], "{}", case.name);
    }
}
