//! What the store charges itself with, against what the allocator really handed out. Alone in its
//! binary, because the allocator counts for the whole process.

mod world;

use peak_alloc::PeakAlloc;
use tidewatch_core::detector::Detector;
use tidewatch_core::key::KeyField;
use tidewatch_core::time::Span;
use world::*;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn rules(field: KeyField) -> Vec<Detector> {
    let measures = [UNKNOWN_USERS, USERS, FAILURES];
    let of = |id, window| Detector {
        key: [field].into_iter().collect(),
        ..detector(id, (window, 600), &measures, &[at_least(0, 20)])
    };
    vec![of("short", 60), of("long", 3_600)]
}

/// Try `n` of `number` in an hour: its source, its name, by whether it repeats.
fn one(n: u64, number: u64, sources: u64, users: u64) -> Try {
    let ms = (n * 3_500_000 / number) as i64;
    let of = n % sources;
    let source = v6(of as u16, (of >> 16) as u16);
    Try { source, success: n.is_multiple_of(3), ..unknown(ms, 0, n % users) }
}

#[test]
fn what_is_charged_is_what_is_taken() {
    let cases = [
        // (key, tries, sources, names): one-off keys just below and above what a map grows at, keys
        // with many points, lists full, sketches, and keys with many sources.
        (KeyField::SourceIp, 20_000, 20_000, 1 << 20),
        (KeyField::SourceIp, 60_000, 60_000, 1 << 20),
        (KeyField::SourceIp, 60_000, 3_000, 100),
        (KeyField::SourceIp, 60_000, 500, 1 << 20),
        (KeyField::SourceIp, 60_000, 30, 1 << 20),
        (KeyField::SourceSubnet, 60_000, 500, 1 << 20),
        (KeyField::User, 60_000, 60_000, 2_000),
        (KeyField::Global, 60_000, 60_000, 1 << 20),
    ];
    for case in cases {
        let (field, number, sources, users) = case;
        let mut engine = engine(rules(field), ROOMY);
        // The dense sketches behind all estimates are made once, and are nobody's.
        let before = ALLOCATOR.current_usage();
        for n in 0..number {
            feed(&mut engine, &[one(n, number, sources, users)], Span(0));
        }
        engine.sink().clear();
        engine.sink().shrink_to_fit();
        let taken = ALLOCATOR.current_usage() - before;
        let charged = engine.store().usage().used_bytes;
        let ratio = taken as f64 / charged as f64;
        println!("{case:?}: {taken} bytes taken, {charged} charged: {ratio:.2}");
        assert!(ratio <= 1.1, "{case:?}: {taken} bytes taken, {charged} charged: {ratio:.2}");
        // Of keys seen once the map's slots are most of what they take, and up to half of these are empty.
        assert!(ratio >= 0.7, "{case:?}: {taken} bytes taken, {charged} charged: {ratio:.2}");
    }
}
