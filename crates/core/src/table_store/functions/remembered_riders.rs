//! What a process remembers of callers: all that follows from the items of panes, up to one of them; and how that is
//! written down and taken up by another.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::finding::Also;
use crate::key::FunctionTag;
use crate::limits::CALLERS_STORED_MAX;
use crate::meter::ledger::Function;
use crate::series::PANE;
use crate::series::episode::lasts;
use crate::signal::Origin;
use crate::spend::callers::{Caller, Callers, Costs, DAY_PANES, Kept};
use crate::spend::course::Weighing;
use crate::spend::drivers::WHO;
use crate::spend::episodes::{Episode, Latch};
use crate::spend::riding::Ridden;
use crate::table_store::bytes::Writer;
use crate::table_store::functions::FunctionCounts;
use crate::table_store::functions::rider_bytes::{
    HEARD_MAX, OfFunction, RiderChronicle, RiderPast, write_caller,
};

/// What a process remembers of callers.
#[derive(Debug, Default)]
pub(crate) struct RememberedRiders(Mutex<Known>);

#[derive(Debug, Default)]
pub(super) enum Known {
    /// Nobody has looked yet.
    #[default]
    Nothing,
    /// There were none.
    Nobody,
    Riders(Box<Riders>),
}

/// Callers up to a pane.
#[derive(Debug)]
pub(super) struct Riders {
    pub(super) closed: i64,
    pub(super) callers: Callers,
    pub(super) functions: Vec<Used>,
    pub(super) by_tag: BTreeMap<FunctionTag, usize>,
    /// Up to which pane a caller's past is stored.
    pub(super) stored: BTreeMap<Caller, i64>,
}

/// A function that callers use.
#[derive(Clone, Debug)]
pub(super) struct Used {
    tag: FunctionTag,
    function: Function,
    telling: Vec<Also>,
    sample: Option<Origin>,
    /// The newest pane it was closed in.
    last: i64,
}

impl Ridden for Vec<Used> {
    fn function(&self, at: usize) -> Function {
        self[at].function.clone()
    }

    fn telling(&self, at: usize) -> Vec<Also> {
        self[at].telling.clone()
    }

    fn sample(&self, at: usize) -> Option<Origin> {
        self[at].sample.clone()
    }
}

