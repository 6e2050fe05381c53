//! The whole job on the mixed corpus, from event JSON to findings, against a Python Lambda with the
//! same threshold and against inflating the records and nothing else. Fails if a contender finds
//! anything but the sources the generator knows of, or if the required ratios are missed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidewatch_benches::child::{Contender, race};
use tidewatch_benches::options::Options;
use tidewatch_benches::peers::{Mixed, Peers};
use tidewatch_benches::{python, records, subject, table};

/// How many times Python's CPU seconds ours must go into: with json, and with orjson.
const REQUIRED: [f64; 2] = [5.0, 2.0];

fn main() -> Result<ExitCode> {
    let Some(options) = Options::parsed() else { return Ok(ExitCode::SUCCESS) };
    if let Some([limit, file]) = options.limit.as_deref() {
        records::run_limit(limit, Path::new(file))?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(peers) = Peers::named()? else { return Ok(ExitCode::SUCCESS) };
    let corpus = peers.mixed(options.lines, options.seed)?;
    let truth = truth(&corpus.truth)?;
    let mut contenders = contenders(&peers, &corpus)?;
    let about = format!(
        "mixed, {} events, seed {}, {} records of 100 events packed, {} sources over the threshold",
        options.lines,
        options.seed,
        options.lines.div_ceil(100),
        truth.len()
    );
    table::heading("replay", &about, &[subject::version(), python::versions(&peers)?]);
    race(&mut contenders, options.runs, &peers.cache)?;
    let [ours, shipped, json, orjson, open, inflate] = &contenders;
    let raised = subject::raised(&ours.latest().stdout)?;
    ensure!(
        raised == truth,
        "distinct20 missed {:?} and raised {:?} besides",
        truth.difference(&raised).collect::<Vec<_>>(),
        raised.difference(&truth).collect::<Vec<_>>()
    );
    for baseline in [json, orjson] {
        python::found_all(&baseline.latest().stdout, truth.len())?;
    }
    let text_bytes: f64 = inflate.latest().stdout.trim().parse()?;
    report(&contenders, text_bytes, options.lines);
    println!(
        "raised by the shipped detectors: {}",
        subject::raised(&shipped.latest().stdout)?.len()
    );
    let reached = [json, orjson].map(|baseline| baseline.cpu_s() / ours.cpu_s());
    println!(
        "distinct20: {:.2} × json (required {}), {:.2} × orjson (required {}), \
         {:.2} × the time of opening records, {:.2} × that of inflating them",
        reached[0],
        REQUIRED[0],
        reached[1],
        REQUIRED[1],
        ours.cpu_s() / open.cpu_s(),
        ours.cpu_s() / inflate.cpu_s()
    );
    let missed = reached.iter().zip(REQUIRED).any(|(reached, required)| *reached < required);
    if missed {
        println!("MISSED: a required ratio");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn contenders(peers: &Peers, corpus: &Mixed) -> Result<[Contender; 6]> {
    let binary = subject::build()?;
    let Mixed { packed, truth } = corpus;
    let folder = packed.parent().context("a corpus has a folder")?;
    let bare = folder.join("records.bin");
    if !bare.is_file() {
        records::unpack(packed, &bare)?;
    }
    let arguments = [packed.as_path(), Path::new("--truth"), truth];
    Ok([
        Contender::new(
            "tidewatch, distinct20",
            subject::replay(&binary, Some(&subject::yardstick()), packed),
        ),
        Contender::new("tidewatch, shipped", subject::replay(&binary, None, packed)),
        Contender::new("Python, json", python::detect(peers, &arguments)),
        Contender::new("Python, orjson", python::detect_with_orjson(peers, &arguments)?),
        Contender::new("limit: event JSON, base64, inflate", records::limit("open", packed)?),
        Contender::new("limit: inflate alone", records::limit("inflate", &bare)?),
    ])
}

fn truth(path: &Path) -> Result<BTreeSet<String>> {
    let truth: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let crossed = truth["first_cross"].as_object().context("the truth names first_cross")?;
    Ok(crossed.keys().cloned().collect())
}

fn report(contenders: &[Contender; 6], text_bytes: f64, lines: u64) {
    let [ours, .., inflate] = contenders;
    let rows: Vec<Vec<String>> = contenders
        .iter()
        .map(|contender| {
            let cpu_s = contender.cpu_s();
            vec![
                contender.name.clone(),
                format!("{cpu_s:.2}"),
                format!("{:.0}", lines as f64 / cpu_s / 1e3),
                format!("{:.0}", text_bytes / cpu_s / 1e6),
                contender.peak(),
                format!("{:.2}", cpu_s / ours.cpu_s()),
                format!("{:.2}", cpu_s / inflate.cpu_s()),
            ]
        })
        .collect();
    let head =
        ["", "CPU s", "k events/CPU s", "MB text/CPU s", "peak MiB", "× distinct20", "× inflate"];
    table::print(&head, &rows);
}
