//! Filters of known users: what one of so many names takes to make and to read, in seconds of CPU, how large its
//! file is, and what a lookup costs, beside an exact set of the same hashes.

use std::alloc::System;
use std::collections::HashSet;
use std::hint::black_box;
use std::process::ExitCode;

use anyhow::Result;
use cap::Cap;
use tidewatch_benches::clock::{median, timed};
use tidewatch_benches::options::Options;
use tidewatch_benches::{subject, table};
use tidewatch_ingest::known_users::{Hashing, KnownUsers};
use tidewatch_ingest::username::Usernames;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Numbers of names.
const SIZES: [u32; 3] = [10_000, 1_000_000, 10_000_000];

/// Names that are looked up in one measurement.
const LOOKUPS: u32 = 1_000_000;

fn main() -> Result<ExitCode> {
    let Some(options) = Options::parsed() else { return Ok(ExitCode::SUCCESS) };
    let corpus = "names like `customer1234567@shop.example`, folded";
    table::heading("known_users", corpus, &[subject::version(), "xorf 0.13.0".to_owned()]);
    let mut rows = Vec::new();
    for size in SIZES {
        rows.push(row(size, options.runs)?);
    }
    let head = [
        "names",
        "hash s",
        "build s",
        "MiB at most",
        "file MiB",
        "read s",
        "ns a lookup",
        "ns in a set",
        "set MiB",
    ];
    table::print(&head, &rows);
    Ok(ExitCode::SUCCESS)
}

fn name(n: u32) -> String {
    format!("customer{n}@shop.example")
}

fn row(size: u32, runs: usize) -> Result<Vec<String>> {
    let hashing = Hashing { salt: [7; 16], usernames: Usernames::Fold };
    let mut seconds: [Vec<f64>; 5] = Default::default();
    let (mut bytes, mut set_bytes) = (0, 0);
    let asked: Vec<String> = (0..LOOKUPS).map(|n| name(n.wrapping_mul(2_654_435_761))).collect();
    for _ in 0..runs {
        let hash_all = || (0..size).map(|n| hashing.hash(&name(n))).collect::<Vec<u64>>();
        let (hashed, hashes) = timed(hash_all);
        let before = ALLOCATOR.allocated();
        let set: HashSet<u64> = hashes.iter().copied().collect();
        set_bytes = ALLOCATOR.allocated() - before;
        let (built, filter) = timed(|| KnownUsers::build(hashing, hashes));
        let filter = filter?;
        let file = filter.to_bytes();
        bytes = file.len();
        let (read, filter) = timed(|| KnownUsers::parse(&file));
        let filter = filter?;
        let count = |knows: &dyn Fn(&str) -> bool| {
            timed(|| black_box(asked.iter().filter(|name| knows(name)).count())).0
        };
        let looked_up = count(&|name| filter.knows(name));
        let in_set = count(&|name| set.contains(&hashing.hash(name)));
        for (all, one) in seconds.iter_mut().zip([hashed, built, read, looked_up, in_set]) {
            all.push(one);
        }
    }
    let [hashed, built, read, looked_up, in_set] = seconds.map(median);
    let mib = |bytes: usize| format!("{:.1}", bytes as f64 / 1_048_576.0);
    let nanoseconds = |seconds: f64| format!("{:.0}", seconds * 1e9 / f64::from(LOOKUPS));
    Ok(vec![
        size.to_string(),
        format!("{hashed:.2}"),
        format!("{built:.2}"),
        mib(bytes),
        format!("{read:.3}"),
        nanoseconds(looked_up),
        nanoseconds(in_set),
        mib(set_bytes),
    ])
}
