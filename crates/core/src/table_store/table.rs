//! The seam below the shared store: a table of items with conditional writes, as DynamoDB has it.
//!
//! Everything exact about the shared state rests on what this trait promises and on nothing else:
//! one write is atomic, is applied only if all its expectations hold at that moment, and answers with
//! the item as it then is. A write whose answer was lost may or may not have been applied.
//!
//! Two homes: DynamoDB in crates/aws, and a model of it that the simulator breaks on purpose.

use std::collections::BTreeMap;
use std::future::Future;

use crate::sequence::ShardId;
use crate::time::{Span, Time};

/// Names an item: DynamoDB's partition key `k` and sort key `r`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// What is counted by, encoded; not empty.
    pub key: Vec<u8>,
    /// Which item of it.
    pub part: Part,
}

/// The items of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The latches, and the shares of all shards where they live together.
    Main,
    /// One shard's share, where every shard has an item of its own.
    Share(ShardId),
    /// The sketches that all shards write together.
    Sketches,
    /// Of a function: what is known of it beside the panes that are not over.
    Chronicle,
    /// Of a function: who asked one shard for it in the panes that are not over.
    Callers(ShardId),
    /// Of a pane that is closed: what callers cost in one function, by its [`crate::key::FunctionTag`].
    Costs(u64),
    /// Of callers' pasts: that of one, by a number made of who it is.
    Caller(u64),
    /// Of a function's past: the series of one number up to the end of a day, in days since 1970.
    Past {
        /// The number, as [`crate::spend::detector::Number::code`] has it.
        number: u8,
        /// The day.
        day: i32,
    },
}

/// A value of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// `s<shard>`: one shard's share.
    Share(ShardId),
    /// `x<shard>`: a share that could not be read, kept for a person to look at.
    Unreadable(ShardId),
    /// `o`: the episodes.
    Latch,
    /// `h<list>`: the sketches behind one distinct list.
    Sketch(u8),
    /// `c`: up to which pane a function's panes are closed, and from when on it runs away.
    Closed,
    /// `n`: that lines about requests name who asks for the function.
    NamesCallers,
    /// `a`: who asked for it on one shard.
    Callers,
    /// `g`: what callers cost.
    Costs,
    /// `f`: a function's chronicle, or that of callers.
    Chronicle,
    /// `p`: a series.
    Past,
}

/// An item as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// Its values.
    pub values: BTreeMap<Attribute, Vec<u8>>,
    /// `v`: how often it was written.
    pub version: u64,
}

/// An entry of the sparse index that the tick reads: `q` and `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Due {
    /// The index's partition, below [`INDEX_PARTITIONS`] or of [`FUNCTION_PARTITIONS`].
    pub partition: u8,
    /// When somebody should look at the key.
    pub at: Time,
}

/// Partitions of the index: a partition takes 1,000 writes a second.
pub const INDEX_PARTITIONS: u8 = 8;

/// Those of functions, which are apart: neither keeps the other from being looked at.
pub const FUNCTION_PARTITIONS: std::ops::Range<u8> = INDEX_PARTITIONS..INDEX_PARTITIONS + 4;

/// What a write does to the index entry of its item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexing {
    /// It stays as it is.
    Keep,
    /// It becomes this.
    Set(Due),
    /// There is none any more.
    Clear,
}

/// One conditional write of one item; it adds one to the item's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Which item; it is made where it does not exist.
    pub item: ItemKey,
    /// All must hold: the attribute has exactly this value, or (`None`) does not exist.
    pub expected: Vec<(Attribute, Option<Vec<u8>>)>,
    /// Where given, must be the item's version too; never holds for an item that does not exist.
    pub version: Option<u64>,
    /// New values, each attribute once.
    pub set: Vec<(Attribute, Vec<u8>)>,
    /// Attributes that go, none of which is set.
    pub removed: Vec<Attribute>,
    /// The index entry.
    pub index: Indexing,
    /// `t`: from when on the item may be deleted, whole seconds of it; never moved back by a caller.
    pub expires: Time,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was applied; the item as it is now (`ALL_NEW`).
    Applied(Item),
    /// An expectation did not hold; the item as it is (`ALL_OLD` of the failed condition), `None`
    /// where there is none.
    Refused(Option<Item>),
}

/// Why a table did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// It is too busy; nothing was applied.
    #[error("the table is throttled: {0}")]
    Throttled(String),
    /// No answer came; the write may have been applied or not.
    #[error("the table did not answer: {0}")]
    Unanswered(String),
    /// The item would be larger than 400 KB; nothing was applied.
    #[error("the item would be larger than the table allows: {0}")]
    TooLarge(String),
    /// The item holds what this program did not write; it may have been changed all the same.
    #[error("an item is not ours to use: {0}")]
    Unusable(String),
    /// It will not work however often it is tried: no such table, no permission, a faulty request.
    #[error("the table refuses to work: {0}")]
    Fatal(String),
}

/// A table of items. All reads but [`Table::due`] are strongly consistent.
pub trait Table: Send + Sync {
    /// Writes one item under its conditions.
    fn write(&self, write: &Write) -> impl Future<Output = Result<Written, TableError>> + Send;

