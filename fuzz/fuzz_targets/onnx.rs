//! ONNX graphs. What becomes a small model is planned, and predicts.
#![no_main]

use chainrule_interop::OnnxModel;
use libfuzzer_sys::fuzz_target;

/// A graph of a few bytes can describe layers of any size.
const LARGE: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let Ok(onnx) = OnnxModel::from_bytes(bytes) else { return };
    let weights: usize = onnx.weights().iter().map(|(_, tensor)| tensor.len()).sum();
    assert!(weights <= bytes.len(), "weights are in the file");
    if onnx.input().size() > LARGE {
        return;
    }
    if let Ok(model) = onnx.model::<f32>() {
        assert_eq!(model.parameters().len(), model.plan().size());
        assert_eq!(model.input(), onnx.input());
    }
});
