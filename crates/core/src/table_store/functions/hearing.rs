//! Who asks for functions, of a batch, into the shares of callers: one write more for each function whose log names any.
//!
//! Nobody is heard before the tick knows the function, which is two minutes after its first report: lines that name
//! somebody cost nothing where no report ever comes. The first one from then on marks the item with the shares of
//! reports, before it is counted; so whoever counts reports learns from that item, and without a look anywhere else,
//! whether they are to be counted here too.

use crate::limits::REDELIVERY_MAX;
use crate::meter::money::Money;
use crate::sequence::Sequence;
use crate::store::StoreError;
use crate::table_store::bytes::Unreadable;
use crate::table_store::functions::callers::{CallerShare, Half, Heard};
use crate::table_store::functions::counting::OfFunction;
use crate::table_store::functions::share::Point;
use crate::table_store::functions::{Closed, FunctionCounts};
use crate::table_store::store::Invocation;
use crate::table_store::table::{
    Attribute, Indexing, Item, ItemKey, Pace, Part, Table, TableError, Write, Written,
};

/// Lines that name callers, each behind so many of the batch's reports.
pub(super) type Asks<'a> = Vec<(usize, Heard<'a>)>;

impl<T: Table, P: Pace> Invocation<'_, T, P> {
    /// Counts who asked for a function; `reports` is the item with the shares of its reports, as it was after the
    /// batch's were counted, and `cost` what a report comes to.
    pub(super) async fn hear_callers(
        &self,
        of: &OfFunction<'_>,
        (place, mut reports): (&ItemKey, Option<Item>),
        cost: impl Fn(&Point<'_>) -> Money,
    ) -> Result<FunctionCounts, StoreError> {
        let mut counts = FunctionCounts::default();
        let has = |item: &Option<Item>, attribute| {
            item.as_ref().is_some_and(|item| item.values.contains_key(&attribute))
        };
        if !has(&reports, Attribute::NamesCallers) {
            if of.asks.is_empty() {
                return Ok(counts);
            }
            if !has(&reports, Attribute::Closed) {
                reports = self.get(place).await?;
            }
            if !has(&reports, Attribute::Closed) {
                counts.unheard += of.asks.len() as u64;
                return Ok(counts);
            }
            self.insist(&self.mark(place)).await?;
        }
        let heard = in_order(of, cost);
        let item = ItemKey { key: of.key.clone(), part: Part::Callers(self.shard) };
        let mut image = self.store.cache.get(&item);
        if of.asks.is_empty() && image.is_none() && !heard.is_empty() {
            image = self.get(&item).await?;
            if image.is_none() {
                // Of this shard nobody is heard yet.
                return Ok(counts);
            }
        }
        let closed = Closed::of(reports.as_ref()).map(|closed| closed.pane);
        let mut patience = self.patience();
        loop {
            let before = image.as_ref().and_then(|image| image.values.get(&Attribute::Callers));
            let before = before.cloned();
            let (mut share, unreadable) = read(before.as_deref())?;
            let applied = share.applied;
            if !share.take(&heard, closed, &self.store.settings.safeguards) {
                return Ok(counts);
            }
            let mut set = vec![(Attribute::Callers, share.encode())];
            if let (true, Some(bytes)) = (unreadable, &before) {
                set.push((Attribute::Unreadable(self.shard), bytes.clone()));
            }
            let blind = !self.store.settings.safeguards.compare_and_set;
            let write = Write {
                item: item.clone(),
                expected: if blind { Vec::new() } else { vec![(Attribute::Callers, before)] },
                version: None,
                set,
                removed: Vec::new(),
                index: Indexing::Keep,
                // Nothing of it is used once its panes are closed, and it holds addresses.
                expires: self.store.pace.now().plus(REDELIVERY_MAX),
            };
            match self.write(&write).await {
                Ok(Written::Applied(_)) => {
                    counts.lost += u64::from(unreadable);
                    counts.heard += fresh_asks(of, applied);
                    return Ok(counts);
                }
                Ok(Written::Refused(item)) => {
                    image = item;
                    patience.after_refusal().await?;
                }
                // They are laid to nobody: better said than tried for ever.
                Err(TableError::TooLarge(_) | TableError::Unusable(_)) => {
                    counts.unheard += fresh_asks(of, applied);
                    return Ok(counts);
                }
                Err(error) => patience.after(error).await?,
            }
        }
    }

    /// Says in the item with a function's shares that its log names callers.
    fn mark(&self, place: &ItemKey) -> Write {
        Write {
            item: place.clone(),
            expected: Vec::new(),
            version: None,
            set: vec![(Attribute::NamesCallers, vec![1])],
            removed: Vec::new(),
            index: Indexing::Keep,
            expires: self.function_expires(),
        }
    }
}

fn fresh_asks(of: &OfFunction<'_>, applied: Sequence) -> u64 {
    of.asks.iter().filter(|(_, ask)| ask.sequence > applied).count() as u64
}

/// Reports and lines that name callers, as they stand in the batch.
fn in_order<'a>(of: &OfFunction<'a>, cost: impl Fn(&Point<'_>) -> Money) -> Vec<Heard<'a>> {
    let mut heard = Vec::with_capacity(of.points.len() + of.asks.len());
    let mut asks = of.asks.iter().peekable();
    for (nth, point) in of.points.iter().enumerate() {
        while let Some((_, ask)) = asks.next_if(|(before, _)| *before <= nth) {
            heard.push(*ask);
        }
        let Some(request) = point.invocation.request.filter(|_| point.invocation.report.is_some())
        else {
            continue;
        };
        let Point { sequence, time, event, .. } = *point;
        heard.push(Heard { sequence, time, event, request, what: Half::Cost(cost(point)) });
    }
    heard.extend(asks.map(|(_, ask)| *ask));
    heard
}

/// A shard's share, and whether it could not be read and is begun anew.
fn read(bytes: Option<&[u8]>) -> Result<(CallerShare, bool), StoreError> {
    match bytes.map(CallerShare::decode) {
        None => Ok((CallerShare::default(), false)),
        Some(Ok(share)) => Ok((share, false)),
        Some(Err(why @ Unreadable::Newer(_))) => {
            Err(StoreError::Retryable(format!("what a shard says of callers has {why}")))
        }
        Some(Err(Unreadable::Damaged(_))) => Ok((CallerShare::default(), true)),
    }
}
