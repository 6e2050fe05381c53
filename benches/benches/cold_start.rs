//! How long the function takes from the start of its process to its first poll, beside the least that a
//! function in Rust can be, both on a loopback Runtime API, run in turn. What the service adds around a
//! process (fetching the code, making the micro-VM) is not in it, and is the same for both.
//!
//! Exits 1 where the difference of the medians is more than [`EXTRA_MS_MAX`], or the zipped binary more
//! than [`ZIP_BYTES_MAX`].

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use tidewatch_tests::binary::build;
use tidewatch_tests::environment::Environment;

/// Starts of each.
const RUNS: usize = 41;

/// What the detector may take longer than a bare runtime.
const EXTRA_MS_MAX: f64 = 5.0;

/// What the binary may have, deflated as a zip holds it.
const ZIP_BYTES_MAX: usize = 8 << 20;

fn main() -> ExitCode {
    let ours = build("tidewatch-lambda", "bootstrap", &["--release"]);
    let bare = build("tidewatch-benches", "bare", &["--release"]);
    let (mut took_ours, mut took_bare) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        took_ours.push(start(&ours));
        took_bare.push(start(&bare));
    }
    let (ours_ms, bare_ms) = (median(&mut took_ours), median(&mut took_bare));
    let bytes = deflated(&ours);
    println!("start of the process to its first poll, medians of {RUNS} runs in turn, ms");
    println!("  detector            {ours_ms:6.2}  (fastest {:.2})", took_ours[0]);
    println!("  a bare runtime      {bare_ms:6.2}  (fastest {:.2})", took_bare[0]);
    println!("  difference          {:6.2}  (at most {EXTRA_MS_MAX})", ours_ms - bare_ms);
    println!("  zipped, MB          {:6.2}  (at most {})", mb(bytes), mb(ZIP_BYTES_MAX));
    let kept = ours_ms - bare_ms <= EXTRA_MS_MAX && bytes <= ZIP_BYTES_MAX;
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Milliseconds to the first poll of a new process.
fn start(executable: &PathBuf) -> f64 {
    let variables = [
        ("TIDEWATCH_TABLE", "t"),
        ("TIDEWATCH_ALERT_TOPIC", "arn:aws:sns:eu-central-1:123456789012:alerts"),
        ("TIDEWATCH_NOTICE_TOPIC", "arn:aws:sns:eu-central-1:123456789012:notices"),
        ("TIDEWATCH_SECRET", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:s"),
        ("TIDEWATCH_BUCKET", "b"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ];
    let variables: BTreeMap<String, String> =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Environment::start(executable, &variables).cold_start.as_secs_f64() * 1_000.0
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn deflated(executable: &Path) -> usize {
    let bytes = std::fs::read(executable).expect("the binary");
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&bytes).and_then(|()| encoder.finish()).expect("memory takes it").len()
}

fn mb(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
