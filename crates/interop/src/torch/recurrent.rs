//! Recurrent layers: PyTorch's modules return states and outputs, of which those of the file return one.

use super::writer::{Built, Writer};
use crate::site::{Reason, Site};

/// The class, its sizes and its settings.
fn settings(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Result<String, Reason> {
    site.without("masked", "PyTorch's modules leave out no steps within a sequence")?;
    site.without("stateful", "PyTorch's modules keep no state")?;
    let &[_, inputs] = x else { return Err("its samples are no [steps, features]".into()) };
    let (class, more) = match &*site.description.name {
        "lstm" => ("LSTM", String::new()),
        "gru" => ("GRU", String::new()),
        "rnn" => match &*site.described("activation")?.name {
            "tanh" => ("RNN", String::new()),
            "relu" => ("RNN", ", nonlinearity=\"relu\"".to_owned()),
            other => return Err(format!("nn.RNN has no activation {other}")),
        },
        other => return Err(format!("there is no module for {other}")),
    };
    writer.helper("Recurrent");
    writer.helper(class);
    let [sequences, bias] = ["sequences", "bias"].map(|setting| site.flag(setting));
    let sequences = if sequences? { ", sequences=True" } else { "" };
    let bias = if bias? { "" } else { ", bias=False" };
    Ok(format!("{class}({inputs}, {}{sequences}{bias}{more}", site.count("units")?))
}

pub(super) fn one_direction(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let backwards = if site.flag("backwards")? { ", backwards=True" } else { "" };
    let text = settings(writer, site, x)? + backwards + ")";
    let output = writer.output(site)?;
    writer.module(text, output)
}

pub(super) fn bidirectional(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let inner = site.inner("", site.described("layer")?);
    if inner.flag("backwards")? || site.text("merge") != Some("concat") {
        return Err(
            "PyTorch's modules concatenate the states of both directions, the forward one first".into()
        );
    }
    let text = settings(writer, &inner, x)? + ", bidirectional=True)";
    let output = writer.output(site)?;
    writer.module(text, output)
}
