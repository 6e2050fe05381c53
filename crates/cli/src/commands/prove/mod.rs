//! `tidewatch prove`: a marked scan through a real log group, and the time from its lines to its message.
//!
//! The way of a proof: the stack's rules, from its bucket → the least scan they raise at, tried here → a queue at
//! the alert topic, a log group that is sent to the stack → rounds → all of that is removed → what came of it.
//! Removing comes last whatever happened before, Ctrl-C included; a second Ctrl-C ends that too, and names what
//! is left.

mod course;
mod report;
mod scan;

use anyhow::{Result, anyhow, bail};
use tidewatch_alert::printable;
use tidewatch_aws::overrides::OverrideSource;
use tidewatch_aws::proving::{Left, Prover};
use tidewatch_aws::stack::Stack;
use tidewatch_aws::{TokioPace, client};
use tidewatch_core::table_store::table::Pace;

use self::course::{FIRST_SCANS_MAX, Proof, SCANS_MAX};
use self::report::Outcome;
use crate::args::{Output, ProveArgs};
use crate::exit::{Exit, Failure};
use crate::in_force::{InForce, in_force, packaged};
use crate::output::{deliver, say};
use crate::pipeline::interrupted;

/// Seconds waited for a message, at most: messages stay hidden in the queue for longer.
const WAIT_SECONDS_MAX: u32 = 1_800;

/// Proves.
///
/// # Errors
/// If the command line is faulty.
pub async fn run(args: &ProveArgs) -> Result<Exit, Failure> {
    usage(args)?;
    let mut proof = match begin(args).await {
        Ok(proof) => proof,
        Err(error) => {
            say(format_args!("tidewatch: {}", printable(&format!("{error:#}"))));
            return Ok(Exit::Failed);
        }
    };
    let conducted = tokio::select! {
        conducted = proof.conduct() => Some(conducted),
        () = interrupted() => None,
    };
    let mut failed = false;
    match &conducted {
        None => say(format_args!("tidewatch: interrupted; removing what was made")),
        Some(Err(error)) => {
            say(format_args!("tidewatch: {}", printable(&format!("{error:#}"))));
            failed = true;
        }
        Some(Ok(())) => {}
    }
    let removed = tokio::select! {
        left = proof.prover.remove() => Some(left),
        () = interrupted() => None,
    };
    let left = removed.unwrap_or_else(|| {
        let all = proof.prover.standing().into_iter();
        let why = "it was not removed, because the program was interrupted again";
        all.map(|what| Left { what, why: why.to_owned() }).collect()
    });
    let outcome = Outcome {
        stack: &args.stack,
        wait_s: args.wait,
        names: proof.names,
        courses: &proof.courses,
        left: &left,
        is_partial: !matches!(conducted, Some(Ok(()))),
    };
    let exit = if failed || !outcome.is_good() { Exit::Failed } else { Exit::Done };
    let text = match args.output {
        Output::Text => outcome.text(),
        Output::Json => outcome.object().to_string(),
    };
    Ok(deliver(&text, exit))
}

fn usage(args: &ProveArgs) -> Result<()> {
    let groups = args.group.len() + 1;
    if args.rounds == 0 || args.rounds as usize * groups > SCANS_MAX {
        bail!(
            "--rounds {}: at least one, and no more than {SCANS_MAX} scans in all log groups together, of which here \
             are {groups}: from 30 sources on, of which {FIRST_SCANS_MAX} find the way, they would look like a campaign",
            args.rounds
        );
    }
    if !(1..=WAIT_SECONDS_MAX).contains(&args.wait) {
        bail!("--wait {}: from 1 to {WAIT_SECONDS_MAX} seconds", args.wait);
    }
    Ok(())
}

/// Looks at the stack and its rules. Makes nothing yet.
async fn begin(args: &ProveArgs) -> Result<Proof<'_>> {
    let config = client::from_environment().await?;
    let pace = TokioPace::start()?;
    let stack = Stack::describe(&config, &args.stack, &pace).await?;
    let prover = Prover::new(&config, &stack, pace.clone())?;
    let source = OverrideSource::new(&config, stack.output("BucketName")?.to_owned());
    let rules = match in_force(&source, &pace).await {
        Ok(rules) => rules,
        Err(failure) => {
            say(format_args!(
                "tidewatch: which rules are in force is unknown, so the packaged ones are taken for them: {}",
                printable(&failure.to_string())
            ));
            let (plan, origin) = packaged();
            InForce {
                plan,
                origin,
                allow: Default::default(),
                spending: Vec::new(),
                faults: Vec::new(),
            }
        }
    };
    for fault in &rules.faults {
        say(format_args!(
            "tidewatch: a file in the bucket is not in force ({} are): {}",
            rules.origin,
            printable(fault)
        ));
    }
    let Some((names, detector)) = scan::least(&rules, pace.now()).await? else {
        let ids: Vec<&str> = rules.plan.detectors.iter().map(|of| of.id.as_str()).collect();
        bail!(
            "the stack's detectors ({}: {}) raise at no scan by one source, so that no message would come: nothing \
             was written. Put one that counts names by source among the overrides, such as credential-scan, or see \
             whether allow.toml holds back 2001:db8::/32",
            rules.origin,
            ids.join(", ")
        );
    };
    say(format_args!(
        "tidewatch: each scan tries {names} names that do not exist, at which `{detector}` ({}) raises",
        rules.origin
    ));
    let chance = getrandom::u32().map_err(|error| anyhow!("no random bytes: {error}"))?;
    Ok(Proof::new(args, prover, pace, names, format!("{chance:08x}")))
}
