//! The lines of a file one after the other, plain or gzipped, for commands that look at each by itself.
//!
//! Only one line is held at a time, so a log of any size may be looked at.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// Bytes of one line that are looked at together; the rest of a longer one is a line of its own here.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Lines that are still to be read.
pub struct Lines {
    reader: Box<dyn BufRead>,
    bytes: Vec<u8>,
    is_first: bool,
}

/// What `raw` yields, unpacked if it is gzip, which is recognised by its first bytes.
///
/// # Errors
/// If those cannot be read.
pub fn unpacked(mut raw: impl Read + 'static) -> io::Result<Box<dyn BufRead>> {
    let mut first = Vec::with_capacity(2);
    raw.by_ref().take(2).read_to_end(&mut first)?;
    let is_gzip = first == [0x1f, 0x8b];
    let whole = io::Cursor::new(first).chain(raw);
    Ok(match is_gzip {
        true => Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(whole)))),
        false => Box::new(BufReader::new(whole)),
    })
}

impl Lines {
    /// The lines of the file at `path`, `-` being standard input.
    ///
    /// # Errors
    /// If it cannot be opened, or its first bytes cannot be read.
    pub fn open(path: &Path) -> io::Result<Lines> {
        if path == Path::new("-") { Lines::of(io::stdin()) } else { Lines::of(File::open(path)?) }
    }

    /// The lines of what `raw` yields; gzip is recognised by its first bytes.
    ///
    /// # Errors
    /// If those cannot be read.
    pub fn of(raw: impl Read + 'static) -> io::Result<Lines> {
        Ok(Lines { reader: unpacked(raw)?, bytes: Vec::new(), is_first: true })
    }

    /// The next line without its end; `None` behind the last.
    ///
    /// # Errors
    /// If it cannot be read, or the gzip breaks off.
    pub fn next(&mut self) -> io::Result<Option<Cow<'_, str>>> {
        self.bytes.clear();
        let mut limited = self.reader.by_ref().take(LINE_BYTES_MAX);
        if limited.read_until(b'\n', &mut self.bytes)? == 0 {
            return Ok(None);
        }
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let end = self.bytes.iter().rposition(|byte| !is_end(byte)).map_or(0, |last| last + 1);
        let mut line = &self.bytes[..end];
        if std::mem::take(&mut self.is_first) {
            // The byte order mark that Windows' editors put at the start of a file.
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        Ok(Some(String::from_utf8_lossy(line)))
    }
}
