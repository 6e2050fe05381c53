//! A flood of one-off sources, five unknown names each within 300 s: what a key costs, whether the
//! state's own account of its bytes is true, and whether `--memory` bounds the process.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use tidewatch_benches::child::{Contender, race};
use tidewatch_benches::options::Options;
use tidewatch_benches::peers::Peers;
use tidewatch_benches::{python, subject, table};

/// Sources in the small corpus. Python keeps about 2 KB a source, so it runs only this one.
const FEW: u64 = 100_000;

/// A budget that the large corpus does not fit in.
const TIGHT: &str = "128MiB";

fn main() -> Result<ExitCode> {
    let Some(options) = Options::parsed() else { return Ok(ExitCode::SUCCESS) };
    let Some(peers) = Peers::named()? else { return Ok(ExitCode::SUCCESS) };
    let binary = subject::build()?;
    let yardstick = subject::yardstick();
    let generator = "gen_growth_fast.py";
    let (few, many) = (peers.printed(generator, FEW)?, peers.printed(generator, options.sources)?);
    let with = |mut command: Command, memory: &str| {
        command.args(["--memory", memory]);
        command
    };
    let ours = |file| subject::replay(&binary, Some(&yardstick), file);
    let shipped = |file| subject::replay(&binary, None, file);
    let sources = options.sources;
    let mut contenders = [
        Contender::new(&format!("distinct20, {FEW}"), ours(&few)),
        Contender::new(&format!("distinct20, {sources}"), ours(&many)),
        Contender::new(&format!("distinct20, {sources}, {TIGHT}"), with(ours(&many), TIGHT)),
        Contender::new(&format!("shipped, {FEW}"), shipped(&few)),
        Contender::new(&format!("shipped, {sources}"), shipped(&many)),
        Contender::new(&format!("shipped, {sources}, {TIGHT}"), with(shipped(&many), TIGHT)),
        Contender::new(
            &format!("Python, json, {FEW}"),
            python::detect(&peers, &[&few, "--raw".as_ref()]),
        ),
    ];
    let corpus = "N sources, 5 failures for unknown names each, all within 300 s, JSON lines";
    table::heading("growth", corpus, &[subject::version(), python::versions(&peers)?]);
    race(&mut contenders, options.runs, &peers.cache)?;
    let (python, ours) = contenders.split_last().context("there are contenders")?;
    let mut rows = Vec::new();
    for contender in ours {
        let stats = subject::stats(&contender.latest().stderr)?;
        let number = |value: &serde_json::Value| value.as_u64().unwrap_or(0);
        let (keys, state_bytes) = (number(&stats["keys"]), number(&stats["state_bytes"]));
        let per_key = |bytes: u64| format!("{:.0}", bytes as f64 / keys.max(1) as f64);
        rows.push(vec![
            contender.name.clone(),
            format!("{:.2}", contender.cpu_s()),
            contender.peak(),
            table::mib(state_bytes),
            keys.to_string(),
            per_key(state_bytes),
            per_key(contender.rss_bytes()),
            number(&stats["overflow"]["points_refused"]).to_string(),
        ]);
    }
    let mut row = vec![
        python.name.clone(),
        format!("{:.2}", python.cpu_s()),
        python.peak(),
        String::new(),
        FEW.to_string(),
        String::new(),
        format!("{:.0}", python.rss_bytes() as f64 / FEW as f64),
    ];
    row.push(String::new());
    rows.push(row);
    let head = [
        "",
        "CPU s",
        "peak MiB",
        "state MiB",
        "keys",
        "state B/key",
        "peak B/key",
        "points refused",
    ];
    table::print(&head, &rows);
    Ok(ExitCode::SUCCESS)
}
