//! Items as DynamoDB's answers hold them, read into core's.
//!
//! An attribute we do not know is a newer version's and is passed over; one that we know in a type
//! that we never write is a fault that names it. Nothing here panics, whatever is in the table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use tidewatch_core::table_store::table::{Attribute, Item, ItemKey, Part};

use crate::schema;

/// What DynamoDB calls an item.
pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// An attribute of ours in a form that is not ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("attribute `{attribute}` of an item is {found}, not {wanted}: another program wrote it")]
pub(crate) struct WrongType {
    attribute: String,
    found: &'static str,
    wanted: &'static str,
}

/// The key of `item` as DynamoDB wants it.
pub(crate) fn key(item: &ItemKey) -> Attributes {
    HashMap::from([
        (schema::KEY.to_owned(), binary(item.key.clone())),
        (schema::PART.to_owned(), binary(item.part.bytes())),
    ])
}

/// Bytes as a value.
pub(crate) fn binary(bytes: Vec<u8>) -> AttributeValue {
    AttributeValue::B(bytes.into())
}

/// Reads an item's values and its version; an item without one was not written by us and has 0.
pub(crate) fn read(attributes: Attributes) -> Result<Item, WrongType> {
    let mut item = Item::default();
    for (name, value) in attributes {
        if name == schema::VERSION {
            item.version = version(&value)?;
        } else if let Some(attribute) = Attribute::from_name(&name) {
            item.values.insert(attribute, bytes(&name, value)?);
        }
    }
    Ok(item)
}

/// The part an item is; `None` for one of a newer version.
pub(crate) fn part(attributes: &mut Attributes) -> Result<Option<Part>, WrongType> {
    Ok(Part::from_bytes(&key_bytes(attributes, schema::PART)?))
}

/// The key an index entry stands for; `None` for an item of a newer version.
pub(crate) fn item_key(mut attributes: Attributes) -> Result<Option<ItemKey>, WrongType> {
    let key = key_bytes(&mut attributes, schema::KEY)?;
    Ok(part(&mut attributes)?.map(|part| ItemKey { key, part }))
}

fn key_bytes(attributes: &mut Attributes, name: &str) -> Result<Vec<u8>, WrongType> {
    let absent = || WrongType { attribute: name.to_owned(), found: "absent", wanted: "binary (B)" };
    bytes(name, attributes.remove(name).ok_or_else(absent)?)
}

fn bytes(name: &str, value: AttributeValue) -> Result<Vec<u8>, WrongType> {
    match value {
        AttributeValue::B(blob) => Ok(blob.into_inner()),
        other => {
            Err(WrongType { attribute: name.to_owned(), found: kind(&other), wanted: "binary (B)" })
        }
    }
}

fn version(value: &AttributeValue) -> Result<u64, WrongType> {
    let wrong = |found| WrongType {
        attribute: schema::VERSION.to_owned(),
        found,
        wanted: "a whole number (N)",
    };
    match value {
        AttributeValue::N(digits) => digits.parse().map_err(|_| wrong("another number (N)")),
        other => Err(wrong(kind(other))),
    }
}

/// A value's type in DynamoDB's own words
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html>).
fn kind(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::B(_) => "binary (B)",
        AttributeValue::Bool(_) => "boolean (BOOL)",
        AttributeValue::Bs(_) => "a binary set (BS)",
        AttributeValue::L(_) => "a list (L)",
        AttributeValue::M(_) => "a map (M)",
        AttributeValue::N(_) => "a number (N)",
        AttributeValue::Ns(_) => "a number set (NS)",
        AttributeValue::Null(_) => "null (NULL)",
        AttributeValue::S(_) => "a string (S)",
        AttributeValue::Ss(_) => "a string set (SS)",
        _ => "of a type unknown to this version",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tidewatch_core::sequence::ShardId;

    use super::*;

    fn attributes(values: &[(&str, AttributeValue)]) -> Attributes {
        values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn number(digits: &str) -> AttributeValue {
        AttributeValue::N(digits.to_owned())
    }

    #[test]
    fn what_a_newer_version_wrote_is_passed_over() {
        let stored = attributes(&[
            ("k", binary(vec![7])),
            ("r", binary(vec![0])),
            ("s3", binary(vec![1])),
            ("s03", number("4")),
            ("zz", AttributeValue::Null(true)),
            ("v", number("9")),
            ("t", AttributeValue::S("later".to_owned())),
        ]);
        let values = BTreeMap::from([(Attribute::Share(ShardId(3)), vec![1])]);
        assert_eq!(read(stored), Ok(Item { values, version: 9 }));
        assert_eq!(part(&mut attributes(&[("r", binary(vec![9]))])), Ok(None));
        let newer = attributes(&[("k", binary(vec![7])), ("r", binary(vec![9, 9]))]);
        assert_eq!(item_key(newer), Ok(None));
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named() {
        let cases = [
            ("o", AttributeValue::S("x".to_owned()), "attribute `o` of an item is a string (S)"),
            ("s12", number("1"), "attribute `s12` of an item is a number (N)"),
            ("h0", AttributeValue::L(Vec::new()), "attribute `h0` of an item is a list (L)"),
            ("v", binary(vec![1]), "attribute `v` of an item is binary (B)"),
            ("v", number("1.5"), "attribute `v` of an item is another number (N)"),
            ("v", number("-1"), "attribute `v` of an item is another number (N)"),
        ];
        for (name, value, says) in cases {
            let message = read(attributes(&[(name, value)])).unwrap_err().to_string();
            assert!(message.starts_with(says), "{message}");
        }
        let message = part(&mut Attributes::new()).unwrap_err().to_string();
        assert!(message.starts_with("attribute `r` of an item is absent"), "{message}");
    }
}
