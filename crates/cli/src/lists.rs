//! Lists of names from elsewhere, as files.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tidewatch_ingest::name_lists::{NameLists, NamesOf};

use crate::users::filter_bytes;

/// The lists in these files.
///
/// # Errors
/// If one cannot be read or is none, or they do not go together.
pub fn read(paths: &[PathBuf]) -> Result<NameLists> {
    let all = paths.iter().map(|path| one(path).with_context(|| path.display().to_string()));
    Ok(NameLists::new(all.collect::<Result<_>>()?)?)
}

fn one(path: &Path) -> Result<NamesOf> {
    Ok(NamesOf::parse(&filter_bytes(File::open(path)?)?)?)
}
