//! What becomes of simulated spend: `cargo run --release -p tidewatch-tests --bin spend -- [--functions N]
//! [--planted N]`. What is simulated is in tests/src/spend.

use clap::Parser;
use tidewatch_tests::spend::innocent;
use tidewatch_tests::spend::planted::{Incidents, creep, incidents, longer, spike};
use tidewatch_tests::spend::seldom;

/// Simulates four weeks of functions' spend without anything wrong, and with.
#[derive(Parser)]
struct Arguments {
    /// Functions without anything wrong.
    #[arg(long, default_value_t = 200)]
    functions: u64,
    /// How often each thing is planted.
    #[arg(long, default_value_t = 50)]
    planted: u64,
}

fn main() {
    let Arguments { functions, planted } = Arguments::parse();
    let told = innocent(0..functions, 4);
    println!(
        "{functions} functions, 4 weeks, nothing wrong: {} findings a week",
        told.len() as f64 / 4.0
    );
    for (seed, finding) in &told {
        println!("    function {seed}: {finding:?}");
    }
    let told = seldom::innocent(0..functions, 4);
    println!(
        "{functions} functions that are seldom invoked, 4 weeks, nothing wrong: {} findings of durations a week",
        told.len() as f64 / 4.0
    );
    for (seed, hours) in &told {
        println!("    function {seed}: after {hours:.1} hours");
    }
    let seeds = || 0..planted;
    for an_hour in [120, 60, 20, 6] {
        let found = seeds().map(|seed| seldom::longer(seed, an_hour)).collect();
        say(&format!("3 s to 30 s at {an_hour} invocations an hour, minutes until told"), found);
    }
    say("12 times the cost, panes until raised", seeds().map(spike).collect());
    say("3 s to 30 s, measured panes until raised", seeds().map(longer).collect());
    say("2 % a day, days until told", seeds().map(creep).collect());
    let both: Vec<[Incidents; 2]> = seeds().map(incidents).collect();
    for (at, what) in ["incidents above the bound", "incidents that repeat"].into_iter().enumerate()
    {
        let sum =
            |of: fn(&Incidents) -> usize| both.iter().map(|both| of(&both[at])).sum::<usize>();
        println!(
            "{what}: {} planted, {} raised; {} above the bound, {} of them unseen",
            sum(|i| i.planted),
            sum(|i| i.raised),
            sum(|i| i.above),
            sum(|i| i.unseen),
        );
    }
}

/// How often each number came, and how often nothing was found.
fn say(what: &str, found: Vec<Option<usize>>) {
    let mut counts = std::collections::BTreeMap::new();
    for number in &found {
        *counts.entry(*number).or_insert(0usize) += 1;
    }
    let text = counts.iter().map(|(number, count)| match number {
        Some(number) => format!("{number} ({count} times)"),
        None => format!("never ({count} times)"),
    });
    println!("{what}: {}", text.collect::<Vec<_>>().join(", "));
}
