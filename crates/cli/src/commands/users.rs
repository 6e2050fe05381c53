//! `tidewatch users build`: a filter of known users from lists of usernames.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use tidewatch_alert::printable;
use tidewatch_ingest::known_users::{Hashing, KnownUsers, NAMES_MAX};
use tidewatch_ingest::username::Usernames;

use crate::args::{self, UsersBuildArgs, UsersCommand};
use crate::commands::counted;
use crate::exit::{Exit, Failure};
use crate::output::{deliver, say};
use crate::progress::Progress;
use crate::settings;
use crate::summary::grouped;
use crate::users::{Taken, names};
use crate::whole_file::replace;

/// Makes what is asked for.
///
/// # Errors
/// If the command line is faulty.
pub fn run(command: UsersCommand) -> Result<Exit, Failure> {
    let UsersCommand::Build(args) = command;
    settings::inputs(&args.files)?;
    make(&args.out, || build(&args))
}

/// Makes the file `out` and prints what `build` says of it. Whatever goes wrong, one that is there stays as it is.
///
/// # Errors
/// If it cannot be a file.
pub(super) fn make(out: &Path, build: impl FnOnce() -> Result<String>) -> Result<Exit, Failure> {
    if out.file_name().is_none() || out.is_dir() {
        return Err(anyhow!("-o {}: it is a folder; name a file", out.display()).into());
    }
    match build() {
        Ok(text) => Ok(deliver(&text, Exit::Done)),
        Err(error) => {
            say(format_args!("tidewatch: {}", printable(&format!("{error:#}"))));
            Ok(Exit::Failed)
        }
    }
}

fn build(args: &UsersBuildArgs) -> Result<String> {
    let (filter, taken) = filter(&args.files, args.column.as_deref(), args.usernames)?;
    let named = || args.out.display().to_string();
    let bytes = filter.to_bytes();
    replace(&args.out, &bytes).with_context(named)?;
    Ok(text(&named(), &filter, bytes.len(), &taken))
}

/// A filter of the names in `files`, and what was read of them.
///
/// # Errors
/// If one cannot be read, or there is no name, or there are too many.
pub(super) fn filter(
    files: &[PathBuf],
    column: Option<&str>,
    usernames: args::Usernames,
) -> Result<(KnownUsers, Taken)> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).context("the system has no random bytes")?;
    let usernames = match usernames {
        args::Usernames::Fold => Usernames::Fold,
        args::Usernames::Exact => Usernames::Exact,
    };
    let hashing = Hashing { salt, usernames };
    let progress = Progress::new(true);
    let (mut hashes, mut taken) = (Vec::new(), Taken::default());
    for path in files {
        let mut take = |name: &str| hashes.push(hashing.hash(name));
        names(path, column, &progress, &mut taken, &mut take)?;
        if hashes.len() > NAMES_MAX {
            return Err(anyhow!("more than {} names", grouped(NAMES_MAX as u64)));
        }
    }
    progress.finish();
    let filter = KnownUsers::build(hashing, hashes).with_context(|| {
        let refused = refused(&taken);
        if refused.is_empty() { "nothing was written".to_owned() } else { refused }
    })?;
    Ok((filter, taken))
}

fn text(path: &str, filter: &KnownUsers, bytes: usize, taken: &Taken) -> String {
    let folding = match filter.usernames() {
        Usernames::Fold => "folded",
        Usernames::Exact => "byte for byte",
    };
    let one_in = (1.0 / filter.false_positive_rate()).round() as u64;
    let mut text = format!(
        "{}: {}, {folding}, {}; of other names 1 in {} passes for one of them\n",
        printable(path),
        counted_in_groups(filter.names(), "user"),
        bytesize::ByteSize(bytes as u64),
        grouped(one_in),
    );
    let again = taken.names - filter.names();
    if again > 0 {
        let _ = writeln!(text, "{} the same as another", counted_in_groups(again, "name"));
    }
    text + &refused(taken)
}

/// The lines that gave no name, a line a reason.
pub(super) fn refused(taken: &Taken) -> String {
    let all = taken.refused.iter().map(|(why, (count, first))| {
        let lines = counted_in_groups(*count, "line");
        format!("not taken: {lines}, first {}: {}\n", printable(first), why.why())
    });
    all.collect()
}

pub(super) fn counted_in_groups(count: u64, noun: &str) -> String {
    counted(count, noun).replacen(&count.to_string(), &grouped(count), 1)
}
