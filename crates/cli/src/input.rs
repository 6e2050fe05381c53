//! One input: a file, a pipe or standard input, plain or gzipped, as dated signals.
//!
//! Each input is its own shard. gzip is recognised by its first bytes and streams without a total cap;
//! where it breaks off, everything before is still read, and the break is counted. Opening reads
//! nothing: a pipe may stay silent for hours, and whoever waits for it must be able to hear Ctrl-C.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::DerefMut;
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use tidewatch_core::signal::{LogStream, Signal};
use tidewatch_core::time::Time;
use tidewatch_ingest::problem::Problem;
use tidewatch_ingest::{Batch, Buffers, Tally};
use tidewatch_ingest::{Ingest, InputKind};

use crate::calendar::Calendar;
use crate::chunks::{Chunk, Chunks};
use crate::hearing::Hearing;
use crate::lines::Lines;
use crate::progress::Progress;

type Source = Box<dyn Read + Send>;

/// A nameless file that keeps what an input says which can be read only once. It goes with the run.
#[derive(Clone, Debug)]
pub struct Copy {
    file: Arc<File>,
}

impl Copy {
    /// An empty one.
    ///
    /// # Errors
    /// If no file can be made in the folder for temporary files.
    pub fn new() -> io::Result<Copy> {
        Ok(Copy { file: Arc::new(tempfile::tempfile()?) })
    }

    /// What has been kept, from the start.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn lines(&self) -> io::Result<Lines> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Lines::of(file)
    }
}

/// A source of which everything that is read is kept.
struct Kept {
    source: Source,
    copy: Copy,
}

impl Read for Kept {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(into)?;
        (&*self.copy.file).write_all(&into[..n])?;
        Ok(n)
    }
}

/// An open input.
pub struct Input {
    name: Arc<LogStream>,
    kind: InputKind,
    /// What has been opened but not been looked at.
    unread: Option<Source>,
    chunks: Chunks<Source>,
    gzip: bool,
    calendar: Calendar,
    buffers: Buffers,
}

/// What one step of reading brought.
#[derive(Default)]
pub struct Step {
    /// Signals in input order.
    pub signals: Vec<Signal>,
    /// What was read, and what could not be.
    pub tally: Tally,
    /// A fault of the host, which ends this input.
    pub fault: Option<io::Error>,
}

impl Input {
    /// Opens `path`, `-` being standard input; what is read of it goes to `copy` too.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(
        path: &Path,
        kind: InputKind,
        calendar: Calendar,
        progress: &Progress,
        copy: Option<&Copy>,
    ) -> io::Result<Input> {
        let mut raw: Source = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            let file = File::open(path)?;
            let about = file.metadata()?;
            if about.is_dir() {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
            }
            progress.expect(about.len());
            Box::new(file)
        };
        if let Some(copy) = copy {
            raw = Box::new(Kept { source: raw, copy: copy.clone() });
        }
        let stream = path.display().to_string();
        Ok(Input {
            name: Arc::new(LogStream { stream, ..LogStream::default() }),
            kind,
            unread: Some(Box::new(progress.counted(raw))),
            chunks: Chunks::new(Box::new(io::empty())),
            gzip: false,
            calendar,
            buffers: Buffers::default(),
        })
    }

    /// Looks whether it is gzip.
    fn begin(&mut self, mut raw: Source) -> io::Result<()> {
        let mut first = Vec::with_capacity(2);
        raw.by_ref().take(2).read_to_end(&mut first)?;
        self.gzip = first == [0x1f, 0x8b];
        let whole = io::Cursor::new(first).chain(raw);
        self.chunks = Chunks::new(match self.gzip {
            true => Box::new(MultiGzDecoder::new(whole)),
            false => Box::new(whole),
        });
        Ok(())
    }

    /// Reads the next chunk of lines into a batch, which is asked for, with what reads, when the chunk is there;
    /// `None` at the end, else with the fault of the host that ends this input.
    pub fn take_in<'i, B: DerefMut<Target = Batch>>(
        &mut self,
        reading: impl FnOnce() -> (&'i Ingest, B),
    ) -> Option<Option<io::Error>> {
        if let Some(raw) = self.unread.take()
            && let Err(error) = self.begin(raw)
        {
            return Some(Some(error));
        }
        match self.chunks.next() {
            Ok(None) => return None,
            Ok(Some(Chunk::Lines { bytes, offset })) => {
                let (bytes, offset) = after_mark(bytes, offset);
                let (ingest, mut batch) = reading();
                if self.gzip {
                    batch.tally.bytes_inflated += bytes.len() as u64;
                }
                let buffers = &mut self.buffers;
                ingest.lines(self.kind, bytes, offset, &self.name, buffers, &mut batch);
            }
            Ok(Some(Chunk::TooLong { offset })) => {
                let place = format!("{}:{offset}", self.name.stream);
                reading().1.tally.reject(Problem::EventTooLong, place);
            }
            Err(error) => match self.gzip_problem(&error) {
                Some(problem) => {
                    let place = self.name.stream.clone();
                    reading().1.tally.reject(problem, place);
                }
                None => return Some(Some(error)),
            },
        }
        Some(None)
    }

    fn gzip_problem(&self, error: &io::Error) -> Option<Problem> {
        match error.kind() {
            _ if !self.gzip => None,
            io::ErrorKind::UnexpectedEof => Some(Problem::GzipTruncated),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Some(Problem::GzipCorrupt),
            _ => None,
        }
    }

    fn dated(&mut self, batch: Batch, fault: Option<io::Error>) -> Step {
        let Batch { signals, mut tally, first_civil, .. } = batch;
        if let Some(civil) = first_civil {
            self.calendar.note(civil);
        }
        let dated = self.calendar.date(signals, &mut tally);
        Step { signals: dated, tally, fault }
    }
}

