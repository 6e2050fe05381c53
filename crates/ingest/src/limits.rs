//! Every limit of ingest in one place, with its unit. What happens at each is tested where it is
//! enforced, and counted as the [`Problem`](crate::problem::Problem) named here.

/// A record's data after decompression; more is `inflate_cap`.
pub const RECORD_INFLATED_BYTES_MAX: usize = 16 << 20;

/// All records of one Kinesis event after decompression; the records beyond are `inflate_cap`. Lambda
/// takes events of 6 MB, which would be a ratio of 40.
pub const EVENT_INFLATED_BYTES_MAX: u64 = 256 << 20;
/// A log line of a local input, without its line end; more is `line_too_long`.
pub const LOG_LINE_BYTES_MAX: usize = 1 << 20;

/// A line that holds envelopes or a Kinesis event; more is `event_too_long`.
pub const EVENT_LINE_BYTES_MAX: usize = 16 << 20;

/// Objects and arrays inside each other; more is `nesting`.
pub const JSON_NESTING_MAX: usize = 64;

/// Characters of a problem's sample position.
pub const SAMPLE_CHARS_MAX: usize = 200;

/// Deflate cannot make more than this many bytes of one (RFC 1951: a 258-byte match in 2 bits).
pub const DEFLATE_RATIO_MAX: usize = 1_032;

// A record that fits must also fit when it is written out as an event line.
const _: () = assert!(LOG_LINE_BYTES_MAX < EVENT_LINE_BYTES_MAX);
// serde_json refuses at 128; ours must decide first.
const _: () = assert!(JSON_NESTING_MAX < 128);

/// Damaged envelopes in one payload, after which the rest of it is given up: looking for the next
/// envelope costs a pass over the rest.
pub const DAMAGED_ENVELOPES_MAX: usize = 16;

/// Log groups and inputs of which a survey keeps counts; those beyond are counted together.
pub const SURVEYED_GROUPS_MAX: usize = 10_000;

/// Lines of a group that a survey may be told to keep, at most.
pub const SURVEYED_LINES_MAX: usize = 1_000_000;
