//! The stack, as infra/template.yaml states it: what every role may do, that the linter has nothing to
//! say, that what the code rests on is so, and that it comes up in the local cloud.
//!
//! Not shown here, because no local cloud has it: that real AWS accepts the template, that its alarms
//! fire, that encryption works with these permissions and no fewer, that `sam delete` leaves nothing.

mod deployed;
mod linter;
mod permissions;
mod template;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;
use tidewatch_tests::binary::root;

/// The template with its defaults, translated once.
fn translated() -> &'static Value {
    static TRANSLATED: OnceLock<Value> = OnceLock::new();
    let translate =
        || tidewatch_tests::stack::translate(&root().join("infra/template.yaml"), &BTreeMap::new());
    TRANSLATED.get_or_init(translate)
}

/// All resources of type `kind`, by name.
fn all_of(kind: &str) -> impl Iterator<Item = (&'static String, &'static Value)> {
    let resources = translated()["Resources"].as_object().expect("resources");
    let of_kind = resources.iter().filter(move |(_, resource)| resource["Type"] == kind);
    of_kind.map(|(name, resource)| (name, &resource["Properties"]))
}

/// The properties of the resource `name`.
fn resource(name: &str) -> &'static Value {
    let properties = &translated()["Resources"][name]["Properties"];
    assert!(properties.is_object(), "no resource is called {name}");
    properties
}
