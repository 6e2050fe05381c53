//! The episodes of one key as one value of its main item, which is only ever replaced as a whole.
//!
//! Encoding, version 1: version · episodes: number; each: detector, start, seconds from start (signed,
//! rounded down) to the first event seen, milliseconds from start to the last raise, one byte with the
//! severity (3 bits), whether it is closed, and by how many messages those claimed are ahead of those
//! published (2 bits; 3 says that a number follows), messages published, claimant, seconds from start
//! to the claim, the number last reported and the largest, rounded. A detector is the first 4 bytes of
//! SHA-256 of its id, so that a value outlives the order in which detectors are loaded; the episodes of
//! one that is not loaded are kept as they are.

use smallvec::SmallVec;

use crate::detector::Severity;
use crate::episode::{Episode, Episodes};
use crate::limits::{DETECTORS_MAX, EPISODES_MAX};
use crate::plan::{DetectorPlan, KeyPlan, Plan};
use crate::sequence::ShardId;
use crate::store::free_at;
use crate::table_store::bytes::{Reader, Unreadable, Writer};
use crate::time::{Span, Time};

/// The newest version of the encoding.
pub const VERSION: u8 = 1;

const CLOSED: u8 = 0x08;

const AHEAD: u8 = 0x30;

const AHEAD_MORE: u32 = 3;

/// The episodes of a key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latches {
    /// Of the detectors that are loaded.
    pub episodes: Episodes,
    /// Of others.
    foreign: Vec<(u32, Episode)>,
}

impl Latches {
    /// These episodes, and no others.
    pub fn new(episodes: Episodes) -> Latches {
        Latches { episodes, foreign: Vec::new() }
    }

    /// As bytes.
    pub fn encode(&self, plan: &Plan) -> Vec<u8> {
        let own =
            self.episodes.iter().map(|(id, episode)| (plan.names[usize::from(id.0)], episode));
        let foreign = self.foreign.iter().map(|(name, episode)| (*name, episode));
        let all: Vec<(u32, &Episode)> = own.chain(foreign).collect();
        let mut out = Writer::default();
        out.byte(VERSION);
        out.number(all.len() as u64);
        for (detector, episode) in all {
            out.bytes.extend_from_slice(&detector.to_be_bytes());
            encode(&mut out, episode);
        }
        out.bytes
    }

    /// Reads what [`Latches::encode`] wrote.
    ///
    /// # Errors
    /// If a later version wrote it, or nobody did.
    pub fn decode(plan: &Plan, key: &KeyPlan, bytes: &[u8]) -> Result<Latches, Unreadable> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let mut latches = Latches::default();
        for _ in 0..from.count(DETECTORS_MAX * EPISODES_MAX, "episodes")? {
            let detector = u32::from_be_bytes(from.array("detector")?);
            let episode = decode(&mut from)?;
            let named = |own: &&DetectorPlan| plan.names[usize::from(own.id.0)] == detector;
            match key.detectors.iter().find(named) {
                None => latches.foreign.push((detector, episode)),
                Some(own) => {
                    let put = latches.episodes.put(own.id, episode);
                    put.map_err(|_| Unreadable::Damaged("episodes"))?;
                }
            }
        }
        from.end()?;
        Ok(latches)
    }

    /// When somebody should look at the key: when its first episode may be over, or the first message
    /// that was claimed may be published by anybody. `None` where nothing is to be told any more.
    pub fn due(&self, plan: &Plan, lease: Span) -> Option<Time> {
        let pending = self.episodes.iter().filter(|(_, episode)| episode.is_pending());
        pending
            .map(|(detector, episode)| {
                let quiet = plan.detector(*detector).quiet;
                let over = (!episode.closed).then(|| episode.due(quiet));
                let free = episode.is_unconfirmed().then(|| free_at(episode, lease));
                over.into_iter().chain(free).min().unwrap_or(Time::MIN)
            })
            .min()
    }
}

/// When an episode that was read is next worth a report: that it was told then is not kept.
pub(crate) fn next_report(last: Time) -> Time {
    last.plus(Span::minutes(1))
}

fn encode(out: &mut Writer, episode: &Episode) {
    let start = episode.start.0;
    let seconds = |time: Time| time.0.saturating_sub(start).div_euclid(1_000);
    out.signed(start);
    out.signed(seconds(episode.first_seen));
    out.signed(episode.last.0 - start);
    let ahead = episode.claimed.saturating_sub(episode.published);
    let closed = if episode.closed { CLOSED } else { 0 };
    out.byte(episode.severity as u8 | closed | (ahead.min(AHEAD_MORE) as u8) << 4);
    if ahead >= AHEAD_MORE {
        out.number(ahead.into());
    }
    out.number(episode.published.into());
    out.number(episode.claimant.0.wrapping_add(1).into());
    out.signed(seconds(episode.claimed_at));
    out.number(episode.reported.round() as u64);
    out.number(episode.peak.round() as u64);
}

fn decode(from: &mut Reader<'_>) -> Result<Episode, Unreadable> {
    const WHAT: &str = "episode";
    let damaged = || Unreadable::Damaged(WHAT);
    let time = |ms: i64| {
        let within = (Time::MIN.0..i64::MAX / 4).contains(&ms);
        within.then_some(Time(ms)).ok_or_else(damaged)
    };
    let start = time(from.signed(WHAT)?)?;
    let since = |steps: i64, step: i64| {
        let ms = steps.checked_mul(step).and_then(|ms| start.0.checked_add(ms));
        ms.ok_or_else(damaged).and_then(time)
    };
    let first_seen = since(from.signed(WHAT)?, 1_000)?;
    let last = since(from.signed(WHAT)?, 1)?;
    let flags = from.byte(WHAT)?;
    let severity = flags & !CLOSED & !AHEAD;
    let severity = Severity::ALL.into_iter().find(|known| *known as u8 == severity);
    let mut count = || u32::try_from(from.number(WHAT)?).map_err(|_| damaged());
    let ahead = match u32::from(flags & AHEAD) >> 4 {
        AHEAD_MORE => count()?,
        few => few,
    };
    let published = count()?;
    let claimed = published.checked_add(ahead).ok_or_else(damaged)?;
    let claimant = ShardId(count()?.wrapping_sub(1));
    let claimed_at = since(from.signed(WHAT)?, 1_000)?;
    let (reported, peak) = (from.number(WHAT)? as f64, from.number(WHAT)? as f64);
    Ok(Episode {
        start,
        first_seen,
        last,
        severity: severity.ok_or_else(damaged)?,
        reported,
        peak,
        next_report: next_report(last),
        claimed,
        published,
        closed: flags & CLOSED != 0,
        claimant,
        claimed_at,
        samples: SmallVec::new(),
    })
}
