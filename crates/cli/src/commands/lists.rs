//! `tidewatch lists build`: a list of names from elsewhere, as a filter that findings can tell of.

use std::fmt::Write as _;

use anyhow::{Context, Result, anyhow};
use tidewatch_alert::printable;
use tidewatch_ingest::name_lists::{NamesOf, checked};

use crate::args::{ListsBuildArgs, ListsCommand};
use crate::commands::users::{counted_in_groups, filter, make, refused};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::settings;
use crate::summary::grouped;
use crate::users::{Taken, names};
use crate::whole_file::replace;

/// Makes what is asked for.
///
/// # Errors
/// If the command line is faulty.
pub fn run(command: ListsCommand) -> Result<Exit, Failure> {
    let ListsCommand::Build(args) = command;
    let inputs: Vec<_> = args.files.iter().chain(&args.own_users).cloned().collect();
    settings::inputs(&inputs)?;
    checked(&args.name).map_err(|why| anyhow!("{}: {why}", printable(&args.name)))?;
    make(&args.out, || build(&args))
}

fn build(args: &ListsBuildArgs) -> Result<String> {
    let column = args.column.as_deref();
    let (filter, taken) = filter(&args.files, column, args.usernames)?;
    let (mut own, mut own_taken) = (None, Taken::default());
    if let Some(path) = &args.own_users {
        let (mut on, mut of) = (0, 0);
        let mut take = |name: &str| {
            on += u64::from(filter.knows(name));
            of += 1;
        };
        let progress = Progress::new(true);
        names(path, column, &progress, &mut own_taken, &mut take)?;
        progress.finish();
        if of == 0 {
            let refused = refused(&own_taken);
            return Err(anyhow!(
                "{}: no name in it; nothing was written\n{refused}",
                path.display()
            ));
        }
        own = Some((on, of));
    }
    let list = NamesOf::new(&args.name, own, filter)?;
    let bytes = list.to_bytes();
    let named = args.out.display().to_string();
    replace(&args.out, &bytes).with_context(|| named.clone())?;
    let mut text = format!(
        "{}: {}, {}, called {}\n",
        printable(&named),
        counted_in_groups(list.names(), "name"),
        bytesize::ByteSize(bytes.len() as u64),
        printable(list.name())
    );
    let again = taken.names - list.names();
    if again > 0 {
        let _ = writeln!(text, "{} the same as another", counted_in_groups(again, "name"));
    }
    let _ = match own {
        Some((on, of)) => {
            let share = on as f64 / of as f64 * 100.0;
            let (on, of) = (grouped(on), counted_in_groups(of, "user"));
            writeln!(text, "of your {of} {on} are on it ({share:.1} %)")
        }
        None => writeln!(text, "your own users were not compared with it: see --own-users"),
    };
    Ok(text + &refused(&taken) + &refused(&own_taken))
}
