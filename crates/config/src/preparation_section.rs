//! The section `preparation`: how the columns of a table become numbers.

use std::sync::Arc;

use chainrule::core::{Description, Registry};
use chainrule::tables::ColumnRoles;
use chainrule::tables::transform::Transform;

use crate::error::ConfigError;
use crate::location::Located;
use crate::node::{ConfigNode, ConfigValue};
use crate::section::ConfigSection;

/// How the columns of a table become numbers.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PreparationSection {
    /// The transform of numbers.
    pub numbers: Option<Located<Description>>,
    /// That of columns of yes and no.
    pub booleans: Option<Located<Description>>,
    /// That of dates.
    pub dates: Option<Located<Description>>,
    /// That of categories.
    pub categories: Option<Located<Description>>,
    /// Columns with a transform of their own.
    pub columns: Vec<(Vec<Located<String>>, Located<Description>)>,
}

impl PreparationSection {
    pub(crate) fn of_node(node: &ConfigNode) -> Result<Self, ConfigError> {
        let known = &["numbers", "booleans", "dates", "categories", "columns"];
        let section = ConfigSection::new("preparation", node, known)?;
        let mut columns = Vec::new();
        if let Some(node) = section.get("columns") {
            let ConfigValue::List(groups) = &node.value else {
                return Err(node
                    .wrong("preparation.columns", "tables, each below a line with [[preparation.columns]]"));
            };
            for group in groups {
                let group = ConfigSection::new("preparation.columns", group, &["of", "transform"])?;
                let of = group.texts("of")?;
                if of.is_empty() {
                    return Err(group.missing("of", "the names of the columns"));
                }
                let transform = group.description("transform")?;
                let what = "a transform, such as \"hashing(64)\"";
                columns.push((of, transform.ok_or_else(|| group.missing("transform", what))?));
            }
        }
        Ok(Self {
            numbers: section.description("numbers")?,
            booleans: section.description("booleans")?,
            dates: section.description("dates")?,
            categories: section.description("categories")?,
            columns,
        })
    }

    /// The transforms with the keys that give them.
    pub(crate) fn transforms(&self) -> impl Iterator<Item = (&'static str, &Located<Description>)> {
        let kinds = [
            ("preparation.numbers", &self.numbers),
            ("preparation.booleans", &self.booleans),
            ("preparation.dates", &self.dates),
            ("preparation.categories", &self.categories),
        ];
        let of_kinds = kinds.into_iter().filter_map(|(key, transform)| Some((key, transform.as_ref()?)));
        of_kinds.chain(self.columns.iter().map(|(_, transform)| ("preparation.columns", transform)))
    }

    /// The roles with these transforms.
    pub(crate) fn roles(&self, registry: &Registry) -> Result<ColumnRoles, ConfigError> {
        let build = |described: &Located<Description>| -> Result<Arc<dyn Transform>, ConfigError> {
            registry.build(&described.value).map_err(|source| {
                let (at, key) = (described.at.clone(), "preparation".to_owned());
                ConfigError::Description { at, key, source: Box::new(source) }
            })
        };
        let mut roles = ColumnRoles::new();
        if let Some(numbers) = &self.numbers {
            roles = roles.numbers(build(numbers)?);
        }
        if let Some(booleans) = &self.booleans {
            roles = roles.booleans(build(booleans)?);
        }
        if let Some(dates) = &self.dates {
            roles = roles.dates(build(dates)?);
        }
        if let Some(categories) = &self.categories {
            roles = roles.categories(build(categories)?);
        }
        for (columns, transform) in &self.columns {
            roles = roles.columns(columns.iter().map(|column| column.value.clone()), build(transform)?);
        }
        Ok(roles)
    }
}
