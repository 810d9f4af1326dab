//! ONNX graphs. What becomes a small model is planned, and predicts if it is a very small one.
#![no_main]

use chainrule_interop::OnnxModel;
use libfuzzer_sys::fuzz_target;
use ndarray::Array2;

/// A graph of a few bytes can describe layers of any size.
const LARGE: usize = 1 << 16;

/// The most operations of a prediction: they are slow under sanitizers.
const FEW: u64 = 1 << 20;

/// The most values of a layer that predicts.
const SMALL: usize = 1 << 12;

fuzz_target!(|bytes: &[u8]| {
    let Ok(onnx) = OnnxModel::from_bytes(bytes) else { return };
    // Several layers may have one weight.
    assert!(onnx.weights().iter().all(|(_, tensor)| tensor.len() <= bytes.len()), "weights are in the file");
    if onnx.input().size() > LARGE {
        return;
    }
    if let Ok(model) = onnx.model::<f32>() {
        assert_eq!(model.parameters().len(), model.plan().size());
        assert_eq!(model.input(), onnx.input());
        let mut layers = model.plan().layers().iter();
        if layers.all(|layer| layer.output.size() <= SMALL && layer.flops <= FEW) {
            let y = model.predict(Array2::ones((2, model.input().size())).view()).expect("rows are samples");
            assert_eq!(y.dim(), (2, model.output().size()));
        }
    }
});
