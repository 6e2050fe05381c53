//! Every limit of the core in one place, with its unit. What happens at each is tested where it is
//! enforced, and reported in the run's statistics.

use crate::time::{Span, Time};

/// Most recent tags a distinct list keeps per class; exact below, a sketch beyond.
pub const DISTINCT_LIST_TAGS_MAX: usize = 256;

/// The same in the shared home, where every entry is written again with each batch.
pub const SHARED_LIST_TAGS_MAX: usize = 48;

/// The most recent tags a list of successes keeps in memory, where a detector asks since when they are seen: enough
/// for an office.
pub const REMEMBERED_TAGS_MAX: usize = 512;

/// How long who got in is remembered after the last time, where a detector asks since when: from the start of
/// Friday to noon on Monday, and some hours.
pub const REMEMBERED: Span = Span::minutes(4 * 24 * 60);

/// The longest a detector may call a tag new: half of what is remembered, so that who comes every other day is known.
pub const NEW_WITHIN_MAX: Span = Span(REMEMBERED.0 / 2);

/// Source addresses a key of the shared home keeps.
pub const SHARED_SOURCES_MAX: usize = 8;

/// The last event tags a key remembers, per shard, to know a second delivery by.
pub const EVENT_RING_TAGS: usize = 16;

/// Episodes kept of one detector for one key, closed ones included.
pub const EPISODES_MAX: usize = 4;

/// The shortest window of the shared home, whose finest pane is a minute.
pub const SHARED_WINDOW_MIN: Span = Span::minutes(5);

/// The longest window of the shared home.
pub const SHARED_WINDOW_MAX: Span = Span::minutes(24 * 60);

/// The largest number a distinct count of the shared home can be compared with, unless a sketch stands
/// behind it: two thirds of a list, so that a list that is shared by several windows still decides.
pub const SHARED_THRESHOLD_MAX: usize = SHARED_LIST_TAGS_MAX * 2 / 3;

/// How often a latch that others keep changing is tried before the batch is given back.
pub const LATCH_TRIES_MAX: usize = 16;

/// How far back an event time may lie when it arrives (CloudWatch Logs accepts the same).
pub const AGE_MAX: Span = Span::minutes(14 * 24 * 60);

/// Panes of the sketches behind one list of the shared home: a window of 24 h touches five.
pub const SKETCH_PANES_MAX: usize = 6;

/// How long everything is tagged under two keys before the newer one's tags are judged. An event that comes
/// as late as the longest window of the shared home is judged in a window that reaches back by one more;
/// and an hour in which processes learn of the new key, and for clocks that differ.
pub const ROTATION_OVERLAP: Span = Span(2 * SHARED_WINDOW_MAX.0 + Span::minutes(60).0);

/// How long after that the older key's lists are still written, for processes that still judge by them:
/// clocks may differ by two hours.
pub const ROTATION_TRAIL: Span = Span::minutes(3 * 60);

/// How long a record may come again: a stream's retention, and a day more.
pub const REDELIVERY_MAX: Span = Span::minutes(2 * 24 * 60);

/// How long a message the tick has claimed is left to that tick; the next but one takes it over.
pub const TICK_LEASE: Span = Span::seconds(90);

/// Index entries of one partition that a tick looks at.
pub const DUE_ITEMS_MAX: usize = 1_000;

/// The largest item a table takes, in bytes.
pub const ITEM_BYTES_MAX: usize = 400 * 1_024;

/// Bytes of an item that shares leave free, for its keys, its numbers and its episodes: a finding must
/// not want for room because counts have taken all of it.
pub const EPISODES_BYTES: usize = 8 * 1_024;

/// Log events a finding quotes.
pub const SAMPLES_MAX: usize = 4;

/// User agents whose names are kept, for findings to show.
pub const AGENTS_NAMED_MAX: usize = 10_000;

/// Bytes of a user agent that are shown.
pub const AGENT_BYTES_SHOWN_MAX: usize = 256;

/// Names that a finding lists.
pub const ACCOUNTS_MAX: usize = 256;

/// Sources that a finding which speaks for many lists.
pub const MEMBERS_MAX: usize = 1_000;

/// Campaigns that are remembered to be one source's; beyond it all of them are looked at again.
pub const DECLINED_MAX: usize = 10_000;

/// Source addresses a /64 keeps.
pub const SOURCES_OF_NET_MAX: usize = 8;

/// Source addresses a finding about another key names.
pub const SOURCES_NAMED_MAX: usize = 32;

/// Source addresses another key keeps, to find the top ones among them.
pub const SOURCES_KEPT_MAX: usize = 128;

/// Event times before this are rejected: 2000-01-01T00:00:00Z.
pub const TIME_MIN: Time = Time(946_684_800_000);

/// How far after the run's start an event time may lie (CloudWatch Logs accepts the same).
pub const FUTURE_MAX: Span = Span::minutes(120);

/// A window is cut into at least this many panes.
pub const PANES_PER_WINDOW_MIN: i64 = 30;

/// The shortest window a detector may have.
pub const WINDOW_MIN: Span = Span::seconds(1);

/// The longest window a detector may have.
pub const WINDOW_MAX: Span = Span::minutes(7 * 24 * 60);

/// Entries of an allowlist: each is asked of every signal.
pub const ALLOWED_MAX: usize = 1_000;

/// Findings held back by an allowlist that are known to go on; beyond, one that goes on may be counted as
/// another.
pub const HELD_BACK_MAX: usize = 100_000;

