//! A share: what one shard has contributed to one key, and how far that shard was read.
//!
//! Invariant: a share is a function of its shard's records up to `applied` and of nothing else, but for
//! tags that its lists left out because others had newer ones, and first sightings taken over from others
//! (see [`Share::trim`]). So whoever serves the shard next, however often a record comes again and wherever
//! batches are cut, writes the same.
//!
//! The encoding does not depend on which detectors are loaded. Numbers are as in
//! [`crate::table_store::bytes`], `head` in milliseconds, all other times in whole seconds before `head`
//! rounded up to a second:
//!
//! ```text
//! version · applied: length, bytes · head
//! event tags: number, 3 bytes each, oldest first
//! rungs: number; each: panes, newest first: number; each
//!   the pane before the last (the head's at first), one kind of signal counted in it: one byte, 3 bits
//!     of kind and 4 of its count; from 15 on what it is more follows as a number
//!   any other: one byte, the top bit and a bit for each kind that is counted in it; panes older than
//!     the last; their counts
//! lists, once for each generation of tag keys there is
//!   tags: number; newest first: 4 bytes of tag, 4 bits of list, 4 bits of seconds before the last one;
//!     from 15 on what it is more follows as a number; from version 4 on and in lists of who got in, and
//!     from where: steps of two minutes from the first sighting to the last, each rounded up, a number
//!   forgotten: number; each: list, seconds before head of the newest sighting that is listed no more
//! sources: number; each: 4 or 16, address, seconds before head, attempts
//! ```
//!
//! Of accesses only two kinds of signal occur, 0 that are refused and 3 that are not: there the two kinds that follow
//! each count what was sent back, in units of 1,024 bytes and the rest.
//!
//! A list is 8 × field (user, source) + kind of signal, or 15 for all sources of the key; 6 and 7 are what was asked
//! for, and refused or not. The version
//! says whose lists there are: 1 those of even generations, 2 of odd ones, 3 even ones and then odd ones.
//! What has no lists is version 1. So a share is as small under any one key, and only while a key is
//! being replaced it is larger. 4, 5 and 6 are the same with first sightings, and written only where somebody
//! got in: shares of failures alone are as they always were. In a share of 1, 2 or 3 the first sighting of who
//! got in is the last: that is the oldest that is sure, so who it was counts as new for some hours, as before
//! all of them did.

use std::net::IpAddr;

use crate::contribution::Contribution;
use crate::detector::DistinctField;
use crate::distinct::{DistinctList, Keeping, Room};
use crate::key_ring::Generation;
use crate::panes::Ring;
use crate::plan::KeyPlan;
use crate::retention::SHARED_RUNGS;
use crate::safeguards::{Guard, Safeguards};
use crate::seen::Seen;
use crate::sequence::Sequence;
use crate::shape::{Class, KINDS};
use crate::sources::{Behind, Sources};
use crate::state::{ClassList, KeyState};
use crate::table_store::bytes::{Reader, Unreadable, Writer};
use crate::tag::EventTag;
use crate::time::Time;

/// The newest version of the encoding.
pub const VERSION: u8 = BOTH + FIRSTS;

/// The version of a share with lists of even generations only.
const EVEN: u8 = 1;

/// With lists of odd generations only.
const ODD: u8 = 2;

/// With lists of both.
const BOTH: u8 = 3;

/// So much higher is the version of a share that tells first sightings.
const FIRSTS: u8 = 3;

/// The list of all sources behind a key.
const ALL_SOURCES: u8 = 15;

/// The list of what was asked for and refused; the next is of what was not.
const RESOURCES: u8 = 6;

/// How many kinds of signal lie between those two.
const RESOURCE_KINDS: u8 = 3;

/// More tags, panes or sources than this no share has.
const ENTRIES_MAX: usize = 16 * 64;

const SECOND: i64 = 1_000;

/// What four bits cannot tell: it is at least this.
const NIBBLE: u64 = 15;

/// Marks a pane that is not told in one byte.
const OTHER_PANE: u8 = 0x80;

