//! What one shard says of who asks for one function: what each caller cost in the panes that are not over, and the
//! requests of which only one half is known yet.
//!
//! Who asked stands in a line of the application, what it cost in the platform's report, and a batch may end between
//! the two. So requests wait here for their other half, a few of each: lines of one environment of a function come in
//! their order, by one shard, so that not more wait than were running when the batch was cut. What there is no room
//! for is laid to nobody, and the most that it may have cost is told with every share of the cost ([`super::named`]).
//!
//! It lives in an item of its own, because a write costs by the whole item: with the shares of all shards in one, each
//! batch would pay for the callers of all shards, which anybody who calls a function can make many. And functions whose
//! logs name nobody have none.
//!
//! Invariant: it is a function of its shard's records from the first line on that named somebody, up to `applied`, but
//! for panes that are closed, as [`super::share`] is; and nobody is named for more than was spent.
//!
//! Encoding, version 1: version · applied: length, bytes · head, in milliseconds · event tags: number, 3 bytes each,
//! oldest first · of each kind of caller the first pane that names one, from the head's on back (signed), behind a
//! byte with a bit for each that there is · panes: number; each: how far behind the one before, the first from the
//! head's (signed); its costs by kind: error, number, each name and cost · lines that wait: number; each: 5 bytes of the
//! request's tag, a bit for each kind, names · costs that wait: number; each: 5 bytes, cost · lines given up · costs
//! given up: number, and if there are any their sum and the largest.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::access::Access;
use crate::event_ring::EventRing;
use crate::limits::{ASKS_WAITING_MAX, CALLER_PANES_MAX, COSTS_WAITING_MAX, SHARED_DRIVERS_MAX};
use crate::meter::attribution::DriverName;
use crate::meter::drivers::Drivers;
use crate::meter::money::Money;
use crate::safeguards::{Guard, Safeguards};
use crate::sequence::Sequence;
use crate::spend::course::pane_of;
use crate::spend::drivers::WHO;
use crate::table_store::bytes::{Reader, Unreadable, Writer};
use crate::table_store::functions::numbers::{read_head, read_pane_number, write_head};
use crate::tag::{EventTag, RequestTag, UserTag};
use crate::time::Time;

/// The newest version of the encoding.
pub const VERSION: u8 = 1;

/// Three of an event tag's bytes are kept, and five of a request's.
const TAG_MASK: u32 = 0xffff_ff00;
const REQUEST_SHIFT: u32 = 24;

/// Kinds of callers.
pub const KINDS: usize = WHO.len();

/// Who asked, by kind.
pub type Names = [Option<DriverName>; KINDS];

/// One line about a request, and which record it came in.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// The record.
    pub sequence: Sequence,
    /// Event time, as it is believed.
    pub time: Time,
    /// The event.
    pub event: EventTag,
    /// Which request.
    pub request: RequestTag,
    /// What it says of it.
    pub what: Half<'a>,
}

/// Half of what there is to know of a request.
#[derive(Clone, Copy, Debug)]
pub enum Half<'a> {
    /// Who asked.
    Asked(&'a Access),
    /// What it cost.
    Cost(Money),
}

/// One shard's share in who asks for a function.
#[derive(Clone, Debug, PartialEq)]
pub struct CallerShare {
    /// The last record that is counted in it.
    pub applied: Sequence,
    /// Its newest line.
    pub head: Time,
    /// Of each kind, in which pane a line first named one; nobody is heard before.
    pub since: [Option<i64>; KINDS],
    /// The newest panes that are not known to be closed, by number.
    pub panes: BTreeMap<i64, Asked>,
    events: EventRing,
}

/// Who asked in one pane.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// What callers cost, by kind.
    pub costs: [Drivers<DriverName>; KINDS],
    /// Requests of which it is known who asked, by the upper five bytes of their tags.
    pub asks: VecDeque<(u64, Names)>,
    /// Requests of which it is known what they cost.
    pub paid: VecDeque<(u64, Money)>,
    /// How many of the former were given up.
    pub asks_given_up: u64,
    /// The latter that were given up.
    pub unlaid: Unlaid,
}

