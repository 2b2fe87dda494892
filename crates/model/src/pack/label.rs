//! The package name of a model's WIT, kept where components conventionally carry one.

use std::borrow::Cow;

use wasm_encoder::{ComponentNameSection, ComponentSection, CustomSection};

/// Name and version of a package.
pub(super) struct Label {
    name: String,
    version: Option<String>,
}

/// The label of a core module with type information. A label decides nothing: without one there is none.
pub(super) fn of(module: &[u8]) -> Option<Label> {
    let (_, bindgen) = wit_component::metadata::decode(module).ok()?;
    // Decoding merges the module's world into one of the decoder's own, which stays nameless: the package is the other.
    let mut packages = bindgen
        .resolve
        .packages
        .iter()
        .map(|(_, package)| &package.name);
    let package =
        packages.find(|name| (name.namespace.as_str(), name.name.as_str()) != ("root", "root"))?;
    Some(Label {
        name: format!("{}:{}", package.namespace, package.name),
        version: package.version.as_ref().map(ToString::to_string),
    })
}

/// Appends the label to a component.
pub(super) fn write(mut component: Vec<u8>, label: Option<Label>) -> Vec<u8> {
    let Some(label) = label else {
        return component;
    };
    let mut names = ComponentNameSection::new();
    names.component(&label.name);
    names.append_to_component(&mut component);
    if let Some(version) = label.version {
        let section = CustomSection {
            name: Cow::Borrowed("version"),
            data: Cow::Owned(version.into_bytes()),
        };
        section.append_to_component(&mut component);
    }
    component
}