/// One shard's share in one key.
#[derive(Clone, Debug, Default)]
pub struct Share {
    /// The last record that is counted in it.
    pub applied: Sequence,
    /// What was counted; no episodes.
    pub state: KeyState,
}

/// What became of a contribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Whether the share has changed.
    pub fresh: bool,
    /// Points behind everything kept.
    pub late: u64,
    /// Points of events that had been counted.
    pub repeated: u64,
}

impl Share {
    /// Counts what is new in a contribution.
    pub fn take(
        &mut self,
        plan: &KeyPlan,
        contribution: &Contribution,
        safeguards: &Safeguards,
    ) -> Taken {
        let Some((_, last)) = contribution.sequences() else { return Taken::default() };
        let start = match safeguards.guard {
            Guard::EachPoint => contribution.start_after(self.applied),
            Guard::WholeBatch if last <= self.applied => contribution.points.len(),
            Guard::WholeBatch | Guard::None => 0,
        };
        let points = &contribution.points[start..];
        let mut taken = Taken { fresh: !points.is_empty(), ..Taken::default() };
        for (nth, point) in points.iter().enumerate() {
            let mut point = *point;
            if !safeguards.event_ring {
                // A tag nobody else has.
                point.event = EventTag((nth as u64 + 1) << 40 ^ point.time.0 as u64);
                self.state.events.clear();
            }
            let absorbed = self.state.absorb(plan, &contribution.key, &point, Room::NoSketches);
            taken.late += u64::from(absorbed.late);
            taken.repeated += u64::from(absorbed.repeated);
            if let Some(again) = contribution.again.get(start + nth).filter(|_| !absorbed.dropped) {
                self.state.list_again(plan, &contribution.key, &point, again);
            }
        }
        self.state.forget_tags(plan);
        self.state.move_panes(plan);
        self.applied = self.applied.max(last);
        taken
    }

    /// Leaves out tags that the window of all shards has no use for, as far as `others`, what the other
    /// shards had at some time, shows: those it has seen more recently, and those that are not among
    /// its and our most recent together.
    ///
    /// However old that view is, the most recent tags of all shards stay in some share: a tag is left
    /// out only for as many others as a list holds, each really seen more recently.
    ///
    /// So does the first sighting of each: one that others do not know keeps its tag here, until they have taken
    /// it over.
    pub fn trim(&mut self, plan: &KeyPlan, others: &KeyState, safeguards: &Safeguards) {
        let head = self.state.head.max(others.head);
        let keeping = Keeping { head, ..self.state.keeping(plan, Room::NoSketches) };
        for mine in &mut self.state.lists {
            let same = |list: &&ClassList| list.field == mine.field && list.class == mine.class;
            if let Some(theirs) = others.lists.iter().find(same) {
                let firsts = mine.firsts && safeguards.keep_firsts;
                mine.list.leave_out(&theirs.list, Keeping { firsts, ..keeping });
            }
        }
        if let (Some(mine), Some(theirs)) = (&mut self.state.sources, &others.sources) {
            mine.leave_out(theirs, keeping);
        }
    }

