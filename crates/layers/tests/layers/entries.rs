//! The entries of layers, merges, activations and initialisers: what they are called, and what they build.

use std::sync::Arc;

use chainrule_core::{
    AnyLayer, AnyMerge, Description, DescriptionError, Entry, Initializer, Kind, Layer, Registry, Value,
    same_name,
};
use chainrule_layers::*;

type Init = Arc<dyn Initializer>;

/// All entries, with the kind of each.
fn entries(registry: &Registry) -> Vec<(&'static str, &'static Entry)> {
    fn of<K: Kind>(registry: &Registry) -> impl Iterator<Item = (&'static str, &'static Entry)> {
        registry.entries::<K>().map(|entry| (K::KIND, entry))
    }
    let layers = of::<AnyLayer<f32>>(registry).chain(of::<AnyMerge<f32>>(registry));
    let parts = of::<AnyActivation<f32>>(registry).chain(of::<AnyRecurrent<f32>>(registry));
    layers.chain(parts).chain(of::<Init>(registry)).collect()
}

fn layer(text: &str) -> Result<Description, DescriptionError> {
    let built: AnyLayer<f32> = registry::<f32>().build(&text.parse()?)?;
    Ok(Layer::description(&built))
}

fn init(text: &str) -> Result<Description, DescriptionError> {
    let built: Init = registry::<f32>().build(&text.parse()?)?;
    Ok(Kind::description(&built))
}

#[test]
fn a_name_is_one_thing() {
    let registry = registry::<f32>();
    let entries = entries(&registry);
    for (index, (kind, entry)) in entries.iter().enumerate() {
        for name in entry.names() {
            let others = entries[index + 1..].iter().filter(|(other, _)| other == kind);
            let other = others.map(|(_, other)| other).find(|other| other.is_named(name));
            assert!(other.is_none(), "{kind} {name}: {} and {}", entry.name, other.unwrap().name);
        }
        for (index, setting) in entry.settings.iter().enumerate() {
            // In JSON it is that of the thing.
            assert!(!setting.is_named("name"), "{}", entry.name);
            for name in setting.names() {
                assert_eq!(entry.setting(name), Some(index), "{}.{name}", entry.name);
            }
        }
    }
}

