//! One source that tries N different names within 299 s: four times the names may cost four times the
//! CPU time, not sixteen, and no more memory.

use std::process::ExitCode;

use anyhow::Result;
use tidewatch_benches::child::{Contender, race};
use tidewatch_benches::options::Options;
use tidewatch_benches::peers::Peers;
use tidewatch_benches::{python, subject, table};

/// Names tried.
const NAMES: [u64; 2] = [10_000, 40_000];

fn main() -> Result<ExitCode> {
    let Some(options) = Options::parsed() else { return Ok(ExitCode::SUCCESS) };
    let Some(peers) = Peers::named()? else { return Ok(ExitCode::SUCCESS) };
    let binary = subject::build()?;
    let yardstick = subject::yardstick();
    let mut contenders = Vec::new();
    for names in [0, NAMES[0], NAMES[1]] {
        let lines = peers.printed("gen_chatty.py", names)?;
        let name = |who: &str| format!("{who}, {names} names");
        let ours = subject::replay(&binary, Some(&yardstick), &lines);
        contenders.push(Contender::new(&name("tidewatch, distinct20"), ours));
        let shipped = subject::replay(&binary, None, &lines);
        contenders.push(Contender::new(&name("tidewatch, shipped"), shipped));
        if names > 0 {
            let raw = python::detect(&peers, &[&lines, "--raw".as_ref()]);
            contenders.push(Contender::new(&name("Python, json"), raw));
        }
    }
    let corpus = "one source, N unknown names in 299 s, JSON lines; 0 names is the start alone";
    table::heading("chatty", corpus, &[subject::version(), python::versions(&peers)?]);
    race(&mut contenders, options.runs, &peers.cache)?;
    let rows: Vec<Vec<String>> = contenders
        .iter()
        .map(|contender| {
            let cpu = format!("{:.4}", contender.cpu_s());
            vec![contender.name.clone(), cpu, contender.peak()]
        })
        .collect();
    table::print(&["", "CPU s", "peak MiB"], &rows);
    // In the order they were pushed: two without names, three for each number of names.
    for (at, who) in ["distinct20", "shipped"].iter().enumerate() {
        let net = |number: usize| contenders[2 + 3 * number + at].cpu_s() - contenders[at].cpu_s();
        let (few, many) = (net(0), net(1));
        println!("{who}: {:.2} × the CPU for 4 × the names, without the start", many / few);
        println!("{who}: {:.2} µs a name at {} names", many / NAMES[1] as f64 * 1e6, NAMES[1]);
    }
    Ok(ExitCode::SUCCESS)
}