    /// The share as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let lists = Generation::ALL.map(|generation| self.lists_of(generation));
        let version = match lists.each_ref().map(|lists| lists.is_empty()) {
            [_, true] => EVEN,
            [true, false] => ODD,
            [false, false] => BOTH,
        };
        let tells = |(code, list): &(u8, &DistinctList)| tells_firsts(*code) && !list.is_empty();
        let firsts = lists.iter().flatten().any(tells);
        out.byte(if firsts { version + FIRSTS } else { version });
        out.counted(self.applied.bytes());
        out.signed(self.state.head.0);
        let tags = self.state.events.tags();
        out.number(tags.len() as u64);
        tags.for_each(|tag| out.bytes.extend_from_slice(&tag.to_be_bytes()[..3]));
        self.encode_panes(&mut out);
        for generation in generations(version) {
            self.encode_lists(&lists[*generation as usize], &mut out);
        }
        self.encode_sources(&mut out);
        out.bytes
    }

    fn encode_panes(&self, out: &mut Writer) {
        out.number(self.state.rings.len() as u64);
        for (ring, rung) in self.state.rings.iter().zip(&SHARED_RUNGS) {
            let (mut last, mut expected) = (rung.index(self.state.head), 0);
            out.number(ring.panes().count() as u64);
            for (index, _, counts) in ring.panes().rev() {
                let older = last - index;
                last = index;
                let counted = |kind: &usize| counts.get(*kind).is_some_and(|count| *count > 0);
                let mut kinds = (0..KINDS).filter(counted);
                match (kinds.next(), kinds.next()) {
                    (Some(kind), None) if older == expected => {
                        let count = u64::from(counts[kind]);
                        out.byte((kind as u8) << 4 | count.min(NIBBLE) as u8);
                        if count >= NIBBLE {
                            out.number(count - NIBBLE);
                        }
                    }
                    _ => {
                        let kinds: u8 = (0..KINDS).filter(counted).map(|kind| 1 << kind).sum();
                        out.byte(OTHER_PANE | kinds);
                        out.number(older as u64);
                        (0..KINDS)
                            .filter(counted)
                            .for_each(|kind| out.number(u64::from(counts[kind])));
                    }
                }
                expected = 1;
            }
        }
    }

    /// The lists of a generation that say something, each with its code there.
    fn lists_of(&self, generation: Generation) -> Vec<(u8, &DistinctList)> {
        let lists = self.state.lists.iter();
        let coded = lists.filter_map(|ClassList { field, class, list, .. }| {
            let (of, class) = Generation::of(*class);
            (of == generation).then_some((list_code(*field, class), list))
        });
        let all = self.state.sources.as_ref().and_then(|sources| sources.all_of(generation));
        let coded = coded.chain(all.map(|all| (ALL_SOURCES, all)));
        coded.filter(|(_, list)| !list.is_empty() || list.evicted().is_some()).collect()
    }

    fn encode_lists(&self, coded: &[(u8, &DistinctList)], out: &mut Writer) {
        let mut tags: Vec<(i64, u8, u64, u64)> = Vec::new();
        for (code, list) in coded {
            let told = |seen: &Seen| {
                let steps = if tells_firsts(*code) { seen.steps() } else { 0 };
                (seen.last().0.div_euclid(SECOND), *code, seen.tag, steps)
            };
            tags.extend(list.seen().iter().map(told));
        }
        tags.sort_unstable_by(|a, b| b.cmp(a));
        out.number(tags.len() as u64);
        let mut last = second(self.state.head);
        for (second, code, tag, steps) in tags {
            let before = (last - second).max(0) as u64;
            last = second.min(last);
            out.bytes.extend_from_slice(&tag.to_be_bytes()[..4]);
            out.byte(code << 4 | before.min(NIBBLE) as u8);
            if before >= NIBBLE {
                out.number(before - NIBBLE);
            }
            if tells_firsts(code) {
                out.number(steps);
            }
        }
        let forgotten = coded.iter().filter_map(|(code, list)| Some((*code, list.evicted()?)));
        let forgotten: Vec<(u8, Time)> = forgotten.collect();
        out.number(forgotten.len() as u64);
        for (code, time) in forgotten {
            out.byte(code);
            out.number((second(self.state.head) - time.0.div_euclid(SECOND)).max(0) as u64);
        }
    }

    fn encode_sources(&self, out: &mut Writer) {
        let recent = self.state.sources.as_ref().map_or(&[][..], |sources| sources.recent());
        out.number(recent.len() as u64);
        for Behind { last, address, attempts } in recent {
            match address {
                IpAddr::V4(v4) => out.counted(&v4.octets()),
                IpAddr::V6(v6) => out.counted(&v6.octets()),
            }
            out.number((second(self.state.head) - last.0.div_euclid(SECOND)).max(0) as u64);
            out.number(*attempts);
        }
    }

    /// Reads what [`Share::encode`] wrote. Panes of rungs that `plan` has no window for are left out.
    ///
    /// # Errors
    /// If a later version wrote it, or nobody did.
    pub fn decode(plan: &KeyPlan, bytes: &[u8]) -> Result<Share, Unreadable> {
        let mut from = Reader::new(bytes);
        let version = from.version(VERSION)?;
        let applied = Sequence::from_bytes(from.counted(bytes.len(), "sequence number")?);
        let applied = applied.ok_or(Unreadable::Damaged("sequence number"))?;
        let head = Time(from.signed("newest time")?);
        if !(Time::MIN..Time(i64::MAX / 4)).contains(&head) {
            return Err(Unreadable::Damaged("newest time"));
        }
        let mut state = KeyState { head, ..KeyState::default() };
        for _ in 0..from.count(crate::limits::EVENT_RING_TAGS, "event tags")? {
            let [a, b, c] = from.array("event tag")?;
            state.events.push(u32::from_be_bytes([a, b, c, 0]));
        }
        decode_panes(plan, &mut state, &mut from)?;
        for generation in generations(version) {
            decode_lists((*generation, version > BOTH), &mut state, &mut from)?;
        }
        decode_sources(&mut state, &mut from)?;
        from.end()?;
        state.move_panes(plan);
        Ok(Share { applied, state })
    }
}