/// Detectors that may be loaded at once.
pub const DETECTORS_MAX: usize = 1_000;

/// Measures of one kind that all detectors on one key may have together: a class is a bit set.
pub const MEASURES_PER_KEY_MAX: usize = 64;

/// The longest an invocation may run, in milliseconds: 15 minutes, and a second to be stopped in (AWS,
/// "Lambda quotas").
pub const INVOCATION_MS_MAX: u64 = 901_000;

/// The longest a new environment may take to start, in milliseconds: as long where concurrency is
/// provisioned or a snapshot is made (AWS, "Lambda execution environment").
pub const INIT_MS_MAX: u64 = 900_000;

/// The longest start that may be billed without being told of, in milliseconds: one that failed at its limit
/// of 10 s and is made up for within the invocation; and the rounding of what is billed.
pub const UNTOLD_INIT_MS_MAX: u64 = 10_000;

/// The least memory a function may have, in MB (AWS, "Lambda quotas").
pub const MEMORY_MB_MIN: u64 = 128;

/// The most memory a function may have, in MB (AWS, "Lambda quotas").
pub const MEMORY_MB_MAX: u64 = 10_240;

/// How long panes of five minutes are kept of a function.
pub const BOOK_MINUTES_KEPT: Span = Span::minutes(24 * 60);

/// How long panes of an hour are kept of a function.
pub const BOOK_HOURS_KEPT: Span = Span::minutes(5 * 7 * 24 * 60);

/// Versions that are remembered of a function, the newest.
pub const VERSIONS_MAX: usize = 16;

/// Functions a ledger keeps apart; what further ones take is counted together.
pub const FUNCTIONS_MAX: usize = 10_000;

/// Requests that wait to be brought together with their reports, or the other way round.
pub const REQUESTS_WAITING_MAX: usize = 65_536;

/// Bytes of one response beyond which it is not believed: 1 TiB, a day at 100 Mbit/s. Whoever gets a number into
/// a log must not be able to spoil a sum.
pub const BYTES_OUT_MAX: u64 = 1 << 40;

/// The longest route that is told, in bytes.
pub const ROUTE_BYTES_MAX: usize = 200;

/// Names of which drivers of cost are kept, of each kind; the error of each is at most one in so many of all.
pub const DRIVERS_MAX: usize = 256;

/// Panes of five minutes that a shard keeps of a function in the shared home until they are closed: two hours, for
/// the tick closes what is an hour old, and may itself be late.
pub const OPEN_PANES_MAX: i64 = 24;

/// Panes of five minutes of which a shard keeps who asked for a function in the shared home: that which goes on, one
/// that waits to be closed, and two more for a tick that is late.
pub const CALLER_PANES_MAX: i64 = 4;

/// How long what callers cost in a pane is kept in the shared home, by function: longer than it takes until each caller's
/// past is stored again.
pub const COSTS_KEPT: Span = Span::minutes(4 * 24 * 60);

/// So many panes after one was over callers are judged by it although some function could not be looked at.
pub const RIDERS_WAIT_PANES: i64 = 3;

/// Messages about callers that follow from one tick, in bytes: some hundreds. What is beyond is left out and counted.
pub const RIDER_MESSAGES_BYTES_MAX: usize = 200 * 1_024;

/// Callers whose pasts are stored by one tick.
pub const CALLERS_STORED_MAX: usize = 16;

/// Names of which a shard keeps what they cost in a pane, of each kind: exactly up to twice as many, beyond as
/// [`DRIVERS_MAX`].
pub const SHARED_DRIVERS_MAX: usize = 32;

/// Requests of a pane that a shard keeps of which it is known who asked, and not yet what they cost: those that were
/// running when a batch was cut.
pub const ASKS_WAITING_MAX: usize = 64;

/// The same of which it is known what they cost, and not who asked: an application says that while it runs, so it is
/// seldom later.
pub const COSTS_WAITING_MAX: usize = 16;

/// Versions of a function that a shard remembers to have seen in them.
pub const SHARED_VERSIONS_MAX: usize = 4;

/// After so long by the clock a pane of a function is over in the shared home, even if nothing newer has come of any
/// function: the stream may lag by as much before what has not come yet looks like silence.
pub const CLOSED_AFTER_MAX: Span = Span::minutes(60);

/// Panes of one function that a tick closes; the others have their turn at the next.
pub const PANES_A_TICK_MAX: usize = 48;

/// How long what is known of a function is kept after it was written last: the five weeks that its numbers are
/// compared with, and five days.
pub const FUNCTION_KEPT: Span = Span::minutes(40 * 24 * 60);

/// Bytes of series that a process remembers of functions, so that it need not read them again.
pub const SERIES_BYTES_MAX: usize = 64 << 20;

/// Callers whose dollars are weighed against their past, in one process: those that cost most of late. Each has a series
/// of 20 KB after five weeks.
pub const CALLERS_WATCHED_MAX: usize = 1_000;

/// Functions of one caller of which it is known when it first used them; further ones are new to nobody.
pub const CALLER_FUNCTIONS_MAX: usize = 64;

/// What the names of the functions whose budget is one may take together, in bytes: 2,000 of 100 each. Further functions
/// are counted and are in no such budget.
pub const TALLY_NAMES_BYTES_MAX: usize = 200 * 1_000;

/// Functions whose numbers are weighed against their past, in one process; further ones are counted only.
pub const FUNCTIONS_WATCHED_MAX: usize = 2_000;