/// Costs that are laid to nobody although somebody may be named for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unlaid {
    /// How many.
    pub count: u64,
    /// What they cost together.
    pub sum: Money,
    /// What the dearest cost.
    pub most: Money,
}

impl Default for CallerShare {
    fn default() -> CallerShare {
        CallerShare {
            applied: Sequence::ZERO,
            head: Time::MIN,
            since: [None; KINDS],
            panes: BTreeMap::new(),
            events: EventRing::default(),
        }
    }
}

impl Default for Asked {
    fn default() -> Asked {
        Asked {
            costs: std::array::from_fn(|_| Drivers::new(SHARED_DRIVERS_MAX)),
            asks: VecDeque::new(),
            paid: VecDeque::new(),
            asks_given_up: 0,
            unlaid: Unlaid::default(),
        }
    }
}

/// Whom a line names.
pub(super) fn names(access: &Access) -> Names {
    let tag = |tag: Option<UserTag>| tag.map(DriverName::Tag);
    [tag(access.principal), tag(access.api_key), access.source.map(DriverName::Address)]
}

impl Unlaid {
    pub(super) fn add(&mut self, cost: Money) {
        self.count += 1;
        self.sum += cost;
        self.most = self.most.max(cost);
    }
}

impl Asked {
    /// Takes in who asked. Of a request that is known already only what was not.
    fn ask(&mut self, request: u64, names: Names) {
        if let Some((_, known)) = self.asks.iter_mut().find(|(of, _)| *of == request) {
            for (known, name) in known.iter_mut().zip(names) {
                *known = known.take().or(name);
            }
            return;
        }
        if let Some(at) = self.paid.iter().position(|(of, _)| *of == request) {
            if let Some((_, cost)) = self.paid.remove(at) {
                lay(&mut self.costs, &names, cost);
            }
            return;
        }
        if self.asks.len() >= ASKS_WAITING_MAX {
            self.asks.pop_front();
            self.asks_given_up += 1;
        }
        self.asks.push_back((request, names));
    }

    /// Takes in what a request cost. One that is tried again has its line again.
    fn pay(&mut self, request: u64, cost: Money) {
        if let Some(at) = self.asks.iter().position(|(of, _)| *of == request) {
            if let Some((_, names)) = self.asks.remove(at) {
                lay(&mut self.costs, &names, cost);
            }
            return;
        }
        if let Some((_, known)) = self.paid.iter_mut().find(|(of, _)| *of == request) {
            *known += cost;
            return;
        }
        if self.paid.len() >= COSTS_WAITING_MAX
            && let Some((_, cost)) = self.paid.pop_front()
        {
            self.unlaid.add(cost);
        }
        self.paid.push_back((request, cost));
    }
}

/// Lays a cost to whoever is named.
pub(super) fn lay(costs: &mut [Drivers<DriverName>; KINDS], names: &Names, cost: Money) {
    for (costs, name) in costs.iter_mut().zip(names) {
        if let Some(name) = name {
            costs.note(name, cost.units().unsigned_abs());
        }
    }
}

