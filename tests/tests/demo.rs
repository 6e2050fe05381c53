//! `tidewatch demo`: what it plants, finds and says, for several seeds.

use tidewatch_tests::binary::{Ran, run};

const SEEDS: [&str; 3] = ["1", "2", "77"];

/// Everything that is planted, and the word its verdict must begin with.
const PLANTED: [(&str, &str); 7] = [
    ("fast scanner (attack)", "FOUND"),
    ("IPv6 scanner (attack)", "FOUND"),
    ("ssh brute force (attack)", "FOUND"),
    ("slow scanner (attack)", "FOUND"),
    ("distributed scan (attack)", "FOUND"),
    ("office (no attack)", "QUIET"),
    ("everybody else", "QUIET"),
];

fn demo(seed: &str, more: &[&str]) -> Ran {
    let ran = run(&[&["demo", "--seed", seed, "--stats"], more].concat(), b"");
    assert_eq!(ran.code, 0, "seed {seed}: {}", ran.stderr);
    ran
}

/// Checks the table that `text` ends with.
fn check(seed: &str, text: &str) {
    let (_, table) = text.split_once("PLANTED AND FOUND").expect("the table");
    let blocks: Vec<&str> = table.split("\n\n").map(str::trim).collect();
    for (name, verdict) in PLANTED {
        let about: Vec<&&str> = blocks.iter().filter(|block| block.starts_with(name)).collect();
        let [block] = about.as_slice() else { panic!("seed {seed}: {} × {name}", about.len()) };
        let verdict = format!("\n    {verdict}");
        assert!(block.contains(&verdict), "seed {seed}: {verdict} expected:\n{block}");
    }
    // What no count can tell from an attack may be raised, but must be admitted.
    let broken: Vec<&&str> =
        blocks.iter().filter(|block| block.starts_with("broken client")).collect();
    assert_eq!(broken.len(), 1, "seed {seed}");
    assert!(broken[0].contains("RAISED, although") || broken[0].contains("QUIET"), "{}", broken[0]);
}

#[test]
fn the_table_names_everything_planted_once_with_an_honest_verdict() {
    for seed in SEEDS {
        let ran = demo(seed, &[]);
        check(seed, &ran.stdout);
        for word in [" OPEN ", " UPDATE ", " CLOSE "] {
            assert!(ran.stdout.contains(word), "seed {seed}: findings{word}");
        }
        // Nobody gets in from where somebody attacks: a network that a bystander shares would tell of him.
        assert!(!ran.stdout.contains("has got in"), "seed {seed}: {}", ran.stdout);
        assert_eq!(ran.stats()["quarantined"], serde_json::json!({}), "seed {seed}");
        assert!(ran.stats()["envelopes"].as_u64() > Some(1_000), "bytes went through the pipeline");
    }
}

#[test]
fn a_seed_prints_the_same_twice_and_another_prints_something_else() {
    let first = demo(SEEDS[0], &[]).stdout;
    assert!(first == demo(SEEDS[0], &[]).stdout, "the same seed");
    assert!(first == run(&["demo"], b"").stdout, "the default is seed 1");
    assert!(first != demo(SEEDS[1], &[]).stdout, "another seed");
}

#[test]
fn json_is_findings_on_stdout_and_the_table_on_stderr() {
    let ran = demo(SEEDS[2], &["--output", "json"]);
    check(SEEDS[2], &ran.stderr);
    let opened = ran.findings().iter().filter(|finding| finding["activity_id"] == 1).count();
    assert_eq!(ran.stats()["findings"], opened);
    assert!(opened >= 5, "{opened} findings");
    for finding in ran.findings() {
        assert_eq!(finding["class_uid"], 2004);
        assert!(!finding["evidences"].as_array().expect("evidences").is_empty());
    }
}
