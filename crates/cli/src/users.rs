//! Lists of usernames, and the filters of known users that are made of them, as files.
//!
//! A list is streamed: one name is held at a time, so it may have any length. What is no name is passed over
//! and counted with its reason and its place, for a list with a wrong column or of the wrong file would else
//! give a filter that knows nobody.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use tidewatch_alert::printable;
use tidewatch_ingest::known_users::KnownUsers;
use tidewatch_ingest::username::{USERNAME_BYTES_MAX, is_placeholder};

use crate::lines::unpacked;
use crate::progress::Progress;

/// The longest line of a list, in bytes: a JSON object or a row with a name in it.
const LINE_BYTES_MAX: u64 = 64 * 1_024;

/// The largest filter that is read: one of the most names there may be.
const FILTER_BYTES_MAX: u64 = 256 << 20;

/// Why a line gives no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    Blank,
    NotUtf8,
    TooLong,
    Nul,
    Placeholder,
    LooksLikeJson,
    NoColumn,
    Malformed,
}

impl Refused {
    /// What is wrong with them.
    pub fn why(self) -> &'static str {
        match self {
            Refused::Blank => "blank",
            Refused::NotUtf8 => "not UTF-8",
            Refused::TooLong => "too long: a name has at most 1,024 bytes, a line 65,536",
            Refused::Nul => "NUL characters in it: is it UTF-16?",
            Refused::Placeholder => "a name that is hidden, as *** and [REDACTED] say",
            Refused::LooksLikeJson => "JSON: say with --column which field is the name",
            Refused::NoColumn => "no text or whole number in that column",
            Refused::Malformed => "neither a JSON object nor a row like the first",
        }
    }
}

/// What was read of lists.
#[derive(Debug, Default)]
pub struct Taken {
    /// Lines with a name.
    pub names: u64,
    /// How many lines have none, and where the first is.
    pub refused: BTreeMap<Refused, (u64, String)>,
}

impl Taken {
    fn refuse(&mut self, why: Refused, place: impl FnOnce() -> String) {
        self.refused.entry(why).or_insert_with(|| (0, place())).0 += 1;
    }
}

/// Gives `take` each name of the list at `path`, `-` being standard input, plain or gzipped: one a line, or
/// with `column` that field of JSON objects, one a line, or that column of CSV with a header.
///
/// # Errors
/// If it cannot be opened or read to its end, or has no such column.
pub fn names(
    path: &Path,
    column: Option<&str>,
    progress: &Progress,
    taken: &mut Taken,
    take: &mut dyn FnMut(&str),
) -> Result<()> {
    let shown = path.display().to_string();
    let raw: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(io::stdin()),
        false => {
            let file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
            progress.expect(file.metadata().map_or(0, |about| about.len()));
            Box::new(file)
        }
    };
    let reader = unpacked(progress.counted(raw)).with_context(|| format!("cannot read {shown}"))?;
    let mut list = List { reader, line: Vec::new(), nth: 0 };
    let mut kind = Kind::Plain;
    while let Some(line) = list.next().with_context(|| format!("cannot read {shown}"))? {
        let place = || format!("{shown}:{}", line.nth);
        let text = match line.text {
            Ok(text) => text,
            Err(why) => {
                taken.refuse(why, place);
                continue;
            }
        };
        if let (1, Some(column)) = (line.nth, column) {
            kind = Kind::of(text, column).with_context(place)?;
            if let Kind::Rows { .. } = kind {
                continue;
            }
        }
        match kind.name(text).and_then(checked) {
            Ok(name) => {
                taken.names += 1;
                take(&name);
            }
            Err(why) => taken.refuse(why, place),
        }
    }
    Ok(())
}

/// Lines of a list.
struct List {
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    nth: u64,
}

struct Line<'a> {
    nth: u64,
    text: Result<&'a str, Refused>,
}

