//! The blocks of transformers: the layers that they are made of, at the paths that these have in the plan.

use chainrule_core::{Description, Value};

use super::attention::without_padding;
use super::operators::{Emitted, layer};
use super::writer::{Signal, Writer};
use crate::site::Site;

/// A norm with the default settings.
fn norm() -> Description {
    Description::new("layer_norm")
        .with("axes", 1usize)
        .with("epsilon", 1e-5)
        .with("affine", true)
        .with("bias", true)
}

/// The attention of a block.
fn attention(site: &Site, setting: &str, causal: bool) -> Result<Description, String> {
    let description = if site.has(setting) {
        site.described(setting)?
    } else {
        let own = Description::new("multi_head_attention").with("heads", site.count("heads")?);
        own.with("bias", true).with("causal", false).with("masked", false).with("alibi", false)
    };
    // The block says whether it is causal and masked; an attention of its own may be so as well.
    let own = site.inner("", description);
    let [causal, masked] = [causal || own.flag("causal")?, site.flag("masked")? || own.flag("masked")?];
    let mut description = own.description;
    for (name, value) in &mut description.settings {
        match &**name {
            "causal" => *value = Value::Bool(causal),
            "masked" => *value = Value::Bool(masked),
            _ => {}
        }
    }
    Ok(description)
}

/// The settings of a block, and the site of its inner layers.
struct Block<'a> {
    site: &'a Site,
    pre_norm: bool,
    masked: bool,
    dropout: bool,
}

impl<'a> Block<'a> {
    fn of(site: &'a Site) -> Result<Self, String> {
        let [pre_norm, masked] = [site.flag("pre_norm")?, site.flag("masked")?];
        Ok(Self { site, pre_norm, masked, dropout: site.number("dropout")? != 0.0 })
    }

    /// `norm(x + f(x))`, or `x + f(norm(x))`, for an `f` of layers one after the other, whose residual is the layer `index` there.
    fn residual(
        &self,
        writer: &mut Writer<'_>,
        within: &Site,
        index: usize,
        x: &Signal,
        f: impl FnOnce(&mut Writer<'_>, &Site, usize, &Signal) -> Emitted,
    ) -> Emitted {
        let inside = within.inner(&format!("{index}.residual"), Description::new("sequential"));
        let branch = if self.pre_norm {
            let normed = layer(writer, &inside.inner("0", norm()), std::slice::from_ref(x))?;
            f(writer, &inside, 1, &normed)?
        } else {
            f(writer, &inside, 0, x)?
        };
        writer.path.clone_from(&within.path);
        let sum = writer.like(x, "Add", &[&x.name, &branch.name], vec![]);
        if self.pre_norm {
            return Ok(sum);
        }
        layer(writer, &within.inner(&(index + 1).to_string(), norm()), &[sum])
    }

    /// Self-attention with its residual, whose layers begin at `index` there.
    fn attend(&self, writer: &mut Writer<'_>, within: &Site, index: usize, x: &Signal) -> Emitted {
        let attention = attention(self.site, "attention", self.site.flag("causal")?)?;
        let masked = self.masked;
        self.residual(writer, within, index, x, |writer, inside, first, normed| {
            // The norm before an attention keeps padding at zero.
            writer.path.clone_from(&inside.path);
            let input =
                if masked && first == 1 { without_padding(writer, x, normed) } else { normed.clone() };
            layer(writer, &inside.inner(&first.to_string(), attention), &[input])
        })
    }

    /// The two dense layers with their residual.
    fn feedforward(&self, writer: &mut Writer<'_>, within: &Site, index: usize, x: &Signal) -> Emitted {
        let activation = self.site.described("activation")?;
        let features = *x.shape.last().ok_or("it has no features")?;
        let dense = |units: usize| {
            let dense = Description::new("dense").with("units", units).with("bias", true);
            Description::new("time_distributed").with("layer", dense)
        };
        let hidden = dense(self.site.count("feedforward")?);
        let dropout = usize::from(self.dropout);
        self.residual(writer, within, index, x, |writer, inside, first, normed| {
            let at = |offset: usize, description| inside.inner(&(first + offset).to_string(), description);
            let h = layer(writer, &at(0, hidden), std::slice::from_ref(normed))?;
            let a = layer(writer, &at(1, activation), &[h])?;
            layer(writer, &at(2 + dropout, dense(features)), &[a])
        })
    }

    fn finish(&self, writer: &mut Writer<'_>, x: &Signal, y: Signal) -> Signal {
        writer.path.clone_from(&self.site.path);
        if self.masked { without_padding(writer, x, &y) } else { y }
    }
}

pub(super) fn encoder(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = super::containers::one(xs)?;
    let block = Block::of(site)?;
    let attended = block.attend(writer, site, 0, &x)?;
    let next = if block.pre_norm { 1 } else { 2 };
    let y = block.feedforward(writer, site, next, &attended)?;
    Ok(block.finish(writer, &x, y))
}

pub(super) fn decoder(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let [x, memory] = xs else { return Err("it has other than two inputs".into()) };
    let block = Block::of(site)?;
    let part = |name: &str| site.inner(name, Description::new("sequential"));
    let z = block.attend(writer, &part("self_attention"), 0, x)?;
    let mut queries = z.clone();
    if block.pre_norm {
        let within = part("norm");
        queries = layer(writer, &within.inner("0", norm()), std::slice::from_ref(&z))?;
        if block.masked {
            writer.path.clone_from(&within.path);
            queries = without_padding(writer, &z, &queries);
        }
    }
    let cross = site.inner("cross_attention", attention(site, "cross_attention", false)?);
    let crossed = layer(writer, &cross, &[queries, memory.clone()])?;
    writer.path.clone_from(&site.path);
    let mut u = writer.like(&z, "Add", &[&z.name, &crossed.name], vec![]);
    let within = part("feedforward");
    let next = if block.pre_norm { 0 } else { 1 };
    if !block.pre_norm {
        u = layer(writer, &within.inner("0", norm()), &[u])?;
    }
    let y = block.feedforward(writer, &within, next, &u)?;
    Ok(block.finish(writer, x, y))
}
