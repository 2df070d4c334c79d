//! Substitution of whole configurations.

use serde_json::Value;

use super::{VariableError, Variables};
use crate::{
    command::LifecycleCommand, config::DevContainer, layer::Layer, merged::Merged, mount::Mount, properties::Properties,
};

/// Something that can contain variables.
pub trait Substitute: Sized {
    /// The same thing with what `variables` knows filled in.
    ///
    /// # Errors
    /// See [`VariableError`].
    fn substitute(&self, variables: &Variables) -> Result<Self, VariableError>;
}

impl Substitute for Properties {
    fn substitute(&self, variables: &Variables) -> Result<Self, VariableError> {
        match variables.value(&Value::Object(self.0.clone()))? {
            Value::Object(map) => Ok(Self(map)),
            _ => Ok(self.clone()),
        }
    }
}

impl Substitute for DevContainer {
    fn substitute(&self, variables: &Variables) -> Result<Self, VariableError> {
        Ok(Self { file: self.file.clone(), properties: self.properties.substitute(variables)? })
    }
}

impl Substitute for Layer {
    fn substitute(&self, variables: &Variables) -> Result<Self, VariableError> {
        Ok(Self { origin: self.origin.clone(), properties: self.properties.substitute(variables)? })
    }
}

impl<T: Substitute> Substitute for Vec<T> {
    fn substitute(&self, variables: &Variables) -> Result<Self, VariableError> {
        self.iter().map(|one| one.substitute(variables)).collect()
    }
}

impl Substitute for LifecycleCommand {
    fn substitute(&self, variables: &Variables) -> Result<Self, VariableError> {
        let value = serde_json::to_value(self).unwrap_or_default();
        let value = variables.value(&value)?;
        Ok(serde_json::from_value(value).unwrap_or_else(|_| self.clone()))
    }
}

impl Substitute for Merged {
    fn substitute(&self, variables: &Variables) -> Result<Self, VariableError> {
        let mut commands = self.commands.clone();
        for (_, command) in commands.values_mut().flatten() {
            *command = command.substitute(variables)?;
        }
        let mut mounts = Vec::new();
        for mount in &self.mounts {
            // A mount whose target became empty cannot be made; its neighbours can.
            mounts.extend(Mount::from_json(&variables.value(mount.written())?).ok());
        }
        // Paths and references of origins are no text of the configuration.
        let mut plain = self.clone();
        plain.commands.clear();
        plain.because.clear();
        plain.mounts.clear();
        let value = serde_json::to_value(&plain).unwrap_or_default();
        let mut done: Self = serde_json::from_value(variables.value(&value)?).unwrap_or(plain);
        done.commands = commands;
        done.mounts = mounts;
        done.because.clone_from(&self.because);
        Ok(done)
    }
}