impl List {
    fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut limited = self.reader.by_ref().take(LINE_BYTES_MAX);
        if limited.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        self.nth += 1;
        let is_whole = self.line.last() == Some(&b'\n') || limited.limit() > 0;
        if !is_whole {
            self.reader.skip_until(b'\n')?;
            return Ok(Some(Line { nth: self.nth, text: Err(Refused::TooLong) }));
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let mut line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.nth == 1 {
            // The byte order mark that Windows' editors put at the start of a file.
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        let text = str::from_utf8(line).map_err(|_| Refused::NotUtf8);
        Ok(Some(Line { nth: self.nth, text }))
    }
}

/// How a line holds its name.
enum Kind {
    Plain,
    Objects { field: String },
    Rows { delimiter: u8, place: usize, columns: usize },
}

impl Kind {
    /// What the first line of a list with a column says.
    fn of(first: &str, column: &str) -> Result<Kind> {
        if first.trim_start().starts_with('{') {
            return Ok(Kind::Objects { field: column.to_owned() });
        }
        let header = |delimiter| {
            let header = row(first, delimiter)?;
            let place = header.iter().position(|name| name.trim() == column)?;
            Some(Kind::Rows { delimiter, place, columns: header.len() })
        };
        [b',', b';', b'\t'].into_iter().find_map(header).ok_or_else(|| {
            let first: String = first.chars().take(200).collect();
            let first = printable(&first);
            anyhow!("no column `{column}`; in CSV the first line names the columns, and this is `{first}`")
        })
    }

    fn name(&self, line: &str) -> Result<String, Refused> {
        if line.trim().is_empty() {
            return Err(Refused::Blank);
        }
        match self {
            Kind::Plain if line.starts_with("{\"") => Err(Refused::LooksLikeJson),
            Kind::Plain => Ok(line.to_owned()),
            Kind::Objects { field } => {
                let object: Value = serde_json::from_str(line).map_err(|_| Refused::Malformed)?;
                match object.get(field) {
                    Some(Value::String(name)) => Ok(name.clone()),
                    Some(Value::Number(id)) if !id.is_f64() => Ok(id.to_string()),
                    _ => Err(Refused::NoColumn),
                }
            }
            Kind::Rows { delimiter, place, columns } => {
                let mut row = row(line, *delimiter).filter(|row| row.len() == *columns);
                row.as_mut().map(|row| row.swap_remove(*place)).ok_or(Refused::Malformed)
            }
        }
    }
}

/// The fields of one line of CSV (RFC 4180); a field that goes on in the next line makes it none.
fn row(line: &str, delimiter: u8) -> Option<Vec<String>> {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).delimiter(delimiter).buffer_capacity(line.len().max(1));
    let mut reader = builder.from_reader(line.as_bytes());
    let is_closed = line.bytes().filter(|byte| *byte == b'"').count() % 2 == 0;
    let record = reader.records().next()?.ok().filter(|_| is_closed)?;
    Some(record.iter().map(str::to_owned).collect())
}

fn checked(name: String) -> Result<String, Refused> {
    if name.trim().is_empty() {
        return Err(Refused::Blank);
    }
    if name.len() > USERNAME_BYTES_MAX {
        return Err(Refused::TooLong);
    }
    if name.contains('\0') {
        return Err(Refused::Nul);
    }
    if is_placeholder(&name) {
        return Err(Refused::Placeholder);
    }
    Ok(name)
}

/// All of a file that holds a filter, or a list of names, which is one too.
///
/// # Errors
/// If it cannot be read, or is larger than any filter.
pub fn filter_bytes(file: File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(FILTER_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILTER_BYTES_MAX {
        return Err(anyhow!("it is larger than {}", bytesize::ByteSize(FILTER_BYTES_MAX)));
    }
    Ok(bytes)
}

/// A filter, and the file it was read from.
#[derive(Clone, Debug)]
pub struct FilterFile {
    pub path: PathBuf,
    pub users: Arc<KnownUsers>,
    pub version: Version,
}

/// Tells a file from one that replaces it, and from itself before it was written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Version {
    /// That of the file at `path` now.
    ///
    /// # Errors
    /// If there is none.
    pub fn of(path: &Path) -> io::Result<Version> {
        Ok(Version::from(&std::fs::metadata(path)?))
    }
}

impl From<&Metadata> for Version {
    fn from(about: &Metadata) -> Version {
        Version {
            device: about.dev(),
            inode: about.ino(),
            bytes: about.len(),
            modified: about.modified().ok(),
        }
    }
}

impl FilterFile {
    /// What it is called, without its folder.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        printable(&name).into_owned()
    }

    /// Reads the filter at `path`.
    ///
    /// # Errors
    /// If it cannot be read or is none.
    pub fn read(path: &Path) -> Result<FilterFile> {
        let file = File::open(path)?;
        // Before its content: what is written meanwhile makes another version.
        let version = Version::from(&file.metadata()?);
        let users = Arc::new(KnownUsers::parse(&filter_bytes(file)?)?);
        Ok(FilterFile { path: path.to_owned(), users, version })
    }
}