impl CallerShare {
    /// Counts what is new among lines in the order of their records, where panes up to `closed` are closed; says
    /// whether there was any. Nothing is counted before a line names somebody.
    pub fn take(
        &mut self,
        heard: &[Heard<'_>],
        closed: Option<i64>,
        safeguards: &Safeguards,
    ) -> bool {
        let Some(last) = heard.last().map(|line| line.sequence) else { return false };
        let start = match safeguards.guard {
            Guard::EachPoint => heard.partition_point(|line| line.sequence <= self.applied),
            Guard::WholeBatch if last <= self.applied => heard.len(),
            Guard::WholeBatch | Guard::None => 0,
        };
        let fresh = &heard[start..];
        let asks = |line: &Heard<'_>| matches!(line.what, Half::Asked(_));
        let begins = if self.is_begun() { Some(0) } else { fresh.iter().position(asks) };
        let Some(fresh) = begins.map(|at| &fresh[at..]).filter(|fresh| !fresh.is_empty()) else {
            return false;
        };
        for line in fresh {
            self.note(line, closed, safeguards);
        }
        self.applied = self.applied.max(last);
        let oldest = (pane_of(self.head) - CALLER_PANES_MAX).max(closed.unwrap_or(i64::MIN));
        self.panes.retain(|pane, _| *pane > oldest);
        true
    }

    /// Whether anybody was ever named.
    pub fn is_begun(&self) -> bool {
        self.since.iter().any(Option::is_some)
    }

    fn note(&mut self, line: &Heard<'_>, closed: Option<i64>, safeguards: &Safeguards) {
        // A copy of a line that names somebody waits in vain: no second report is believed.
        if let Half::Cost(_) = line.what
            && safeguards.event_ring
            && !self.events.note(line.event, TAG_MASK)
        {
            return;
        }
        let pane = pane_of(line.time);
        if let Half::Asked(access) = line.what {
            for (since, name) in self.since.iter_mut().zip(names(access)) {
                let first = *since;
                *since = first.into_iter().chain(name.map(|_| pane)).min();
            }
        }
        self.head = self.head.max(line.time);
        let oldest = pane_of(self.head) - CALLER_PANES_MAX;
        if closed.is_some_and(|closed| pane <= closed) || pane <= oldest {
            return;
        }
        let of_pane = self.panes.entry(pane).or_default();
        let request = line.request.0 >> REQUEST_SHIFT;
        match line.what {
            Half::Asked(access) => of_pane.ask(request, names(access)),
            Half::Cost(cost) => of_pane.pay(request, cost),
        }
    }

    /// The share as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(VERSION);
        write_head(&mut out, self.applied, self.head, &self.events);
        let mut before = pane_of(self.head);
        out.byte(bits(&self.since));
        self.since.iter().flatten().for_each(|since| out.signed(before - since));
        out.number(self.panes.len() as u64);
        for (number, pane) in &self.panes {
            out.signed(number - before);
            write_pane(&mut out, pane);
            before = *number;
        }
        out.bytes
    }

    /// Reads what [`CallerShare::encode`] wrote.
    ///
    /// # Errors
    /// If a later version wrote it, or nobody did.
    pub fn decode(bytes: &[u8]) -> Result<CallerShare, Unreadable> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let (applied, head, events) = read_head(&mut from)?;
        let mut share = CallerShare { applied, head, events, ..CallerShare::default() };
        let mut number = pane_of(head);
        let there = from.byte("first panes")?;
        for (_, since) in of_bits(there, &mut share.since)? {
            *since = Some(number - read_pane_number(&mut from)?);
        }
        for _ in 0..from.count(CALLER_PANES_MAX as usize, "panes")? {
            number += read_pane_number(&mut from)?;
            share.panes.insert(number, read_pane(&mut from)?);
        }
        from.end()?;
        Ok(share)
    }
}

/// A bit for each that there is, lowest first.
fn bits<T>(all: &[Option<T>; KINDS]) -> u8 {
    let there = all.iter().enumerate().filter(|(_, one)| one.is_some());
    there.map(|(nth, _)| 1 << nth).sum()
}

/// Those whose bits are set.
fn of_bits<T>(
    bits: u8,
    all: &mut [T; KINDS],
) -> Result<impl Iterator<Item = (usize, &mut T)>, Unreadable> {
    if bits >> KINDS > 0 {
        return Err(Unreadable::Damaged("kinds of callers"));
    }
    Ok(all.iter_mut().enumerate().filter(move |(nth, _)| bits >> nth & 1 == 1))
}

