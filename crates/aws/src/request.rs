//! One write as DynamoDB's expressions
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html>).
//!
//! Every attribute goes by a placeholder, `#` and its own name, so no name is ever a reserved word and
//! a request reads as what it is. An expression may have 4 KB and 300 operators: enough for some 100
//! attributes in one write, and a write of the store has a handful.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use tidewatch_core::table_store::table::{FUNCTION_PARTITIONS, Indexing, Write};
use tidewatch_core::time::Time;

use crate::item::binary;
use crate::schema;

/// The parts of an UpdateItem request that say what to do and when.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Expressions {
    /// `SET … REMOVE … ADD …`.
    pub update: String,
    /// All terms must hold; `None` where there are none.
    pub condition: Option<String>,
    /// Placeholders of names.
    pub names: HashMap<String, String>,
    /// Placeholders of values.
    pub values: HashMap<String, AttributeValue>,
}

impl Expressions {
    /// What `write` asks for.
    ///
    /// # Panics
    /// If it names an index partition that does not exist, or sets or removes an attribute twice:
    /// DynamoDB refuses overlapping paths, and the local cloud of the tests does not.
    pub(crate) fn of(write: &Write) -> Expressions {
        let mut changed = BTreeSet::new();
        for attribute in write.set.iter().map(|(attribute, _)| attribute).chain(&write.removed) {
            assert!(changed.insert(attribute), "a write changes {attribute:?} twice");
        }
        let mut made = Expressions::default();
        made.update = made.update_of(write);
        let terms = made.condition_of(write);
        made.condition = (!terms.is_empty()).then(|| terms.join(" AND "));
        made
    }

    fn update_of(&mut self, write: &Write) -> String {
        let mut set = Vec::new();
        for (index, (attribute, bytes)) in write.set.iter().enumerate() {
            let value = self.value(format!(":n{index}"), binary(bytes.clone()));
            set.push(format!("{} = {value}", self.name(&attribute.name())));
        }
        let expires = self.value(":t".to_owned(), number(seconds(write.expires)));
        set.push(format!("{} = {expires}", self.name(schema::EXPIRES)));
        let mut removed: Vec<String> =
            write.removed.iter().map(|attribute| self.name(&attribute.name())).collect();
        match write.index {
            Indexing::Keep => {}
            Indexing::Set(due) => {
                let partition = self.value(":q".to_owned(), index_partition(due.partition));
                set.push(format!("{} = {partition}", self.name(schema::INDEX_PARTITION)));
                let at = self.value(":d".to_owned(), due_at(due.at));
                set.push(format!("{} = {at}", self.name(schema::INDEX_DUE)));
            }
            Indexing::Clear => {
                removed.push(self.name(schema::INDEX_PARTITION));
                removed.push(self.name(schema::INDEX_DUE));
            }
        }
        let remove = match removed.is_empty() {
            true => String::new(),
            false => format!(" REMOVE {}", removed.join(", ")),
        };
        let one = self.value(":one".to_owned(), number(1));
        format!("SET {}{remove} ADD {} {one}", set.join(", "), self.name(schema::VERSION))
    }

    fn condition_of(&mut self, write: &Write) -> Vec<String> {
        let mut terms = Vec::new();
        for (index, (attribute, bytes)) in write.expected.iter().enumerate() {
            let name = self.name(&attribute.name());
            terms.push(match bytes {
                None => format!("attribute_not_exists({name})"),
                Some(bytes) => {
                    let value = self.value(format!(":e{index}"), binary(bytes.clone()));
                    format!("{name} = {value}")
                }
            });
        }
        if let Some(version) = write.version {
            let value = self.value(":v".to_owned(), number(version));
            terms.push(format!("{} = {value}", self.name(schema::VERSION)));
        }
        terms
    }

    fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    fn value(&mut self, placeholder: String, value: AttributeValue) -> String {
        self.values.insert(placeholder.clone(), value);
        placeholder
    }
}

/// The hash key of the index: `q0` to `q7`.
///
/// # Panics
/// If there is no such partition: nobody would ever read it.
pub(crate) fn index_partition(partition: u8) -> AttributeValue {
    assert!(partition < FUNCTION_PARTITIONS.end, "the index has no partition {partition}");
    AttributeValue::S(format!("q{partition}"))
}

/// The range key of the index: milliseconds.
pub(crate) fn due_at(at: Time) -> AttributeValue {
    number(at.0)
}

/// The first whole second that is not before `expires`: an item never goes early.
fn seconds(Time(milliseconds): Time) -> i64 {
    milliseconds.div_euclid(1_000) + i64::from(milliseconds.rem_euclid(1_000) != 0)
}

fn number(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

#[cfg(test)]
mod tests {
    use tidewatch_core::sequence::ShardId;
    use tidewatch_core::table_store::table::{Attribute, Due, ItemKey, Part};

    use super::*;

    fn bare() -> Write {
        Write {
            item: ItemKey { key: vec![1], part: Part::Main },
            expected: Vec::new(),
            version: None,
            set: Vec::new(),
            removed: Vec::new(),
            index: Indexing::Keep,
            expires: Time(5_000),
        }
    }

    #[test]
    fn each_part_of_a_write_has_its_words() {
        let share = Attribute::Share(ShardId(4));
        let due = Due { partition: 7, at: Time(99) };
        let cases = [
            (bare(), "SET #t = :t ADD #v :one", None),
            (
                Write { set: vec![(share, vec![1])], ..bare() },
                "SET #s4 = :n0, #t = :t ADD #v :one",
                None,
            ),
            (
                Write { removed: vec![share, Attribute::Latch], ..bare() },
                "SET #t = :t REMOVE #s4, #o ADD #v :one",
                None,
            ),
            (
                Write { index: Indexing::Set(due), ..bare() },
                "SET #t = :t, #q = :q, #d = :d ADD #v :one",
                None,
            ),
            (
                Write { index: Indexing::Clear, ..bare() },
                "SET #t = :t REMOVE #q, #d ADD #v :one",
                None,
            ),
            (
                Write { expected: vec![(share, None), (Attribute::Latch, Some(vec![]))], ..bare() },
                "SET #t = :t ADD #v :one",
                Some("attribute_not_exists(#s4) AND #o = :e1"),
            ),
            (Write { version: Some(3), ..bare() }, "SET #t = :t ADD #v :one", Some("#v = :v")),
        ];
        for (write, update, condition) in cases {
            let made = Expressions::of(&write);
            assert_eq!(made.update, update);
            assert_eq!(made.condition.as_deref(), condition);
            // DynamoDB refuses a placeholder that no expression uses, and the other way round.
            let text = format!("{} {}", made.update, made.condition.unwrap_or_default());
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"#:_".contains(c));
            let used: BTreeSet<&str> = words.filter(|word| word.starts_with(['#', ':'])).collect();
            let defined = made.names.keys().chain(made.values.keys()).map(String::as_str).collect();
            assert_eq!(used, defined);
        }
    }

    #[test]
    fn an_item_never_goes_early() {
        for (milliseconds, second) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2), (-1, 0)] {
            assert_eq!(seconds(Time(milliseconds)), second);
        }
    }

    #[test]
    #[should_panic(expected = "a write changes Latch twice")]
    fn an_attribute_is_changed_once() {
        let set = vec![(Attribute::Latch, vec![1])];
        Expressions::of(&Write { set, removed: vec![Attribute::Latch], ..bare() });
    }

    #[test]
    #[should_panic(expected = "the index has no partition 12")]
    fn a_partition_nobody_reads_is_not_written() {
        index_partition(FUNCTION_PARTITIONS.end);
    }
}
