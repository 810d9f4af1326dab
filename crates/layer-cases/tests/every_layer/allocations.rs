//! No layer allocates after its first pass.

use chainrule_core::{Backward, Forward, Grads, Layer, Mode, Params, Plan};
use chainrule_layer_cases::every_layer;
use chainrule_tensor::{Buffer, CountingAllocator, Seed};
use ndarray::Array2;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

#[test]
fn the_second_pass_allocates_nothing() {
    for case in every_layer::<f32>() {
        let mut plan = Plan::new();
        let (output, mut cache) = case.layers.plan(case.input, &mut plan).unwrap();
        let mut params = Buffer::zeros(plan.size());
        plan.init(Seed(3), &mut params);
        let x = case.samples(4, Seed(4));
        let mut grads = Buffer::zeros(plan.size());
        let mut y = Array2::zeros((4, output.size()));
        let mut dx = Array2::zeros(x.dim());
        let mut counts = [0; 3];
        for count in &mut counts {
            let before = ALLOCATOR.allocations_of_this_thread();
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
            *count = ALLOCATOR.allocations_of_this_thread() - before;
        }
        assert_eq!(counts[1..], [0, 0], "{}", case.name);
    }
}
