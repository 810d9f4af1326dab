//! Every parameter of every layer is in one tensor of PyTorch's, and comes back.

use chainrule_core::Described;
use chainrule_interop::{Loading, Names, StateDict, weight_forms};
use chainrule_layer_cases::every_layer;

use crate::planned;

#[test]
fn parameters_go_out_and_come_in() {
    for case in every_layer::<f32>() {
        let (plan, parameters) = planned(&case);
        let description = case.layers.describe();
        for names in [Names::Chainrule, Names::PyTorch, Names::Keras] {
            let dict = StateDict::of_parameters(&description, &plan, &parameters, names);
            let zeros: usize =
                dict.iter().filter(|(name, _)| name.contains("bias_hh")).map(|(_, t)| t.len()).sum();
            let count: usize = dict.iter().map(|(_, tensor)| tensor.len()).sum();
            let second = plan.entries().iter().filter(|entry| entry.name.ends_with("recurrent_bias"));
            let second: usize = second.map(|entry| entry.range.len()).sum();
            let added = if names == Names::PyTorch { zeros - second } else { 0 };
            assert_eq!(count, plan.size() + added, "{}: {names:?}", case.name);
            let mut again = vec![0.0; plan.size()];
            let loaded = Loading::new(names).load_parameters(&dict, (&description, &plan), &mut again);
            loaded.unwrap_or_else(|error| panic!("{}: {error}", case.name));
            assert_eq!(again, parameters, "{}: {names:?}", case.name);
        }
    }
}

#[test]
fn layers_with_parameters_are_in_the_table() {
    for case in every_layer::<f32>() {
        let (plan, _) = planned(&case);
        for info in plan.layers().iter().filter(|info| !info.composite && info.parameters > 0) {
            let label = info.label.split('(').next().unwrap();
            let known = weight_forms()
                .flat_map(|form| form.layers)
                .any(|layer| chainrule_core::same_name(layer, label));
            // The layer of the list alone, and the norm inside of a block.
            assert!(known || ["Pixelwise", "Masked"].contains(&label), "{}: {label} has no row", case.name);
        }
    }
}
