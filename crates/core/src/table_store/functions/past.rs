//! The past of a function: its series as they were at the end of a day, an item for each number and day; and what a
//! process remembers of them.
//!
//! A past is made of panes that a chronicle shows as closed, and of nothing else. So whoever stores that of a day
//! stores the same bytes, whenever and however often: it is written without any condition, before the chronicle that
//! forgets these panes. Until that is written, the chronicle refers to the past before.
//!
//! A stored series has its largest distances besides its numbers, without which the same could only be said from
//! ten weeks of numbers ([`crate::series`]).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

use crate::limits::SERIES_BYTES_MAX;
use crate::meter::book::FINE;
use crate::meter::ledger::Function;
use crate::series::{STORED_BYTES_MAX, Series};
use crate::spend::course::{Course, Weighing};
use crate::spend::detector::Number;
use crate::store::StoreError;
use crate::table_store::functions::chronicle::{Chronicle, DAY_PANES, Past};
use crate::table_store::key_bytes;
use crate::table_store::store::Invocation;
use crate::table_store::table::{Attribute, Indexing, ItemKey, Pace, Part, Table, Write};

// Whatever a function does, one of its series fits into an item.
const _: () = assert!(STORED_BYTES_MAX + 1_024 < crate::limits::ITEM_BYTES_MAX);

/// Functions store their days at different times of the next: in the first twelve hours.
const SPREAD_PANES: i64 = DAY_PANES / 2;

/// Series of functions, by key.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<BTreeMap<Vec<u8>, Known>>);

#[derive(Debug)]
struct Known {
    /// Which function of that name: that which began in this pane.
    first: i64,
    /// Up to which pane.
    closed: i64,
    series: BTreeMap<Number, Series>,
}

impl Known {
    fn bytes(&self) -> usize {
        // Numbers, and the distances that can still matter.
        self.series.values().map(|series| 8 * 1_024 + 2 * series.history().panes()).sum()
    }
}

impl Remembered {
    fn take(&self, key: &[u8]) -> Option<Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key)
    }

    /// Remembers the series of a chronicle that was written, if there is room.
    pub(super) fn put(&self, key: &[u8], chronicle: &Chronicle, mut course: Course) {
        course.series.values_mut().for_each(Series::rest);
        let Chronicle { first, closed, .. } = *chronicle;
        let known = Known { first, closed, series: course.series };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used: usize = all.values().map(Known::bytes).sum();
        if used + known.bytes() <= SERIES_BYTES_MAX {
            all.insert(key.to_vec(), known);
        }
    }
}

/// The last pane of the day that should be stored by itself now.
fn day_to_store(key: &[u8], chronicle: &Chronicle) -> Option<i64> {
    let spread = key.iter().fold(0i64, |sum, byte| (sum * 31 + i64::from(*byte)) % SPREAD_PANES);
    let last = (chronicle.closed - spread).div_euclid(DAY_PANES) * DAY_PANES - 1;
    (last >= chronicle.steps_from()).then_some(last)
}

/// The item of a number's past up to `last`, the last pane of a day.
fn past_of(number: Number, last: i64) -> Part {
    Part::Past { number: number.code(), day: last.div_euclid(DAY_PANES) as i32 }
}

fn replay(course: &mut Course, chronicle: &Chronicle, panes: RangeInclusive<i64>) {
    for pane in panes {
        for number in Number::ALL {
            course.take_in(number, pane, chronicle.step(number, pane).number().map(f64::from));
        }
    }
}

impl<T: Table, P: Pace> Invocation<'_, T, P> {
    /// The course of a function up to where its chronicle is closed, and how many of its series are lost. A day that
    /// is due is stored, and `chronicle` says so from its next write on.
    pub(super) async fn course(
        &self,
        (key, function): (&[u8], &Function),
        weighing: &Weighing,
        chronicle: &mut Chronicle,
    ) -> Result<(Course, u64), StoreError> {
        let mut course = Course::new(function.clone(), weighing, chronicle.first);
        course.last_pane = chronicle.last;
        let ids = weighing.detectors.iter().map(|detector| detector.id.as_str());
        let latches = ids.map(|id| chronicle.latches.get(id).cloned().unwrap_or_default());
        course.latches = latches.collect();
        let to_store = day_to_store(key, chronicle);
        let known = self.store.functions.take(key).filter(|known| {
            let reaches = chronicle.steps_from() - 1..=to_store.unwrap_or(chronicle.closed);
            known.first == chronicle.first && reaches.contains(&known.closed)
        });
        let mut lost = 0;
        let mut from = chronicle.steps_from();
        match known {
            Some(known) => (course.series, from) = (known.series, known.closed + 1),
            None => (course.series, lost) = self.read_past(key, chronicle).await?,
        }
        if let Some(last) = to_store {
            replay(&mut course, chronicle, from..=last);
            self.store_past(key, &course, last).await?;
            let numbers = course.series.keys().map(|number| 1 << number.code()).sum();
            chronicle.forget_up_to(Past { last, numbers });
            from = last + 1;
        }
        replay(&mut course, chronicle, from..=chronicle.closed);
        Ok((course, lost))
    }

    /// The series that are stored by themselves. One that is missing or cannot be read is begun anew.
    async fn read_past(
        &self,
        key: &[u8],
        chronicle: &Chronicle,
    ) -> Result<(BTreeMap<Number, Series>, u64), StoreError> {
        let (mut all, mut lost) = (BTreeMap::new(), 0);
        let Some(past) = chronicle.past else { return Ok((all, lost)) };
        let key = key_bytes::of_past(key);
        let stored = |number: &Number| past.numbers >> number.code() & 1 == 1;
        for number in Number::ALL.into_iter().filter(stored) {
            let item = self.look(&key, past_of(number, past.last)).await?;
            let bytes = item.as_ref().and_then(|item| item.values.get(&Attribute::Past));
            let series = bytes.and_then(|bytes| Series::from_bytes(bytes).ok());
            let series = series.filter(|series| series.history().newest() == Some(past.last));
            lost += u64::from(series.is_none());
            all.insert(number, series.unwrap_or_else(|| Series::new(FINE, number.gap())));
        }
        Ok((all, lost))
    }

    async fn store_past(&self, key: &[u8], course: &Course, last: i64) -> Result<(), StoreError> {
        let key = key_bytes::of_past(key);
        for (number, series) in &course.series {
            let write = Write {
                item: ItemKey { key: key.clone(), part: past_of(*number, last) },
                expected: Vec::new(),
                version: None,
                set: vec![(Attribute::Past, series.to_bytes())],
                removed: Vec::new(),
                index: Indexing::Keep,
                expires: self.function_expires(),
            };
            self.put(&write).await?;
        }
        Ok(())
    }
}
