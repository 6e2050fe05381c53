//! A reader cut into chunks of whole lines, however long the lines and however large the input.
//!
//! Invariants: a chunk is handed on as soon as a read brought the end of a line, so a live pipe waits
//! for nothing; memory is bounded by the longest line allowed plus one read; a line beyond that is
//! skipped and reported, and the next line is read as if nothing had happened.

use std::io::{self, Read};

use tidewatch_ingest::limits::EVENT_LINE_BYTES_MAX;

/// Bytes asked for at a time.
const READ_BYTES: usize = 256 << 10;

/// Whole lines, one after the other.
pub struct Chunks<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Bytes of `buffer` already handed on.
    done: usize,
    /// Bytes of `buffer` already searched for the end of a line.
    searched: usize,
    /// Where `buffer` begins in the input.
    offset: u64,
    skipping: bool,
    ended: bool,
}

/// What one step brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk<'a> {
    /// Whole lines; only the last line of an input may lack its end.
    Lines {
        /// The lines.
        bytes: &'a [u8],
        /// Where they begin in the input.
        offset: u64,
    },
    /// A line longer than [`EVENT_LINE_BYTES_MAX`] begins here; the rest of it is skipped.
    TooLong {
        /// Where it begins in the input.
        offset: u64,
    },
}

impl<R: Read> Chunks<R> {
    /// Chunks of `reader`.
    pub fn new(reader: R) -> Chunks<R> {
        Chunks {
            reader,
            buffer: Vec::new(),
            done: 0,
            searched: 0,
            offset: 0,
            skipping: false,
            ended: false,
        }
    }

    /// The next chunk, `None` at the end.
    ///
    /// # Errors
    /// What the reader says. What was read before it has been handed on, or is handed on by the next
    /// call.
    pub fn next(&mut self) -> io::Result<Option<Chunk<'_>>> {
        self.drop_done();
        loop {
            if self.skipping {
                let end = memchr::memchr(b'\n', &self.buffer).map(|at| at + 1);
                self.skipping = end.is_none();
                self.done = end.unwrap_or(self.buffer.len());
                self.drop_done();
            }
            // Nothing before `searched` ends a line, so this is where the first one ends.
            let fresh = &self.buffer[self.searched..];
            let first_end = memchr::memchr(b'\n', fresh).map(|at| self.searched + at + 1);
            if first_end.unwrap_or(self.buffer.len()) > EVENT_LINE_BYTES_MAX {
                return Ok(Some(self.too_long(first_end)));
            }
            if let Some(at) = memchr::memrchr(b'\n', fresh) {
                return Ok(Some(self.hand_on(self.searched + at + 1)));
            }
            self.searched = self.buffer.len();
            match self.searched {
                0 if self.ended => return Ok(None),
                all if self.ended => return Ok(Some(self.hand_on(all))),
                _ => {}
            }
            if let Err(error) = self.read_some() {
                self.ended = true;
                return Err(error);
            }
        }
    }

    fn read_some(&mut self) -> io::Result<()> {
        let end = self.buffer.len();
        self.buffer.resize(end + READ_BYTES, 0);
        loop {
            match self.reader.read(&mut self.buffer[end..]) {
                Ok(n) => {
                    self.buffer.truncate(end + n);
                    self.ended = n == 0;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(end);
                    return Err(error);
                }
            }
        }
    }

    fn hand_on(&mut self, end: usize) -> Chunk<'_> {
        self.done = end;
        Chunk::Lines { bytes: &self.buffer[..end], offset: self.offset }
    }

    /// Envelopes may stand one behind the other without a line's end (as Firehose delivers them):
    /// those that are whole are handed on. Otherwise the line is given up, as far as `end` or, if
    /// that has not been read yet, as far as it will be.
    fn too_long(&mut self, end: Option<usize>) -> Chunk<'_> {
        let line = end.unwrap_or(self.buffer.len());
        if let Some(whole) = last_document_end(&self.buffer[..line]) {
            return self.hand_on(whole);
        }
        self.skipping = end.is_none();
        self.done = line;
        Chunk::TooLong { offset: self.offset }
    }

    fn drop_done(&mut self) {
        self.buffer.drain(..self.done);
        self.offset += self.done as u64;
        self.done = 0;
        self.searched = 0;
    }
}

