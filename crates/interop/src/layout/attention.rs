//! PyTorch's attention: the projections of queries, keys and values in one matrix.

use chainrule_core::ParamEntry;

use super::leaf::{Leaf, one, transposed, transposed_columns};
use super::{Layout, Part, View};

/// The parameters of an attention, and what the names of its tensors begin with.
pub(super) struct Attention<'a> {
    pub(super) prefix: String,
    pub(super) query: &'a ParamEntry,
    pub(super) key_value: &'a ParamEntry,
    pub(super) out: &'a ParamEntry,
    /// The biases of the three.
    pub(super) biases: Option<[&'a ParamEntry; 3]>,
}

impl<'a> Attention<'a> {
    /// That of the parameters that a lookup finds by their names within the attention.
    pub(super) fn find(prefix: String, entry: impl Fn(&str) -> Option<&'a ParamEntry>) -> Option<Self> {
        let bias = |name: &str| entry(name);
        let biases = bias("query_bias").zip(bias("key_value_bias")).zip(bias("out_bias"));
        Some(Self {
            prefix,
            query: entry("query_weight")?,
            key_value: entry("key_value_weight")?,
            out: entry("out_weight")?,
            biases: biases.map(|((query, key_value), out)| [query, key_value, out]),
        })
    }

    /// The tensors, if PyTorch's module has such heads: of its features divided among them, for queries, keys and values alike.
    pub(super) fn layouts(&self) -> Option<Vec<Layout>> {
        let Self { prefix, query, key_value, out, biases } = self;
        let (&[features, units], &[memory, both]) = (&*query.shape, &*key_value.shape) else { return None };
        if units != features || both != 2 * features {
            return None;
        }
        let name = |name: &str| format!("{prefix}{name}");
        let query = transposed(query)?;
        let [keys, values] =
            [0..features, features..both].map(|columns| transposed_columns(key_value, columns));
        let mut layouts = if memory == features {
            vec![joined(name("in_proj_weight"), vec![query, keys?, values?])]
        } else {
            let names = ["q_proj_weight", "k_proj_weight", "v_proj_weight"];
            names.into_iter().zip([query, keys?, values?]).map(|(own, view)| one(name(own), view)).collect()
        };
        if let Some([query, key_value, _]) = biases {
            let views =
                [query, key_value].map(|bias| View::contiguous(bias.range.start, bias.shape.to_vec()));
            layouts.push(joined(name("in_proj_bias"), views.into()));
        }
        layouts.push(one(name("out_proj.weight"), transposed(out)?));
        if let Some([_, _, bias]) = biases {
            layouts.push(super::leaf::whole(bias, name("out_proj.bias")));
        }
        Some(layouts)
    }
}

/// These views one after the other, along their first axis.
fn joined(name: String, views: Vec<View>) -> Layout {
    let mut shape = views.first().map_or(Vec::new(), |view| view.shape.clone());
    if let Some(rows) = shape.first_mut() {
        *rows = views.iter().filter_map(|view| view.shape.first()).sum();
    }
    Layout { name, shape, parts: views.into_iter().map(Part::Values).collect() }
}

pub(super) fn attention(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    Attention::find(leaf.prefix.to_owned(), |name| leaf.entry(name))?.layouts()
}