#[test]
fn every_entry_says_what_it_is() {
    let registry = registry::<f32>();
    for (_, entry) in entries(&registry) {
        let Entry { name, summary, settings, presets, .. } = entry;
        assert!(summary.ends_with(['.', '`']) && !summary.contains('\n'), "{name}: {summary}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
        for setting in *settings {
            assert!(setting.summary.ends_with('.'), "{name}.{}: {}", setting.name, setting.summary);
            let default = setting.default.map(|text| text.parse::<Value>().unwrap());
            let number = default.and_then(|value| value.as_f64());
            assert!(number.is_none_or(|n| setting.range.contains(n)), "{name}.{}", setting.name);
        }
        for preset in *presets {
            for (setting, text) in preset.settings {
                let setting = &settings[entry.setting(setting).expect("a preset of settings that there are")];
                let number = text.parse::<Value>().unwrap().as_f64();
                assert!(number.is_none_or(|n| setting.range.contains(n)), "{name}.{}", preset.name);
            }
        }
    }
}

#[test]
fn defaults_build_what_describes_itself_by_all_settings() {
    let registry = registry::<f32>();
    // Upsampling needs one of two settings.
    let needs_nothing = |entry: &Entry| entry.settings.iter().all(|setting| setting.default.is_some());
    let is_complete = |entry: &Entry| needs_nothing(entry) && entry.setting("to_size").is_none();
    let mut built = 0;
    for entry in registry.entries::<AnyLayer<f32>>().filter(|entry| is_complete(entry)) {
        let description = layer(entry.name).unwrap();
        built += 1;
        // A named gate describes itself as the gated unit that it is.
        if same_name(entry.name, &description.name) {
            assert_eq!(description.settings.len(), entry.settings.len(), "{}", entry.name);
        }
        for preset in entry.presets {
            layer(&format!("{}.{}", entry.name, preset.name)).unwrap();
        }
    }
    for entry in registry.entries::<Init>().filter(|entry| is_complete(entry)) {
        assert_eq!(init(entry.name).unwrap().settings.len(), entry.settings.len(), "{}", entry.name);
        built += 1;
    }
    assert!(built > 70, "{built}");
}

#[test]
fn the_names_of_pytorch_and_keras() {
    for (typed, own) in [
        ("Linear(3)", "dense(3)"),
        ("Dense(units=3, use_bias=false)", "dense(3, bias=false)"),
        ("Conv2d(out_channels=3, kernel_size=5, stride=2)", "conv2d(3, 5, stride=2)"),
        ("Conv2D(filters=3, kernel_size=[5, 3], strides=2)", "conv2d(3, [5, 3], stride=[2, 2])"),
        ("Conv2DTranspose(3, 2)", "conv_transpose2d(3, 2)"),
        ("MaxPooling2D(pool_size=2)", "max_pool2d(2)"),
        ("GlobalAveragePooling2D", "global_avg_pool"),
        ("LPPool1d(norm_type=2, kernel_size=3)", "lp_pool1d(2, 3)"),
        ("BatchNormalization", "batch_norm"),
        ("BatchNorm2d(eps=0.001)", "batch_norm(epsilon=0.001)"),
        ("LayerNorm(elementwise_affine=false)", "layer_norm(affine=false)"),
        ("GroupNorm(num_groups=2)", "group_norm(2)"),
        ("Dropout(rate=0.25)", "dropout(0.25)"),
        ("LeakyReLU(alpha=0.1)", "leaky_relu(0.1)"),
        ("SiLU", "swish"),
        ("LSTM(hidden_size=3, return_sequences=true)", "lstm(3, sequences=true)"),
        ("SimpleRNN(3, activation=ReLU)", "rnn(3, relu)"),
        ("Bidirectional(GRU(3), merge_mode=ave)", "bidirectional(gru(3), merge=average)"),
        ("Embedding(num_embeddings=9, embedding_dim=2)", "embedding(9, 2)"),
        ("TransformerEncoderLayer(nhead=2, dim_feedforward=8)", "transformer_encoder(2, 8)"),
        ("ZeroPad2d(padding=1)", "zero_padding2d([[1, 1], [1, 1]])"),
        ("Unfold(3)", "unfold2d(3)"),
        ("dense(2, kernel_initializer=KaimingNormal)", "dense(2, weight_init=he_normal)"),
    ] {
        assert_eq!(layer(typed).unwrap(), layer(own).unwrap(), "{typed}");
    }
}

#[test]
fn presets_are_the_constructors_of_that_name() {
    let of = |layer: AnyLayer<f32>| Layer::description(&layer);
    for (text, right) in [
        ("dense.keras(5)", AnyLayer::new(Dense::keras(5))),
        ("conv2d.keras(3, 5)", AnyLayer::new(Conv2d::keras(3, 5))),
        ("conv_transpose1d.keras(3, 5)", AnyLayer::new(ConvTranspose1d::keras(3, 5))),
        ("depthwise_conv2d.keras(3)", AnyLayer::new(DepthwiseConv2d::keras(3))),
        ("separable_conv2d.keras(4, 3)", AnyLayer::new(SeparableConv2d::keras(4, 3))),
        ("lstm.keras(3)", AnyLayer::new(Lstm::keras(3))),
        ("gru.keras(3)", AnyLayer::new(Gru::keras(3))),
        ("rnn.keras(3)", AnyLayer::new(Rnn::keras(3))),
        ("rnn(3)", AnyLayer::new(Rnn::new(3))),
        ("batch_norm.keras", AnyLayer::new(BatchNorm::keras())),
        ("layer_norm.keras", AnyLayer::new(LayerNorm::keras())),
        ("rms_norm.keras", AnyLayer::new(RmsNorm::keras())),
        ("group_norm.keras(4)", AnyLayer::new(GroupNorm::keras(4))),
        ("embedding.keras(9, 2)", AnyLayer::new(Embedding::keras(9, 2))),
        ("prelu.keras", AnyLayer::new(Prelu::keras())),
        ("leaky_relu.keras", AnyLayer::new(LeakyRelu::keras())),
    ] {
        assert_eq!(layer(text).unwrap(), of(right), "{text}");
    }
    for (text, right) in [
        ("uniform.keras", Arc::new(init::Uniform::keras()) as Init),
        ("normal.keras", Arc::new(init::Normal::keras())),
        ("truncated_normal.keras", Arc::new(init::TruncatedNormal::keras(0.0, 0.05))),
        ("variance_scaling.keras(2)", Arc::new(init::VarianceScaling::keras(2.0))),
        ("Xavier_Uniform", Arc::new(init::GlorotUniform)),
    ] {
        assert_eq!(init(text).unwrap(), Kind::description(&right), "{text}");
    }
}

#[test]
fn what_cannot_be_built() {
    for (text, error) in [
        ("dens(3)", "there is no layer named `dens`; the nearest name is `dense`"),
        ("dense(0)", "dense.units is 0, but must be at least 1"),
        (
            "rnn(3, softmax)",
            "rnn.activation is softmax, but must be an activation that acts on each value alone",
        ),
        ("rnn(3, dense(2))", "there is no activation named `dense`; the nearest name is `relu`"),
        ("gated(prelu)", "gated.gate is prelu, but must be an activation that acts on each value alone"),
        ("bidirectional(dense(3))", "there is no recurrent layer named `dense`; the nearest name is `rnn`"),
        (
            "bidirectional(gru(3), max)",
            "bidirectional.merge is max, but must be concat, sum, multiply or average",
        ),
        (
            "conv2d(3, 3, padding=full)",
            "conv2d.padding is full, but must be valid, same, or numbers of zeros",
        ),
        ("conv2d(3, [3, 3, 3])", "conv2d.kernel is [3, 3, 3], but must be a list of 2"),
        ("layer_norm(axes=last)", "layer_norm.axes is last, but must be a number of axes, or all"),
        ("prelu(shared=some)", "prelu.shared is some, but must be all, none, or the number of an axis"),
        (
            "up_sampling2d",
            "up_sampling2d is \"given no size\", but must be given either `factors` or `to_size`",
        ),
        (
            "up_sampling2d(2, to_size=[3, 4])",
            "up_sampling2d is \"given factors and a size\", but must be given either `factors` or `to_size`",
        ),
        ("embedding_bag(3, 2, min)", "embedding_bag.reduction is min, but must be sum or mean or max"),
        ("one_step(middle)", "one_step.step is middle, but must be first or last"),
        (
            "transformer_encoder(2, 3, attention=dense(3))",
            "transformer_encoder.attention is dense(3), but must be multi_head_attention with its settings",
        ),
        ("dropout(p=1)", "dropout.p is 1, but must be at least 0 and below 1"),
    ] {
        assert_eq!(layer(text).unwrap_err().to_string(), error, "{text}");
    }
}
