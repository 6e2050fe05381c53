//! Which addresses stand behind a key that is not one address itself: kept so that a finding can name
//! them.
//!
//! The most recent ones are kept, with their attempts; how many there were in all is a distinct count
//! of its own.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::contribution::Source;
use crate::distinct::{DistinctList, Keeping};
use crate::key::KeyPart;
use crate::limits::{SOURCES_NAMED_MAX, SOURCES_OF_NET_MAX};
use crate::time::{Span, Time};

/// The sources of one key.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    recent: Vec<Behind>,
    all: DistinctList,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Behind {
    last: Time,
    address: IpAddr,
    attempts: u64,
}

/// How many addresses a key keeps, of the `most` its home does.
fn kept_max(first: KeyPart, most: usize) -> usize {
    match first {
        KeyPart::Ipv6Net(_) => SOURCES_OF_NET_MAX.min(most),
        _ => most,
    }
}

/// How many addresses of a key are named.
fn named_max(first: KeyPart) -> usize {
    match first {
        KeyPart::Ipv6Net(_) => SOURCES_OF_NET_MAX,
        _ => SOURCES_NAMED_MAX,
    }
}

impl Sources {
    /// Notes `attempts` from `source` at `time`. Says whether a sketch was needed and not allowed.
    pub fn add(
        &mut self,
        first: KeyPart,
        source: Source,
        time: Time,
        attempts: u32,
        keeping: Keeping<'_>,
    ) -> bool {
        let behind = Behind { last: time, address: source.address, attempts: u64::from(attempts) };
        self.add_behind(first, behind, keeping.retention.sources_max);
        let tag = source.tag & keeping.retention.tag_mask;
        self.all.insert(tag, keeping.retention.step(time), keeping)
    }

    /// Takes in everything `other` saw.
    pub fn merge(&mut self, first: KeyPart, other: &Sources, keeping: Keeping<'_>) {
        for behind in &other.recent {
            self.add_behind(first, *behind, keeping.retention.sources_max);
        }
        self.all.merge(&other.all, keeping);
    }

    /// The addresses of the window (at − span, at], most attempts first, capped.
    pub fn top(&self, first: KeyPart, at: Time, span: Span) -> Vec<IpAddr> {
        let after = at.minus(span);
        let mut within: Vec<&Behind> =
            self.recent.iter().filter(|behind| behind.last > after && behind.last <= at).collect();
        within
            .sort_by_key(|behind| (Reverse(behind.attempts), Reverse(behind.last), behind.address));
        within.iter().take(named_max(first)).map(|behind| behind.address).collect()
    }

    /// Every address seen, as a distinct list.
    pub fn all(&self) -> &DistinctList {
        &self.all
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.recent.capacity() * size_of::<Behind>() + self.all.heap_bytes()
    }

    fn add_behind(&mut self, first: KeyPart, new: Behind, most: usize) {
        if let Some(known) = self.recent.iter_mut().rev().find(|b| b.address == new.address) {
            known.last = known.last.max(new.last);
            known.attempts = known.attempts.saturating_add(new.attempts);
            return;
        }
        self.recent.push(new);
        if self.recent.len() > kept_max(first, most) {
            let oldest = self.recent.iter().enumerate().min_by_key(|(_, b)| (b.last, b.address));
            if let Some(at) = oldest.map(|(at, _)| at) {
                self.recent.swap_remove(at);
            }
        }
    }
}
