//! Preparations as texts and files.

use std::path::Path;

use chainrule_core::{Description, Kind, Registry};
use chainrule_data::output;

use super::{Preparation, PreparationError};
use crate::transform::register_transforms;

impl Kind for Preparation {
    const KIND: &'static str = "preparation";
    const KINDS: &'static str = "preparations";

    fn description(&self) -> Description {
        chainrule_core::Described::describe(self)
    }
}

impl Preparation {
    /// The preparation with this text, whose transforms are those of this crate.
    ///
    /// # Errors
    ///
    /// [`PreparationError::Description`] if it is none.
    pub fn from_text(text: &str) -> Result<Self, PreparationError> {
        let mut registry = Registry::new();
        register_transforms(&mut registry);
        Self::from_description(&text.parse()?, &mut registry)
    }

    /// The preparation with this description, whose transforms are those of a registry, so also a program's own.
    ///
    /// # Errors
    ///
    /// [`PreparationError::Description`] if it is none.
    pub fn from_description(
        description: &Description,
        registry: &mut Registry,
    ) -> Result<Self, PreparationError> {
        registry.add::<Self, Self>(|preparation| preparation);
        Ok(registry.build(description)?)
    }

    /// Writes it to a file, whole or not at all, as text.
    ///
    /// # Errors
    ///
    /// [`PreparationError::Io`] with what the system says.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), PreparationError> {
        let path = path.as_ref();
        let written = output::write(path, |file| file.write_all(format!("{self}\n").as_bytes()));
        written.map_err(|source| PreparationError::Io { action: "write", path: path.to_owned(), source })
    }

    /// Reads it from a file that [`save`](Self::save) has written.
    ///
    /// # Errors
    ///
    /// [`PreparationError`] if the file cannot be read or holds none.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, PreparationError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path);
        let text =
            text.map_err(|source| PreparationError::Io { action: "read", path: path.to_owned(), source })?;
        Self::from_text(&text)
    }
}
