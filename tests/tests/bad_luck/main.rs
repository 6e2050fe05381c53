//! Bad luck: what must happen when the shared state's host, its values or its clocks fail. Each test is
//! one row of the table in SHARED-STATE.md and says what is counted, what is acknowledged, what is
//! reported, and that the shard goes on afterwards. Time is virtual; that nothing is tried for ever is
//! seen by the number of requests.

mod allowed;
mod clocks;
mod followed;
mod host;
mod kinds;
mod room;
mod sink;
mod tick;
mod values;
mod versions;