fn write_pane(out: &mut Writer, pane: &Asked) {
    for costs in &pane.costs {
        out.wide(costs.error());
        out.number(costs.len() as u64);
        for (name, weight) in costs.weights() {
            write_name(out, name);
            out.wide(weight);
        }
    }
    out.number(pane.asks.len() as u64);
    for (request, names) in &pane.asks {
        write_request(out, *request);
        out.byte(bits(names));
        names.iter().flatten().for_each(|name| write_name(out, name));
    }
    out.number(pane.paid.len() as u64);
    for (request, cost) in &pane.paid {
        write_request(out, *request);
        out.wide(cost.units().unsigned_abs());
    }
    out.number(pane.asks_given_up);
    let Unlaid { count, sum, most } = pane.unlaid;
    out.number(count);
    if count > 0 {
        out.wide(sum.units().unsigned_abs());
        out.wide(most.units().unsigned_abs());
    }
}

fn read_pane(from: &mut Reader<'_>) -> Result<Asked, Unreadable> {
    let mut pane = Asked::default();
    for (kind, costs) in pane.costs.iter_mut().enumerate() {
        let (error, mut weights) = (from.wide("costs")?, BTreeMap::new());
        for _ in 0..from.count(2 * SHARED_DRIVERS_MAX, "costs")? {
            let name = read_name(from, kind)?;
            weights.insert(name, from.wide("costs")?);
        }
        *costs = Drivers::of_weights(SHARED_DRIVERS_MAX, weights, error);
    }
    for _ in 0..from.count(ASKS_WAITING_MAX, "lines that wait")? {
        let request = read_request(from)?;
        let (there, mut names) = (from.byte("callers")?, Names::default());
        for (kind, name) in of_bits(there, &mut names)? {
            *name = Some(read_name(from, kind)?);
        }
        pane.asks.push_back((request, names));
    }
    for _ in 0..from.count(COSTS_WAITING_MAX, "costs that wait")? {
        let request = read_request(from)?;
        pane.paid.push_back((request, read_money(from)?));
    }
    pane.asks_given_up = from.number("lines given up")?;
    pane.unlaid.count = from.number("costs given up")?;
    if pane.unlaid.count > 0 {
        (pane.unlaid.sum, pane.unlaid.most) = (read_money(from)?, read_money(from)?);
    }
    Ok(pane)
}

fn write_request(out: &mut Writer, request: u64) {
    out.bytes.extend_from_slice(&request.to_be_bytes()[3..]);
}

fn read_request(from: &mut Reader<'_>) -> Result<u64, Unreadable> {
    let [a, b, c, d, e] = from.array("request")?;
    Ok(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
}

/// An amount; what is added to it stays within its type.
pub(super) fn read_money(from: &mut Reader<'_>) -> Result<Money, Unreadable> {
    let units = i128::try_from(from.wide("cost")? & u128::MAX >> 8);
    Ok(Money::of_units(units.unwrap_or_default()))
}

/// The name of a caller, whose kind says what it is: a tag, or an address behind the number of its bytes.
pub(super) fn write_name(out: &mut Writer, name: &DriverName) {
    match name {
        DriverName::Tag(UserTag(tag)) => out.bytes.extend_from_slice(&tag.to_be_bytes()),
        DriverName::Address(IpAddr::V4(v4)) => out.counted(&v4.octets()),
        DriverName::Address(IpAddr::V6(v6)) => out.counted(&v6.octets()),
        // What is asked for is not kept.
        DriverName::Route(_) => out.number(0),
    }
}

/// Reads what [`write_name`] wrote of the kind in that place of [`WHO`].
pub(super) fn read_name(from: &mut Reader<'_>, kind: usize) -> Result<DriverName, Unreadable> {
    const WHAT: &str = "caller";
    if kind + 1 < KINDS {
        return Ok(DriverName::Tag(UserTag(u64::from_be_bytes(from.array(WHAT)?))));
    }
    let bytes = from.counted(16, WHAT)?;
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
    let v6 = || <[u8; 16]>::try_from(bytes).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
    let address = v4.or_else(|_| v6()).map_err(|_| Unreadable::Damaged(WHAT))?;
    Ok(DriverName::Address(address))
}
