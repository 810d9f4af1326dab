//! Weights for PyTorch and from it, and a model as an ONNX graph and as a file of C, in the current directory:
//! `cargo run -p chainrule-interop --features onnx,pytorch,safetensors,source --example out_and_in`.

use std::path::Path;

use chainrule_core::Sequential;
use chainrule_interop::{Language, Loading, Names, OnnxExport, SourceExport, StateDict};
use chainrule_layers::{Dense, Relu};
use chainrule_train::Model;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let layers = Sequential::new().then(Dense::new(8)).then(Relu).then(Dense::new(3));
    let mut model = Model::<f32>::new([4], layers, 0)?;
    StateDict::of(&model, Names::PyTorch).write_safetensors("model.safetensors")?; // for nn.Sequential
    if Path::new("model.pt").exists() {
        Loading::new(Names::PyTorch).load(&StateDict::read_pytorch("model.pt")?, &mut model)?;
    }
    OnnxExport::new().softmax(true).write(&model, "model.onnx")?;
    SourceExport::new(Language::C).write(&model, "model.c")?;
    Ok(())
}
