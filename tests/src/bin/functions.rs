//! What many functions and callers cost the shared home's tick and batches: `cargo run -p tidewatch-tests --bin functions
//! -- [--functions N] [--callers N] [--days N]`. Each function is invoked twice an hour, the table is in memory and answers at
//! once: what is printed is processor time, requests, and the memory of
//! the process with its table. The time that requests take comes to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use clap::Parser;
use tidewatch_core::signal::Signal;
use tidewatch_core::spend::budget::Budgets;
use tidewatch_core::table_store::table::{Attribute, Part};
use tidewatch_core::tag::UserTag;
use tidewatch_core::time::{Span, Time};
use tidewatch_tests::shared_functions::home::Home;
use tidewatch_tests::shared_functions::{START, asked, report, shipped};
use tidewatch_tests::simulator::executor::{Executor, Stopped};
use tidewatch_tests::unlucky_table::{Fate, Request};

/// Simulates days of functions that are invoked twice an hour, and measures what follows.
#[derive(Parser)]
struct Arguments {
    /// Functions.
    #[arg(long, default_value_t = 2_000)]
    functions: usize,
    /// Callers of each, who all invoke it twice an hour.
    #[arg(long, default_value_t = 0)]
    callers: u64,
    /// Days before it is measured.
    #[arg(long, default_value_t = 3)]
    days: i64,
}

/// Requests by what they ask.
type Requests = Arc<Mutex<BTreeMap<&'static str, u64>>>;

fn of(requests: &Requests) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
    requests.lock().expect("nobody panics inside")
}

/// What functions report at a time, each once for each of its callers.
fn signals(arguments: &Arguments, nth: &mut u64, time: Time) -> Vec<Signal> {
    let mut all = Vec::new();
    for function in 0..arguments.functions {
        for caller in 0..arguments.callers.max(1) {
            *nth += 1;
            if arguments.callers > 0 {
                let who = UserTag(function as u64 * arguments.callers + caller + 1);
                all.push(asked(*nth, time, function, who));
            }
            all.push(report(*nth, time, function));
        }
    }
    all
}

fn main() {
    let mut executor = Executor::new(0);
    executor.clock().spawn(measure(Arguments::parse()));
    assert_eq!(executor.run(u64::MAX), Stopped::Idle);
}

async fn measure(arguments: Arguments) {
    // A budget of all functions that is never spent.
    let budgets = Budgets { all: Some(1e9), ..Budgets::default() };
    let mut home = Home::new(shipped(budgets));
    let requests = Requests::default();
    let noted = Arc::clone(&requests);
    home.table.set_fate(move |request, _| {
        let what = match request {
            Request::Write(_) => "writes",
            Request::Get(_) => "reads of an item",
            Request::Query(_) => "reads of a key",
            Request::Due(_) => "reads of the index",
        };
        *of(&noted).entry(what).or_default() += 1;
        Fate::Arrives
    });
    let (mut nth, mut now) = (0, START);
    for _ in 0..arguments.days * 24 {
        // The second time shows that the pane of the first one is over, while it is known who asked in it.
        for minutes in [0, 6] {
            let time = now.plus(Span::minutes(minutes));
            home.hear(time, signals(&arguments, &mut nth, time)).await;
            home.tick(time).await;
        }
        now = now.plus(Span::minutes(60));
    }
    println!(
        "{} functions with {} callers each, {} days",
        arguments.functions, arguments.callers, arguments.days
    );
    println!("  {:?}", home.counts);
    sizes(&home);
    // Panes are closed up to the last hour; the next pane is the one that is measured.
    let mut measured = Measured { requests, begun: 0.0 };
    home.tick(now.plus(Span::minutes(1))).await;
    for what in ["a batch", "the next batch"] {
        now = now.plus(Span::minutes(5));
        let said = signals(&arguments, &mut nth, now);
        measured.begin();
        home.hear(now, said).await;
        measured.say(what);
        measured.begin();
        home.tick(now.plus(Span::minutes(1))).await;
        measured.say("a tick of an environment that has seen the one before");
    }
    for what in ["the first tick of an environment", "its second", "its third"] {
        now = now.plus(Span::minutes(5));
        home.hear(now, signals(&arguments, &mut nth, now)).await;
        if what.starts_with("the first") {
            home.begin_anew();
        }
        measured.begin();
        home.tick(now.plus(Span::minutes(1))).await;
        measured.say(what);
    }
}

/// What the items take by their kind.
fn sizes(home: &Home) {
    let mut bytes = BTreeMap::<&str, (usize, usize)>::new();
    for (key, item, _) in home.table.inner().all() {
        let what = match key.part {
            Part::Chronicle => "chronicles",
            Part::Past { .. } => "pasts",
            Part::Caller(_) => "pasts of callers",
            Part::Costs(_) => "costs of callers",
            Part::Callers(_) => "callers",
            _ => "shares",
        };
        let size = item.values.iter().filter(|(of, _)| !matches!(of, Attribute::Closed));
        let of = bytes.entry(what).or_default();
        *of = (of.0 + 1, of.1 + size.map(|(_, value)| value.len()).sum::<usize>());
    }
    for (what, (count, bytes)) in bytes {
        println!("  {count} {what}, {} bytes on average", bytes / count);
    }
}

struct Measured {
    requests: Requests,
    begun: f64,
}

impl Measured {
    fn begin(&mut self) {
        of(&self.requests).clear();
        // The peak of the resident memory begins anew.
        std::fs::write("/proc/self/clear_refs", "5").expect("Linux has it");
        println!("    {:6.0} MB before", memory_mb("VmRSS:"));
        self.begun = processor_s();
    }

    fn say(&self, what: &str) {
        let took = processor_s() - self.begun;
        let requests = of(&self.requests).clone();
        println!("  {what}: {took:.2} s, peak {:.0} MB; {requests:?}", memory_mb("VmHWM:"));
    }
}

/// Seconds of processor time so far: ticks of 10 ms, as Linux counts them.
fn processor_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has it");
    let fields = stat.rsplit(')').next().expect("a name").split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|of| of.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn memory_mb(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let kib = status.lines().find_map(|line| line.strip_prefix(what)).expect("it is told");
    kib.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1_024.0
}