fn decode_panes(
    plan: &KeyPlan,
    state: &mut KeyState,
    from: &mut Reader<'_>,
) -> Result<(), Unreadable> {
    let rungs = from.count(SHARED_RUNGS.len(), "rungs")?;
    if rungs > 0 {
        state.rings = vec![Ring::default(); plan.retention.counters.len()];
    }
    for (at, rung) in SHARED_RUNGS.iter().enumerate().take(rungs) {
        let (mut index, mut expected) = (rung.index(state.head), 0);
        let mut panes = Vec::new();
        for _ in 0..from.count(ENTRIES_MAX, "panes")? {
            let (older, counts) = decode_pane(from, expected)?;
            expected = 1;
            index = index.checked_sub(older).ok_or(Unreadable::Damaged("pane"))?;
            let start = index.checked_mul(rung.pane.0).ok_or(Unreadable::Damaged("pane"))?;
            panes.push((index, Time(start), counts));
        }
        // Oldest first is how a ring grows; a rung without a window here has nowhere to go.
        if let Some(ring) = state.rings.get_mut(at) {
            for (index, start, counts) in panes.into_iter().rev() {
                for (kind, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0)
                {
                    ring.add(index, start, kind, KINDS, count);
                }
            }
        }
    }
    Ok(())
}

/// The second that ends at or after the newest event: what times are told from.
fn second(head: Time) -> i64 {
    (head.0 + SECOND - 1).div_euclid(SECOND)
}

/// How many panes a pane is older than the last, and its counts by kind.
fn decode_pane(from: &mut Reader<'_>, expected: i64) -> Result<(i64, [u64; KINDS]), Unreadable> {
    let damaged = || Unreadable::Damaged("pane");
    let mut counts = [0; KINDS];
    let first = from.byte("pane")?;
    if first & OTHER_PANE == 0 {
        let count = counts.get_mut(usize::from(first >> 4)).ok_or_else(damaged)?;
        *count = nibble(from, first, "pane")?;
        return Ok((expected, counts));
    }
    let older = i64::try_from(from.number("pane")?).map_err(|_| damaged())?;
    for kind in (0..KINDS).filter(|kind| first >> kind & 1 == 1) {
        counts[kind] = from.number("count")?;
    }
    Ok((older, counts))
}

/// A number that begins with the low four bits of `first`.
fn nibble(from: &mut Reader<'_>, first: u8, what: &'static str) -> Result<u64, Unreadable> {
    match u64::from(first & 0xf) {
        NIBBLE => from.number(what)?.checked_add(NIBBLE).ok_or(Unreadable::Damaged(what)),
        small => Ok(small),
    }
}

/// Whose lists a share of this version has, in order.
fn generations(version: u8) -> &'static [Generation] {
    match if version > BOTH { version - FIRSTS } else { version } {
        EVEN => &[Generation::Even],
        ODD => &[Generation::Odd],
        _ => &Generation::ALL,
    }
}

