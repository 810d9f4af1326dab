//! The key `data.series`: rows of a table as steps in time.

use chainrule::data::WindowSize;

use crate::error::ConfigError;
use crate::location::Located;
use crate::node::ConfigNode;
use crate::section::ConfigSection;

/// How the rows of a table, which are steps in time, are cut into windows.
pub(crate) fn window_size(node: &ConfigNode) -> Result<Located<WindowSize>, ConfigError> {
    let section = ConfigSection::new("data.series", node, &["steps", "horizon", "stride"])?;
    let steps = section.size("steps", 1)?;
    let steps =
        steps.ok_or_else(|| section.missing("steps", "the number of rows that are looked at, such as 24"))?;
    let value = WindowSize {
        steps,
        horizon: section.size("horizon", 1)?.unwrap_or(1),
        stride: section.size("stride", 1)?.unwrap_or(1),
    };
    Ok(Located { value, at: node.at.clone() })
}