/// The lines without the byte order mark that Windows' editors put at the start of a file.
fn after_mark(bytes: &[u8], offset: u64) -> (&[u8], u64) {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    match bytes.strip_prefix(MARK) {
        Some(rest) if offset == 0 => (rest, MARK.len() as u64),
        _ => (bytes, offset),
    }
}

/// What is read step by step: an input here, or a log group of the account.
pub trait Stepped {
    /// Its name, for what is said of it.
    fn name(&self) -> &str;

    /// The next step; `None` at the end.
    fn next(&mut self, hearing: &mut Hearing) -> Option<Step>;
}

impl Stepped for Input {
    fn name(&self) -> &str {
        &self.name.stream
    }

    fn next(&mut self, hearing: &mut Hearing) -> Option<Step> {
        let mut batch = Batch::default();
        let fault = self.take_in(|| (hearing.now(), &mut batch))?;
        Some(self.dated(batch, fault))
    }
}

/// Reads several inputs together in order of time, each in its own order.
pub struct Merged<I> {
    inputs: Vec<Queued<I>>,
    ready: std::collections::BinaryHeap<std::cmp::Reverse<(Time, usize)>>,
}

struct Queued<I> {
    input: I,
    signals: std::vec::IntoIter<Signal>,
    next: Option<Signal>,
    /// The newest time handed on: an input whose clock steps back does not hold up the others.
    clock: Time,
}

impl<I: Stepped> Merged<I> {
    /// All of `inputs`; `report` is told what each first step brought.
    pub fn new(
        inputs: Vec<I>,
        hearing: &mut Hearing,
        report: &mut dyn FnMut(&str, Step),
    ) -> Merged<I> {
        let mut merged = Merged { inputs: Vec::new(), ready: Default::default() };
        for input in inputs {
            merged.inputs.push(Queued {
                input,
                signals: Vec::new().into_iter(),
                next: None,
                clock: Time::MIN,
            });
            merged.advance(merged.inputs.len() - 1, hearing, report);
        }
        merged
    }

    /// The next signal in order of time; `None` at the end of all inputs.
    pub fn next(
        &mut self,
        hearing: &mut Hearing,
        report: &mut dyn FnMut(&str, Step),
    ) -> Option<Signal> {
        let std::cmp::Reverse((_, index)) = self.ready.pop()?;
        let signal = self.inputs[index].next.take();
        self.advance(index, hearing, report);
        signal
    }

    /// Finds the next signal of one input and lines it up.
    fn advance(&mut self, index: usize, hearing: &mut Hearing, report: &mut dyn FnMut(&str, Step)) {
        let queued = &mut self.inputs[index];
        loop {
            if let Some(signal) = queued.signals.next() {
                queued.clock = queued.clock.max(signal.time);
                queued.next = Some(signal);
                self.ready.push(std::cmp::Reverse((queued.clock, index)));
                return;
            }
            let Some(mut step) = queued.input.next(hearing) else { return };
            queued.signals = std::mem::take(&mut step.signals).into_iter();
            report(queued.input.name(), step);
        }
    }
}