/// Where the last whole top-level JSON object of `bytes` ends, if it begins with one.
fn last_document_end(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped, mut end) = (0usize, false, false, None);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    end = Some(at + 1);
                }
            }
            b' ' | b'\t' | b'\r' => {}
            _ if depth == 0 => return end,
            _ => {}
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out its bytes a few at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(into.len());
            into[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    /// Must not be asked.
    struct Silent;

    impl Read for Silent {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("a live pipe would wait here");
        }
    }

    fn lines(input: &[u8], step: usize) -> Vec<(u64, String)> {
        let mut chunks = Chunks::new(Slow(input, step));
        let mut out = Vec::new();
        while let Some(chunk) = chunks.next().unwrap() {
            match chunk {
                Chunk::Lines { bytes, offset } => {
                    let mut offset = offset;
                    for line in bytes.split_inclusive(|b| *b == b'\n') {
                        out.push((offset, String::from_utf8_lossy(line).into_owned()));
                        offset += line.len() as u64;
                    }
                }
                Chunk::TooLong { offset } => out.push((offset, "TOO LONG".to_owned())),
            }
        }
        out
    }

    #[test]
    fn lines_and_offsets_do_not_depend_on_how_reads_fall() {
        let input = b"one\ntwo\r\n\nthree";
        let whole = lines(input, 100);
        assert_eq!(whole.len(), 4);
        assert_eq!(whole[3], (10, "three".to_owned()));
        for step in 1..16 {
            assert_eq!(lines(input, step), whole, "step {step}");
        }
    }

    #[test]
    fn a_line_beyond_the_cap_is_skipped_and_its_neighbours_are_not() {
        let mut input = b"before\n".to_vec();
        input.resize(input.len() + EVENT_LINE_BYTES_MAX + 2 * READ_BYTES, b'x');
        input.extend_from_slice(b"\nafter\n");
        let last = input.len() as u64 - 6;
        for step in [1 << 16, 1 << 20, (1 << 20) + 77] {
            let found = lines(&input, step);
            let short: Vec<(u64, &str)> = found
                .iter()
                .map(|(at, text)| (*at, text.get(..20).unwrap_or(text).trim_end()))
                .collect();
            assert_eq!(short, [(0, "before"), (7, "TOO LONG"), (last, "after")], "step {step}");
        }
    }

    #[test]
    fn lines_behind_a_skipped_one_do_not_wait_for_another_read() {
        let mut input = vec![b'x'; EVENT_LINE_BYTES_MAX + READ_BYTES];
        input.extend_from_slice(b"\nafter\n");
        // The last read brings the end of the skipped line and the line behind it; a live pipe has no
        // more to give for now.
        let mut chunks = Chunks::new(Slow(&input, READ_BYTES).chain(Silent));
        assert_eq!(chunks.next().unwrap(), Some(Chunk::TooLong { offset: 0 }));
        let offset = input.len() as u64 - 6;
        assert_eq!(chunks.next().unwrap(), Some(Chunk::Lines { bytes: b"after\n", offset }));
    }

    #[test]
    fn envelopes_without_line_ends_pass_although_together_they_are_too_long() {
        let document = format!("{{\"a\":\"}}{{\\\"{}\"}}", "y".repeat(1 << 20));
        let input = document.repeat(20);
        let chunks = lines(input.as_bytes(), 1 << 20);
        assert!(chunks.len() >= 2);
        let joined: String = chunks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(joined, input);
        assert!(chunks.iter().all(|(_, text)| text.starts_with('{') && text.ends_with('}')));
    }
}
