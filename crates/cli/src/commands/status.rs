//! `tidewatch status`: what a deployed stack sees, and where it is blind.

use anyhow::Result;
use serde_json::{Map, Value, json};
use tidewatch_alert::printable;
use tidewatch_aws::failure::Failure as AwsFailure;
use tidewatch_aws::overrides::OverrideSource;
use tidewatch_aws::stack::Stack;
use tidewatch_aws::status::{Line, Status, Verdict};
use tidewatch_aws::{TokioPace, client};
use tidewatch_rules::prices::{prices, shipped_prices};

use crate::args::{Output, StatusArgs};
use crate::exit::{Exit, Failure};
use crate::in_force::{InForce, OfFunctions, in_force, of_functions};
use crate::output::{deliver, say};

/// Asks and reports.
///
/// # Errors
/// None: what cannot be asked is said.
pub async fn run(args: &StatusArgs) -> Result<Exit, Failure> {
    match ask(args).await {
        Ok(lines) => Ok(report(&lines, args)),
        Err(error) => {
            say(format_args!("tidewatch: {}", printable(&format!("{error:#}"))));
            Ok(Exit::Failed)
        }
    }
}

async fn ask(args: &StatusArgs) -> Result<Vec<Line>> {
    let config = client::from_environment().await?;
    let pace = TokioPace::start()?;
    let stack = Stack::describe(&config, &args.stack, &pace).await?;
    let all = ["*".to_owned()];
    let globs = if args.globs.is_empty() { &all[..] } else { &args.globs };
    let mut lines = Status::new(&config, &stack, pace.clone()).ask(globs).await?;
    let bucket = stack.output("BucketName")?.to_owned();
    let source = OverrideSource::new(&config, bucket);
    let in_force = in_force(&source, &pace).await;
    let weighed_by = match &in_force {
        Ok(rules) => rules.spending.len(),
        Err(_) => 0,
    };
    let is_off = stack.parameters.get("WeighFunctions").is_some_and(|of| of == "no");
    let region = config.region().map(|region| region.to_string()).unwrap_or_default();
    let functions = match is_off {
        true => Line::part("functions", Verdict::Healthy, vec![("weighed", "no".to_owned())]),
        false => functions(of_functions(&source, &pace).await, weighed_by, &region),
    };
    let place = lines.iter().position(|line| line.about == "overrides");
    let place = place.map_or(lines.len(), |at| at + 1);
    lines.insert(place, functions);
    lines.insert(place, rules(in_force));
    Ok(lines)
}

/// What functions are weighed by: detectors, prices of the Region, and what is said of functions.
fn functions(found: Result<OfFunctions, AwsFailure>, detectors: usize, region: &str) -> Line {
    let of = match found {
        Ok(of) => of,
        Err(failure) => return Line::part("functions", Verdict::of(failure), Vec::new()),
    };
    let facts = vec![
        ("weighed", "yes".to_owned()),
        ("detectors", detectors.to_string()),
        ("in_force", of.origin.to_owned()),
        ("entries", of.functions.entries().to_string()),
        ("budgets", of.functions.budgets().to_string()),
        ("budget_of_all", of.functions.budget.map_or("none".to_owned(), |all| format!("${all}"))),
    ];
    let (file, text) = shipped_prices();
    let priced = prices(&file, &text).is_ok_and(|prices| prices.region(region).is_ok());
    let verdict = match (of.fault, priced) {
        (Some(fault), _) => Verdict::blind(
            format!("`functions.toml` in the bucket has a fault: {fault}"),
            "mend it; until then an environment goes on with the last good one it knows, and a new one with that of the bucket",
        ),
        (None, false) => Verdict::blind(
            format!("there are no prices of `{region}`: functions are not weighed"),
            "use another Region, or watch their logs with `tidewatch watch --stream` and `--prices`",
        ),
        (None, true) => Verdict::Healthy,
    };
    Line::part("functions", verdict, facts)
}

/// The rules in force: read from the bucket and loaded as the function does.
fn rules(found: Result<InForce, AwsFailure>) -> Line {
    let rules = match found {
        Ok(rules) => rules,
        Err(failure) => return Line::part("rules", Verdict::of(failure), Vec::new()),
    };
    let facts = vec![
        ("in_force", rules.origin.to_owned()),
        ("detectors", rules.plan.detectors.len().to_string()),
        ("allowed", rules.allow.entries.len().to_string()),
    ];
    let verdict = match rules.faults.as_slice() {
        [] => Verdict::Healthy,
        faults => Verdict::blind(
            format!("what is in the bucket has a fault: {}", faults.join("; ")),
            format!("mend it; until then the {} rules are in force", rules.origin),
        ),
    };
    Line::part("rules", verdict, facts)
}

fn report(lines: &[Line], args: &StatusArgs) -> Exit {
    // What nobody asked to be sent is worth a line, but no alarm.
    let is_asked = |line: &&Line| !line.is_group || line.is_subscribed || !args.globs.is_empty();
    let is_blind = |line: &Line| matches!(line.verdict, Verdict::Blind { .. });
    let exit = if lines.iter().filter(is_asked).any(is_blind) { Exit::Failed } else { Exit::Done };
    if args.output == Output::Json {
        let lines: Vec<Value> = lines.iter().map(object).collect();
        return deliver(&json!({ "stack": args.stack, "lines": lines }).to_string(), exit);
    }
    let text: Vec<String> = lines.iter().map(|line| printable(&shown(line)).into_owned()).collect();
    deliver(&text.join("\n"), exit)
}

fn shown(line: &Line) -> String {
    let facts: Vec<String> =
        line.facts.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let why = match &line.verdict {
        Verdict::Healthy => String::new(),
        Verdict::Blind { why, todo } => format!(": {why}; {todo}"),
        Verdict::Unknown { why } => format!(": {why}"),
    };
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    format!("{:<8} {}{why}{facts}", line.verdict.name(), line.about)
}

fn object(line: &Line) -> Value {
    let facts: Map<String, Value> =
        line.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let (why, todo) = match &line.verdict {
        Verdict::Healthy => (None, None),
        Verdict::Blind { why, todo } => (Some(why), Some(todo)),
        Verdict::Unknown { why } => (Some(why), None),
    };
    json!({
        "about": line.about,
        "kind": if line.is_group { "log_group" } else { "part" },
        "verdict": line.verdict.name(),
        "why": why,
        "what_to_do": todo,
        "facts": facts,
    })
}