impl RememberedRiders {
    pub(super) fn take(&self) -> Known {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn put(&self, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

/// A number for who it is, the same in every process.
pub(super) fn number_of(caller: &Caller) -> u64 {
    let mut out = Writer::default();
    write_caller(&mut out, caller);
    let name = out.bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    FunctionTag::of(&Function { account: "".into(), name: name.into() }).0
}

impl Riders {
    /// The place of a function; a new one where it has none yet.
    pub(super) fn at(&mut self, tag: FunctionTag, function: Option<&Function>) -> usize {
        let nobody = || Function { account: "".into(), name: "".into() };
        let at = *self.by_tag.entry(tag).or_insert_with(|| {
            let function = nobody();
            self.functions.push(Used {
                tag,
                function,
                telling: Vec::new(),
                sample: None,
                last: i64::MIN,
            });
            self.functions.len() - 1
        });
        if let Some(function) = function {
            self.functions[at].function = function.clone();
        }
        at
    }

    /// What callers cost in a pane.
    pub(super) fn costs(
        &mut self,
        pane: i64,
        read: BTreeMap<FunctionTag, Vec<u8>>,
        counts: &mut FunctionCounts,
    ) -> Costs {
        let mut costs = Costs::new();
        for (tag, bytes) in read {
            let Ok(of) = OfFunction::decode(&bytes) else {
                counts.lost += 1;
                continue;
            };
            let at = self.at(tag, Some(&of.function));
            let known = &mut self.functions[at];
            known.last = pane;
            known.telling = of.telling;
            known.sample = of.sample.or(known.sample.take());
            let Some(kind) = of.kind else { continue };
            for (name, cost) in of.costs {
                let caller = Caller { kind: WHO[kind], name };
                costs.entry(caller).or_default().push((at, cost));
            }
        }
        costs
    }

    /// Takes up what the chronicle says.
    pub(super) fn take_up(&mut self, weighing: &Weighing, chronicle: &RiderChronicle) {
        for kept in self.callers.kept.values_mut() {
            kept.latches = vec![Latch::default(); weighing.detectors.len()];
        }
        for ((caller, id), latch) in &chronicle.latches {
            let nth = weighing.detectors.iter().position(|rule| *rule.id == **id);
            if let Some((nth, kept)) = nth.zip(self.callers.kept.get_mut(caller)) {
                kept.latches[nth] = latch.clone();
            }
        }
        let heard = chronicle.heard.iter();
        self.callers.heard =
            heard.map(|((tag, kind), since)| ((self.at(*tag, None), WHO[*kind]), *since)).collect();
        let told_of = chronicle.told_of.iter();
        self.callers.told_of =
            told_of.map(|(tag, caller)| (self.at(*tag, None), caller.clone())).collect();
    }

    /// Writes down in the chronicle what is not made of panes alone.
    pub(super) fn write_down(&self, weighing: &Weighing, chronicle: &mut RiderChronicle) {
        chronicle.closed = self.closed;
        let tag = |at: &usize| self.functions[*at].tag;
        let kind = |of| WHO.iter().position(|kind| *kind == of).unwrap_or_default();
        let heard = self.callers.heard.iter();
        let mut heard: Vec<_> = heard.collect();
        if heard.len() > HEARD_MAX {
            // Functions that nobody has used for longest are new again, should they come back.
            heard.sort_by_key(|((at, _), _)| std::cmp::Reverse(self.functions[*at].last));
            heard.truncate(HEARD_MAX);
        }
        let heard = heard.into_iter();
        chronicle.heard = heard.map(|((at, of), since)| ((tag(at), kind(*of)), *since)).collect();
        let told_of = self.callers.told_of.iter();
        chronicle.told_of = told_of.map(|(at, caller)| (tag(at), caller.clone())).collect();
        chronicle.latches.clear();
        for (caller, kept) in &self.callers.kept {
            for (rule, latch) in weighing.detectors.iter().zip(&kept.latches) {
                let lasting = |of: &Episode| !of.closed || lasts(of.opened, self.closed + 1, PANE);
                if latch.episode.as_ref().is_some_and(lasting) {
                    let id = rule.id.as_str().into();
                    chronicle.latches.insert((caller.clone(), id), latch.clone());
                }
            }
        }
    }

    /// Whose past is to be stored: a day after it was stored last, or, at a time of its own, within a day after it began.
    pub(super) fn to_store(&self) -> Vec<Caller> {
        let is_due = |(caller, kept): &(&Caller, &Kept)| {
            let spread = (number_of(caller) % DAY_PANES.unsigned_abs()) as i64;
            let before = self.stored.get(*caller).copied();
            self.closed - before.unwrap_or(kept.first_pane - spread) >= DAY_PANES
        };
        let mut due: Vec<(i64, &Caller)> = self
            .callers
            .kept
            .iter()
            .filter(is_due)
            .map(|(caller, _)| (self.stored.get(caller).copied().unwrap_or(i64::MIN), caller))
            .collect();
        due.sort();
        due.into_iter().take(CALLERS_STORED_MAX).map(|(_, caller)| caller.clone()).collect()
    }

    pub(super) fn past(&self, caller: &Caller) -> Option<RiderPast> {
        let kept = self.callers.kept.get(caller)?;
        Some(RiderPast {
            caller: caller.clone(),
            last: self.closed,
            first: kept.first_pane,
            weight: kept.weight,
            used: kept.used.iter().map(|(at, first)| (self.functions[*at].tag, *first)).collect(),
            series: kept.series.clone(),
        })
    }
}
