//! `--windows`: exact tumbling counts, for checking Tidewatch against anything else.
//!
//! An aggregation of its own over the same signals: exact sets per (window, key), no sketch, no cap,
//! no lateness. What does not fit the memory allowed ends the run rather than a count.

use std::io::{self, Write};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use jiff::Timestamp;
use smallvec::smallvec;
use tidewatch_core::key::{Key, KeyFields};
use tidewatch_core::signal::{Outcome, Role, Signal, SignalKind};
use tidewatch_core::tag::UserTag;
use tidewatch_core::time::{Span, Time};

use crate::settings::Tumbling;

/// Counts per (window, key).
#[derive(Debug)]
pub struct Windows {
    span: Span,
    fields: KeyFields,
    memory_bytes: usize,
    cells: HashMap<(i64, Key), Cell, FixedState>,
    names: HashMap<(u32, UserTag), Known, FixedState>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    id: u32,
    failures: u64,
    successes: u64,
    users: u64,
    unknown_users: u64,
}

/// Whether a name has been counted as an unknown one.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    unknown: bool,
}

/// The counts outgrew the memory allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// Where the window begins whose row did not fit.
    pub window_start: Time,
}

impl Windows {
    /// Counts nothing yet. `seed` should be secret.
    pub fn new(tumbling: Tumbling, memory_bytes: usize, seed: u64) -> Windows {
        Windows {
            span: tumbling.span,
            fields: smallvec![tumbling.field],
            memory_bytes,
            cells: HashMap::with_hasher(FixedState::with_seed(seed)),
            names: HashMap::with_hasher(FixedState::with_seed(seed.rotate_left(32))),
        }
    }

    /// Counts a signal, if it is about a login.
    ///
    /// # Errors
    /// If it does not fit the memory allowed.
    pub fn add(&mut self, signal: &Signal) -> Result<(), OutOfMemory> {
        let login = signal.body.auth().filter(|auth| auth.action == SignalKind::Auth);
        let Some(auth) = login else { return Ok(()) };
        let Some(key) = Key::of_auth(&self.fields, auth) else { return Ok(()) };
        let index = signal.time.0.div_euclid(self.span.0);
        let next_id = self.cells.len() as u32;
        let cell = self
            .cells
            .entry((index, key))
            .or_insert_with(|| Cell { id: next_id, ..Cell::default() });
        if auth.role == Role::Attempt {
            match auth.outcome {
                Outcome::Failure => cell.failures += u64::from(auth.attempts),
                Outcome::Success => cell.successes += u64::from(auth.attempts),
            }
        }
        if let Some(user) = auth.user {
            let unknown = auth.outcome == Outcome::Failure && auth.user_known == Some(false);
            let name = self.names.entry((cell.id, user)).or_insert_with(|| {
                cell.users += 1;
                Known::default()
            });
            if unknown && !name.unknown {
                name.unknown = true;
                cell.unknown_users += 1;
            }
        }
        if self.bytes() > self.memory_bytes {
            return Err(OutOfMemory { window_start: Time(index * self.span.0) });
        }
        Ok(())
    }

    /// What the tables take: each slot and its control byte, at the table's present capacity, and
    /// while it grows the old table beside the new.
    fn bytes(&self) -> usize {
        let cell = size_of::<((i64, Key), Cell)>() + 1;
        let name = size_of::<((u32, UserTag), Known)>() + 1;
        let slots = |capacity: usize| capacity / 7 * 8;
        (slots(self.cells.capacity()) * cell + slots(self.names.capacity()) * name) * 3 / 2
    }

    /// How many different keys there are.
    pub fn keys(&self) -> u64 {
        let mut keys: Vec<Key> = self.cells.keys().map(|(_, key)| *key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.len() as u64
    }

    /// Writes the header and the rows, sorted by window and by the key as printed; rows of zeros are
    /// left out.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        let mut rows: Vec<(i64, String, &Cell)> = self
            .cells
            .iter()
            .filter(|(_, cell)| cell.failures + cell.successes + cell.users > 0)
            .map(|((index, key), cell)| (*index, key.to_string(), cell))
            .collect();
        rows.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        writeln!(out, "window_start,key,failures,successes,distinct_users,distinct_unknown_users")?;
        for (index, key, cell) in rows {
            let start = Timestamp::from_millisecond(index * self.span.0).unwrap_or(Timestamp::MIN);
            let Cell { failures, successes, users, unknown_users, .. } = cell;
            writeln!(out, "{start},{key},{failures},{successes},{users},{unknown_users}")?;
        }
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidewatch_core::key::KeyField;
    use tidewatch_core::signal::{Auth, Body, EventId, Origin};
    use tidewatch_core::tag::EventTag;

    use super::*;

    fn signal(time: i64, source: &str, user: u64, outcome: Outcome, role: Role) -> Signal {
        let auth = Auth {
            action: SignalKind::Auth,
            role,
            outcome,
            user_known: Some(outcome == Outcome::Success),
            user: Some(UserTag(user)),
            source: Some(source.parse().unwrap()),
            asn: None,
            agent: None,
            attempts: 2,
        };
        Signal {
            time: Time(time),
            event: EventTag(0),
            origin: Origin { stream: Arc::default(), id: EventId::Offset(0) },
            body: Body::Auth(auth),
        }
    }

    fn windows(memory_bytes: usize) -> Windows {
        let tumbling = Tumbling { span: Span::seconds(300), field: KeyField::SourceIp };
        Windows::new(tumbling, memory_bytes, 1)
    }

    #[test]
    fn rows_are_sorted_and_count_attempts_and_names() {
        let mut windows = windows(1 << 20);
        for (time, source, user, outcome, role) in [
            (600_000, "198.51.100.9", 1, Outcome::Failure, Role::Attempt),
            (599_999, "198.51.100.9", 1, Outcome::Failure, Role::Mention),
            (600_001, "198.51.100.10", 1, Outcome::Failure, Role::Attempt),
            (600_001, "198.51.100.10", 1, Outcome::Success, Role::Attempt),
            (600_002, "2001:db8:1:2::9", 3, Outcome::Success, Role::Attempt),
        ] {
            windows.add(&signal(time, source, user, outcome, role)).unwrap();
        }
        let mut out = Vec::new();
        windows.write(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "window_start,key,failures,successes,distinct_users,distinct_unknown_users\n\
             1970-01-01T00:05:00Z,198.51.100.9,0,0,1,1\n\
             1970-01-01T00:10:00Z,198.51.100.10,2,2,1,1\n\
             1970-01-01T00:10:00Z,198.51.100.9,2,0,1,1\n\
             1970-01-01T00:10:00Z,2001:db8:1:2::/64,0,2,1,0\n"
        );
    }

    #[test]
    fn running_out_of_memory_names_the_window() {
        let mut windows = windows(1 << 14);
        let fault = (0..10_000u64).find_map(|n| {
            let time = n as i64 * 1_000;
            windows.add(&signal(time, "198.51.100.9", n, Outcome::Failure, Role::Attempt)).err()
        });
        assert_eq!(fault.unwrap().window_start.0 % 300_000, 0);
    }
}