    /// One item as it is.
    fn get(&self, item: &ItemKey) -> impl Future<Output = Result<Option<Item>, TableError>> + Send;

    /// All items of one key, in no order.
    fn query(
        &self,
        key: &[u8],
    ) -> impl Future<Output = Result<Vec<(Part, Item)>, TableError>> + Send;

    /// The items with an index entry in `partition` at or before `until`, earliest first (equal ones
    /// in no order), at most `limit` of them. Eventually consistent: an entry may be stale or missing for a while.
    fn due(
        &self,
        partition: u8,
        until: Time,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<ItemKey>, TableError>> + Send;
}

/// The clock and the chance a store waits by; passed in, because core has neither.
pub trait Pace: Send + Sync {
    /// The time now, on the same clock as deadlines.
    fn now(&self) -> Time;

    /// Waits.
    fn wait(&self, span: Span) -> impl Future<Output = ()> + Send;

    /// A number in 0.0..1.0, different each time.
    fn chance(&self) -> f64;
}

impl Write {
    /// The bytes of names and values the item will have, if it is `item` now.
    pub fn bytes_after(&self, item: Option<&Item>) -> usize {
        let goes = |attribute: &Attribute| {
            self.removed.contains(attribute) || self.set.iter().any(|(set, _)| set == attribute)
        };
        let old = item.into_iter().flat_map(|item| &item.values);
        let stays = old.filter(|(attribute, _)| !goes(attribute));
        let new = self.set.iter().map(|(attribute, value)| (attribute, value));
        stays.chain(new).map(|(attribute, value)| attribute.name().len() + value.len()).sum()
    }
}

impl Part {
    /// The sort key `r`: a kind byte, for a share and for callers the shard's number in four bytes, for a past its number and the
    /// day in four bytes, for costs and a caller their number in eight bytes.
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Part::Main => vec![0],
            Part::Share(ShardId(shard)) => {
                let [a, b, c, d] = shard.to_be_bytes();
                vec![1, a, b, c, d]
            }
            Part::Sketches => vec![2],
            Part::Chronicle => vec![3],
            Part::Past { number, day } => {
                let [a, b, c, d] = day.to_be_bytes();
                vec![4, number, a, b, c, d]
            }
            Part::Callers(ShardId(shard)) => {
                let [a, b, c, d] = shard.to_be_bytes();
                vec![5, a, b, c, d]
            }
            Part::Costs(tag) => [&[6], tag.to_be_bytes().as_slice()].concat(),
            Part::Caller(number) => [&[7], number.to_be_bytes().as_slice()].concat(),
        }
    }

    /// Reads what [`Part::bytes`] wrote; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Part> {
        match *bytes {
            [0] => Some(Part::Main),
            [1, a, b, c, d] => Some(Part::Share(ShardId(u32::from_be_bytes([a, b, c, d])))),
            [2] => Some(Part::Sketches),
            [3] => Some(Part::Chronicle),
            [4, number, a, b, c, d] => {
                Some(Part::Past { number, day: i32::from_be_bytes([a, b, c, d]) })
            }
            [5, a, b, c, d] => Some(Part::Callers(ShardId(u32::from_be_bytes([a, b, c, d])))),
            [kind @ (6 | 7), ref number @ ..] => {
                let number = u64::from_be_bytes(number.try_into().ok()?);
                Some(if kind == 6 { Part::Costs(number) } else { Part::Caller(number) })
            }
            _ => None,
        }
    }
}

impl Attribute {
    /// The attribute's name in the table.
    pub fn name(self) -> String {
        match self {
            Attribute::Share(ShardId(shard)) => format!("s{shard}"),
            Attribute::Unreadable(ShardId(shard)) => format!("x{shard}"),
            Attribute::Latch => "o".to_owned(),
            Attribute::Sketch(list) => format!("h{list}"),
            Attribute::Closed => "c".to_owned(),
            Attribute::NamesCallers => "n".to_owned(),
            Attribute::Callers => "a".to_owned(),
            Attribute::Costs => "g".to_owned(),
            Attribute::Chronicle => "f".to_owned(),
            Attribute::Past => "p".to_owned(),
        }
    }

    /// Reads what [`Attribute::name`] wrote; `None` for any other name, such as a newer version's.
    pub fn from_name(name: &str) -> Option<Attribute> {
        let number = |digits: &str| digits.parse().ok().filter(|n: &u32| n.to_string() == digits);
        match name.split_at_checked(1)? {
            ("s", shard) => Some(Attribute::Share(ShardId(number(shard)?))),
            ("x", shard) => Some(Attribute::Unreadable(ShardId(number(shard)?))),
            ("o", "") => Some(Attribute::Latch),
            ("c", "") => Some(Attribute::Closed),
            ("n", "") => Some(Attribute::NamesCallers),
            ("a", "") => Some(Attribute::Callers),
            ("g", "") => Some(Attribute::Costs),
            ("f", "") => Some(Attribute::Chronicle),
            ("p", "") => Some(Attribute::Past),
            ("h", list) => Some(Attribute::Sketch(u8::try_from(number(list)?).ok()?)),
            _ => None,
        }
    }
}
