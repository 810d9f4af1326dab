//! What the columns of a table are for.

use std::sync::Arc;

use super::{ColumnGroup, Preparation, PreparationError, TargetColumn};
use crate::column::{ColumnData, ColumnKind, TableColumn};
use crate::table::Table;
use crate::transform::{Feature, Features, Impute, OneHot, Standardise, Transform, categories_of};

/// What the columns of a table are for: targets, features with their transforms, or nothing. What is not said is found out.
///
/// Without being told, numbers, dates and booleans have missing values replaced, numbers by the median with a column that says where,
/// and are standardised; categories become one column each; identifiers, constant columns and free texts are left out.
///
/// ```
/// use chainrule_tables::ColumnRoles;
/// use chainrule_tables::transform::{Hashing, Impute, Log, Standardise, Transform};
/// let roles = ColumnRoles::new()
///     .target("price")
///     .ignore(["advert"])
///     .columns(["area"], Log::default().then(Standardise::default()))
///     .columns(["street"], Hashing::new(64))
///     .numbers(Impute::mean().then(Standardise::default()));
/// ```
#[derive(Clone, Debug)]
pub struct ColumnRoles {
    targets: Vec<(String, bool)>,
    ignored: Vec<String>,
    own: Vec<(Vec<String>, Arc<dyn Transform>)>,
    numbers: Arc<dyn Transform>,
    booleans: Arc<dyn Transform>,
    dates: Arc<dyn Transform>,
    categories: Arc<dyn Transform>,
}

impl Default for ColumnRoles {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            ignored: Vec::new(),
            own: Vec::new(),
            numbers: Arc::new(Impute::median().indicator().then(Standardise::default())),
            booleans: Arc::new(Impute::most_frequent()),
            dates: Arc::new(Impute::median().then(Standardise::default())),
            categories: Arc::new(OneHot::default()),
        }
    }
}

impl ColumnRoles {
    /// All columns are features, as far as they can be.
    pub fn new() -> Self {
        Self::default()
    }

    /// A target; called again, another one. Categories and booleans are classes, numbers and dates are numbers.
    #[must_use]
    pub fn target(mut self, column: impl Into<String>) -> Self {
        self.targets.push((column.into(), false));
        self
    }

    /// A target whose values are classes, also if they are numbers.
    #[must_use]
    pub fn class_target(mut self, column: impl Into<String>) -> Self {
        self.targets.push((column.into(), true));
        self
    }

    /// Columns that are left out.
    #[must_use]
    pub fn ignore<C: Into<String>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.ignored.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Columns with a transform of their own, together.
    #[must_use]
    pub fn columns<C: Into<String>>(
        mut self,
        columns: impl IntoIterator<Item = C>,
        transform: impl Transform + 'static,
    ) -> Self {
        self.own.push((columns.into_iter().map(Into::into).collect(), Arc::new(transform)));
        self
    }

    /// The transform of numbers that have none of their own.
    #[must_use]
    pub fn numbers(self, transform: impl Transform + 'static) -> Self {
        Self { numbers: Arc::new(transform), ..self }
    }

    /// The transform of booleans that have none of their own.
    #[must_use]
    pub fn booleans(self, transform: impl Transform + 'static) -> Self {
        Self { booleans: Arc::new(transform), ..self }
    }

    /// The transform of dates that have none of their own.
    #[must_use]
    pub fn dates(self, transform: impl Transform + 'static) -> Self {
        Self { dates: Arc::new(transform), ..self }
    }

    /// The transform of categories that have none of their own.
    #[must_use]
    pub fn categories(self, transform: impl Transform + 'static) -> Self {
        Self { categories: Arc::new(transform), ..self }
    }

