//! PyTorch's blocks of transformers, whose parameters are named by their parts.

use chainrule_core::ParamEntry;

use super::Layout;
use super::attention::Attention;
use super::leaf::{Leaf, one, transposed, whole};

/// The parameters of a block in their order, taken part by part.
struct Parts<'a> {
    leaf: &'a Leaf<'a>,
    rest: &'a [(&'a str, &'a ParamEntry)],
    layouts: Vec<Layout>,
}

impl<'a> Parts<'a> {
    fn new(leaf: &'a Leaf<'a>) -> Self {
        Self { leaf, rest: &leaf.entries, layouts: Vec::new() }
    }

    fn take(&mut self, count: usize) -> Option<&'a [(&'a str, &'a ParamEntry)]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn norm(&mut self, name: &str) -> Option<()> {
        for (own, entry) in self.take(2)? {
            let own = own.rsplit('.').next()?;
            self.layouts.push(whole(entry, self.leaf.name(&format!("{name}.{own}"))));
        }
        Some(())
    }

    fn attention(&mut self, name: &str) -> Option<()> {
        let with_bias = self.rest.get(1)?.0.ends_with("query_bias");
        let own = self.take(if with_bias { 6 } else { 3 })?;
        let entry =
            |name: &str| own.iter().find(|(own, _)| own.rsplit('.').next() == Some(name)).map(|own| own.1);
        self.layouts.extend(Attention::find(self.leaf.name(&format!("{name}.")), entry)?.layouts()?);
        Some(())
    }

    fn dense(&mut self, name: &str) -> Option<()> {
        let (weight, bias) = (self.take(1)?[0].1, self.take(1)?[0].1);
        self.layouts.push(one(self.leaf.name(&format!("{name}.weight")), transposed(weight)?));
        self.layouts.push(whole(bias, self.leaf.name(&format!("{name}.bias"))));
        Some(())
    }

    /// The two dense layers, before this many more parameters. Those of an activation, between them, stay as they are.
    fn feedforward(&mut self, after: usize) -> Option<()> {
        self.dense("linear1")?;
        let of_activation = self.rest.len().checked_sub(after + 2)?;
        for (own, entry) in self.take(of_activation)? {
            let own = own.rsplit('.').next()?;
            self.layouts.push(whole(entry, self.leaf.name(&format!("activation.{own}"))));
        }
        self.dense("linear2")
    }

    fn finish(self) -> Option<Vec<Layout>> {
        self.rest.is_empty().then_some(self.layouts)
    }
}

pub(super) fn encoder(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    let mut parts = Parts::new(leaf);
    if leaf.flag("pre_norm") {
        parts.norm("norm1")?;
        parts.attention("self_attn")?;
        parts.norm("norm2")?;
        parts.feedforward(0)?;
    } else {
        parts.attention("self_attn")?;
        parts.norm("norm1")?;
        parts.feedforward(2)?;
        parts.norm("norm2")?;
    }
    parts.finish()
}

pub(super) fn decoder(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    let mut parts = Parts::new(leaf);
    if leaf.flag("pre_norm") {
        parts.norm("norm1")?;
        parts.attention("self_attn")?;
        parts.norm("norm2")?;
        parts.attention("multihead_attn")?;
        parts.norm("norm3")?;
        parts.feedforward(0)?;
    } else {
        parts.attention("self_attn")?;
        parts.norm("norm1")?;
        parts.attention("multihead_attn")?;
        parts.norm("norm2")?;
        parts.feedforward(2)?;
        parts.norm("norm3")?;
    }
    parts.finish()
}
