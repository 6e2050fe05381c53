//! Lists of names from elsewhere, as files.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tidewatch_ingest::name_lists::{NameLists, NamesOf};

use crate::users::FILTER_BYTES_MAX;

/// The lists in these files.
///
/// # Errors
/// If one cannot be read or is none, or they do not go together.
pub fn read(paths: &[PathBuf]) -> Result<NameLists> {
    let all = paths.iter().map(|path| one(path).with_context(|| path.display().to_string()));
    Ok(NameLists::new(all.collect::<Result<_>>()?)?)
}

fn one(path: &Path) -> Result<NamesOf> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILTER_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILTER_BYTES_MAX {
        bail!("it is larger than {}", bytesize::ByteSize(FILTER_BYTES_MAX));
    }
    Ok(NamesOf::parse(&bytes)?)
}