    /// What these roles and their transforms are for this table. It should be that of the training: what is learnt from others would
    /// tell a model about them.
    ///
    /// # Errors
    ///
    /// [`PreparationError`] if a column does not exist or has two roles, or a transform cannot be fitted.
    pub fn fit(&self, table: &Table) -> Result<Preparation, PreparationError> {
        self.check(table)?;
        let mut groups = Vec::new();
        let mut left_out = Vec::new();
        let mut by_kind: [Vec<&TableColumn>; 4] = Default::default();
        for column in table.columns() {
            let name = &column.name;
            if self.targets.iter().any(|(target, _)| target == name)
                || self.own.iter().any(|(own, _)| own.contains(name))
            {
                continue;
            }
            let group = match column.kind {
                _ if self.ignored.contains(name) => None,
                ColumnKind::Number => Some(0),
                ColumnKind::Boolean => Some(1),
                ColumnKind::Date => Some(2),
                ColumnKind::Category => Some(3),
                _ => None,
            };
            match group {
                Some(group) => by_kind[group].push(column),
                None => left_out.push(name.clone()),
            }
        }
        let transforms = [&self.numbers, &self.booleans, &self.dates, &self.categories];
        for (columns, transform) in by_kind.iter().zip(transforms) {
            groups.extend(group(table, columns, transform)?);
        }
        for (names, transform) in &self.own {
            let columns: Result<Vec<&TableColumn>, _> = names.iter().map(|name| table.column(name)).collect();
            groups.extend(group(table, &columns?, transform)?);
        }
        if groups.is_empty() {
            return Err(PreparationError::NoFeatures { path: table.source().path.clone() });
        }
        let target = |(name, class): &(String, bool)| table.column(name).map(|column| target(column, *class));
        let targets = self.targets.iter().map(target).collect::<Result<_, _>>()?;
        let decimal_comma = table.columns().iter().any(|column| column.style.decimal_comma);
        Ok(Preparation { groups, targets, left_out, decimal_comma })
    }

    /// Whether all columns exist, and none has two roles.
    fn check(&self, table: &Table) -> Result<(), PreparationError> {
        let targets = self.targets.iter().map(|(name, _)| (name, "a target"));
        let ignored = self.ignored.iter().map(|name| (name, "left out"));
        let own = self
            .own
            .iter()
            .flat_map(|(names, _)| names)
            .map(|name| (name, "a feature with a transform of its own"));
        let mut seen: Vec<(&String, &'static str)> = Vec::new();
        for (name, role) in targets.chain(ignored).chain(own) {
            table.column(name)?;
            if let Some(&(_, first)) = seen.iter().find(|(known, _)| *known == name) {
                return Err(PreparationError::Roles { column: name.clone(), first, second: role });
            }
            seen.push((name, role));
        }
        Ok(())
    }
}

/// The group of these columns, fitted; nothing if there are none.
fn group(
    table: &Table,
    columns: &[&TableColumn],
    transform: &Arc<dyn Transform>,
) -> Result<Option<ColumnGroup>, PreparationError> {
    if columns.is_empty() {
        return Ok(None);
    }
    let features = columns.iter().map(|column| Feature::new(&column.name, column.data.clone())).collect();
    let transform =
        transform.fit(&Features::new(features)).map_err(|source| table.transform_error(source))?;
    Ok(Some(ColumnGroup {
        columns: columns.iter().map(|column| column.name.clone()).collect(),
        kinds: columns.iter().map(|column| readable_kind(column)).collect(),
        transform,
    }))
}

/// The kind that another file is told to read a column as.
fn readable_kind(column: &TableColumn) -> ColumnKind {
    match (column.kind, &column.data) {
        (_, ColumnData::Numbers(_)) if column.is_date => ColumnKind::Date,
        (ColumnKind::Constant | ColumnKind::Identifier, ColumnData::Numbers(_)) => ColumnKind::Number,
        (ColumnKind::Constant, ColumnData::Texts(_)) => ColumnKind::Category,
        (kind, _) => kind,
    }
}

fn target(column: &TableColumn, class: bool) -> TargetColumn {
    let is_class = class || column.texts().is_some() || column.kind == ColumnKind::Boolean;
    let classes = is_class.then(|| match &column.boolean_words {
        Some(words) => words.to_vec(),
        None => {
            let texts = Feature::new(&column.name, column.data.clone()).to_texts();
            categories_of(&texts).into_iter().flatten().collect()
        }
    });
    TargetColumn { column: column.name.clone(), kind: readable_kind(column), classes }
}
