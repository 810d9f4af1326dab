//! The networks for images of digits that can be chosen by name.

use chainrule::core::Description;
use chainrule::prelude::*;
use chainrule_config::families;
use clap::ValueEnum;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModelName {
    /// dense layers set by --hidden, --activation and --init: the tutorial's network
    Mlp,
    /// LeNet-5: two convolutions, two poolings, three dense layers (batch 64, 5 epochs)
    Lenet,
    /// a small residual network with batch normalisation (batch 64, 1 epoch)
    Resnet,
    /// an LSTM that reads the image row by row (batch 64, 3 epochs)
    Lstm,
    /// a small vision transformer (batch 64, 5 epochs)
    Vit,
}

impl ModelName {
    /// The default epochs and batch size.
    pub fn defaults(self) -> (u64, usize) {
        match self {
            Self::Mlp => (5, 32),
            Self::Lenet => (5, 64),
            Self::Resnet => (1, 64),
            Self::Lstm => (3, 64),
            Self::Vit => (5, 64),
        }
    }

    /// The description of the layers for images `[28, 28]` and ten classes; `None` for `mlp`, which is made from the options.
    pub fn description(self) -> Option<Description> {
        match self {
            Self::Mlp => None,
            Self::Lenet => Some(described(LENET)),
            Self::Resnet => Some(resnet()),
            Self::Lstm => Some(described(LSTM)),
            Self::Vit => Some(described(VIT)),
        }
    }

    /// The layers that are described so.
    pub fn layers(self) -> Option<Sequential<f32>> {
        self.description().map(|description| built(&description))
    }
}

/// LeNet-5 (LeCun et al. 1998) as it is built today: ReLU and maximum pooling.
const LENET: &str = "reshape([1, 28, 28]) \
     then conv2d(6, 5, padding=2) then relu then max_pool2d(2) \
     then conv2d(16, 5) then relu then max_pool2d(2) \
     then flatten then dense(120) then relu then dense(84) then relu then dense(10)";

/// A 3 by 3 convolution and batch normalisation, which makes a bias superfluous.
fn convolution(channels: usize, stride: usize) -> String {
    format!("conv2d({channels}, 3, stride={stride}, padding=1, bias=false), batch_norm")
}

/// `ReLU(x + f(x))`, or with a stride `ReLU(p(x) + f(x))` for a projection `p` (He et al. 2015).
fn block(channels: usize, stride: usize) -> String {
    let [first, second] = [convolution(channels, stride), convolution(channels, 1)];
    let deep = format!("sequential([{first}, relu, sequential([{second}])])");
    match stride {
        1 => format!("sequential([residual({deep}), relu])"),
        _ => {
            let projection =
                format!("sequential([conv2d({channels}, 1, stride={stride}, bias=false), batch_norm])");
            format!("sequential([branches(add, [{projection}, {deep}]), relu])")
        }
    }
}

/// Eight convolutions in three residual blocks, of 14, 7 and 4 rows.
fn resnet() -> Description {
    let first = format!("sequential([{}])", convolution(16, 2));
    let blocks = [block(16, 1), block(32, 2), block(64, 2)].join(" then ");
    described(&format!(
        "reshape([1, 28, 28]) then {first} then relu then {blocks} then global_avg_pool then dense(10)"
    ))
}

/// An LSTM over the rows of the image.
const LSTM: &str = "lstm(128) then dense(10)";

/// A vision transformer (Dosovitskiy et al. 2020) over 16 patches of 7 by 7 pixels.
const VIT: &str = "reshape([1, 28, 28]) then patches(7) then time_distributed(dense(64)) \
     then class_token then learned_positions \
     then transformer_encoder(4, 128, pre_norm=true) then transformer_encoder(4, 128, pre_norm=true) \
     then layer_norm then one_step(first) then dense(10)";

/// The description that is a text of this file.
fn described(text: &str) -> Description {
    text.parse().expect("it is a description")
}

/// The layers of a description of this file. They are compiled where everything that has a name is.
fn built(description: &Description) -> Sequential<f32> {
    Sequential::from_description(description, families::registry()).expect("it describes layers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_takes_digits() {
        let networks = ModelName::value_variants().iter().filter_map(|name| name.layers());
        let parameters =
            networks.map(|layers| Model::new([28, 28], layers, Seed(0)).unwrap().parameters().len());
        assert_eq!(parameters.collect::<Vec<_>>(), [61_706, 78_426, 81_674, 72_074]);
    }
}