/// Whether a list, by its code in its generation, is one of who got in, or from where.
fn tells_firsts(code: u8) -> bool {
    let is_success = |kind: u8| (KINDS as u8 / 2..KINDS as u8).contains(&kind);
    is_success(code) && code < RESOURCES || (8..ALL_SOURCES).contains(&code) && is_success(code - 8)
}

fn decode_lists(
    (generation, firsts): (Generation, bool),
    state: &mut KeyState,
    from: &mut Reader<'_>,
) -> Result<(), Unreadable> {
    let second = Time(second(state.head) * SECOND);
    let mut last = second;
    for _ in 0..from.count(ENTRIES_MAX, "tags")? {
        let [a, b, c, d] = from.array("tag")?;
        let tag = u64::from_be_bytes([a, b, c, d, 0, 0, 0, 0]);
        let first = from.byte("tag")?;
        let before = i64::try_from(nibble(from, first, "tag")?).ok();
        let before = before.and_then(|seconds| seconds.checked_mul(SECOND));
        let seen = before.and_then(|before| last.0.checked_sub(before));
        last = seen.filter(|ms| *ms > Time::MIN.0).map(Time).ok_or(Unreadable::Damaged("tag"))?;
        let code = first >> 4;
        let seen = match tells_firsts(code) {
            false => Seen::last_at(tag, last),
            true => {
                // What an older version wrote was surely seen then.
                let steps = if firsts { from.number("first sighting")? } else { 0 };
                let seen = Seen::since(tag, last, steps);
                seen.ok_or(Unreadable::Damaged("first sighting"))?
            }
        };
        coded_list(state, generation, code)?.restore(seen);
    }
    for _ in 0..from.count(16, "forgotten")? {
        let code = from.byte("forgotten")?;
        let time = from.ago(second, SECOND, "forgotten")?;
        coded_list(state, generation, code)?.forgotten(time);
    }
    Ok(())
}

fn decode_sources(state: &mut KeyState, from: &mut Reader<'_>) -> Result<(), Unreadable> {
    let second = Time(second(state.head) * SECOND);
    for _ in 0..from.count(ENTRIES_MAX, "sources")? {
        let address = from.counted(16, "source")?;
        let address = match (<[u8; 4]>::try_from(address), <[u8; 16]>::try_from(address)) {
            (Ok(v4), _) => IpAddr::from(v4),
            (_, Ok(v6)) => IpAddr::from(v6),
            _ => return Err(Unreadable::Damaged("source")),
        };
        let last = from.ago(second, SECOND, "source")?;
        let attempts = from.number("source")?;
        let sources: &mut Sources = state.sources.get_or_insert_default();
        sources.restore(Behind { last, address, attempts });
    }
    Ok(())
}

/// The code of a list of the shared home, whose class is one kind's bit: in an odd generation 16 more
/// than in an even one.
pub(crate) fn list_code(field: DistinctField, class: Class) -> u8 {
    let (generation, class) = Generation::of(class);
    let kind = class.trailing_zeros() as u8;
    let code = match field {
        DistinctField::User => kind,
        DistinctField::SourceIp => 8 + kind,
        DistinctField::Resource => RESOURCES + kind / RESOURCE_KINDS,
    };
    16 * generation as u8 + code
}

/// The list with `code` in its generation, made where it is missing.
fn coded_list(
    state: &mut KeyState,
    generation: Generation,
    code: u8,
) -> Result<&mut DistinctList, Unreadable> {
    if code == ALL_SOURCES {
        return Ok(state.sources.get_or_insert_default().all_mut(generation));
    }
    let (field, kind) = match code {
        RESOURCES | 7 => (DistinctField::Resource, (code - RESOURCES) * RESOURCE_KINDS),
        ..8 => (DistinctField::User, code),
        8.. => (DistinctField::SourceIp, code - 8),
    };
    if usize::from(kind) >= KINDS || code > ALL_SOURCES {
        return Err(Unreadable::Damaged("list"));
    }
    Ok(state.list(field, generation.class(1 << kind), tells_firsts(code)))
}
