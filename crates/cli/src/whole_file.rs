//! Files that are there whole or not at all: what is read again after a crash.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Puts a file in the place of another in one step, so that whoever reads it finds one of both, and whole;
/// also after the machine has lost its power. Only its owner may read it, unless there was one that others
/// could read.
///
/// # Errors
/// If it cannot be written; then the old one is as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    if let Ok(about) = fs::metadata(path) {
        file.as_file().set_permissions(about.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The name is in the folder, which is written by itself.
    File::open(folder)?.sync_all()
}

/// What a file holds; `None` where there is none.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
