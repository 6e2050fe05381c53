//! TOML as a tree with places, walked by hand and not through serde, because serde stops at the first
//! fault and forgets where a value stood.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::fault::{Fault, Faults, Place};
use crate::suggest;

/// A value and where it stands in the file.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// A string and where it stands, quotes included.
pub(crate) type Text = Placed<String>;

/// A value of the tree.
pub(crate) type Node<'a, 'i> = &'a Spanned<DeValue<'i>>;

/// The tree of a file; `None` where it is not TOML. Faults go to `faults`.
pub(crate) fn parse<'i>(text: &'i str, faults: &mut Faults) -> Option<Spanned<DeTable<'i>>> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    // What stands behind the first fault is taken for what it is not, so the others would mislead.
    let start = |error: &&toml::de::Error| error.span().map_or(0, |span| span.start);
    if let Some(error) = errors.iter().min_by_key(start) {
        let fault = Fault::Syntax { message: error.message().trim().replace('\n', "; ") };
        let help = "See https://toml.io for the syntax; the files that come with Tidewatch are \
                    examples of the format.";
        faults.add(error.span().unwrap_or(0..0), fault, help);
    }
    errors.is_empty().then_some(tree)
}

/// The fields of a table by their place: the tree sorts them by name.
pub(crate) fn in_file_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(&'a Spanned<std::borrow::Cow<'i, str>>, Node<'a, 'i>)> {
    let mut fields: Vec<_> = table.iter().collect();
    fields.sort_by_key(|(name, _)| name.span().start);
    fields
}

pub(crate) fn string(field: &str, node: Node<'_, '_>, faults: &mut Faults) -> Option<Text> {
    match node.get_ref().as_str() {
        Some(text) => Some(Placed { value: text.to_owned(), place: node.span() }),
        None => {
            wrong_type(field, "a string", node, faults);
            None
        }
    }
}

pub(crate) fn strings(
    field: &str,
    node: Node<'_, '_>,
    faults: &mut Faults,
) -> Option<Placed<Vec<Text>>> {
    let Some(array) = node.get_ref().as_array() else {
        wrong_type(field, "a list of strings", node, faults);
        return None;
    };
    let value = array.iter().filter_map(|item| string(field, item, faults)).collect::<Vec<_>>();
    // A list that lost an item to a fault must not look like a shorter, perhaps empty one.
    (value.len() == array.len()).then(|| Placed { value, place: node.span() })
}

pub(crate) fn one_or_more(
    field: &str,
    node: Node<'_, '_>,
    faults: &mut Faults,
) -> Option<Placed<Vec<Text>>> {
    if node.get_ref().is_str() {
        let value = string(field, node, faults).into_iter().collect();
        return Some(Placed { value, place: node.span() });
    }
    strings(field, node, faults)
}

pub(crate) fn table<'a, 'i>(
    field: &str,
    node: Node<'a, 'i>,
    faults: &mut Faults,
) -> Option<&'a DeTable<'i>> {
    let table = node.get_ref().as_table();
    if table.is_none() {
        wrong_type(field, "a table", node, faults);
    }
    table
}

pub(crate) fn wrong_type(
    field: &str,
    expected: &'static str,
    node: Node<'_, '_>,
    faults: &mut Faults,
) {
    let found = node.get_ref().type_str();
    let help = match (expected, found) {
        ("a string", "integer" | "float" | "boolean") => {
            format!("Put it in quotes: `{field} = \"…\"`.")
        }
        ("a list of strings", "string") => format!("Put it in brackets: `{field} = [\"…\"]`."),
        ("a table", _) => format!("Write `{field} = {{ … }}` or head it [{field}]."),
        ("true or false", _) => format!("Write `{field} = true` or `{field} = false`, unquoted."),
        _ => format!("Make `{field}` {expected}."),
    };
    let fault = Fault::WrongType { field: field.to_owned(), expected, found };
    faults.add(node.span(), fault, help);
}

pub(crate) fn unknown_field(
    place: Place,
    field: &str,
    of: &'static str,
    allowed: &[&str],
    faults: &mut Faults,
) {
    let help = suggest::help(field, "Allowed fields", allowed);
    let meant = suggest::nearest(field, allowed).map(str::to_owned);
    faults.add(place, Fault::UnknownField { field: field.to_owned(), of, meant }, help);
}
