//! The limit: what opening the records alone costs, with the fastest crates and nothing done to the
//! text. Run as a process of its own, so that it is measured as its contenders are.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use base64_simd::{AsOut, STANDARD};
use libdeflater::Decompressor;
use serde::Deserialize;

/// A Lambda Kinesis event, as far as it must be read.
#[derive(Deserialize)]
struct Event<'e> {
    #[serde(borrow, rename = "Records")]
    records: Vec<Record<'e>>,
}

#[derive(Deserialize)]
struct Record<'e> {
    #[serde(borrow)]
    kinesis: Kinesis<'e>,
}

#[derive(Deserialize)]
struct Kinesis<'e> {
    #[serde(borrow)]
    data: Cow<'e, str>,
}

/// Inflating with buffers that are reused: what libdeflate can do.
pub struct Inflater {
    decompressor: Decompressor,
    output: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Inflater {
        Inflater { decompressor: Decompressor::new(), output: Vec::new() }
    }
}

impl Inflater {
    /// Inflates one gzip member, trusting its length field: these records are our own.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn inflate(&mut self, record: &[u8]) -> Result<&[u8]> {
        let size = record.last_chunk::<4>().context("a record ends in its length")?;
        let size = u32::from_le_bytes(*size) as usize;
        if self.output.len() < size {
            self.output.resize(size, 0);
        }
        let len = self.decompressor.gzip_decompress(record, &mut self.output)?;
        Ok(&self.output[..len])
    }
}

/// The records of a packed file, still compressed.
///
/// # Errors
/// If it cannot be read.
pub fn read(packed: &Path) -> Result<Vec<Vec<u8>>> {
    let mut records = Vec::new();
    for_each(packed, |record| {
        records.push(record.to_vec());
        Ok(())
    })?;
    Ok(records)
}

/// Decodes each line's JSON and base64 with reused buffers and hands each record on.
fn for_each(packed: &Path, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut reader = BufReader::with_capacity(1 << 18, File::open(packed)?);
    let (mut line, mut data) = (Vec::new(), Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        let event: Event<'_> = serde_json::from_slice(&line)?;
        for record in event.records {
            let base64 = record.kinesis.data.as_bytes();
            let room = STANDARD.estimated_decoded_length(base64.len());
            if data.len() < room {
                data.resize(room, 0);
            }
            each(STANDARD.decode(base64, data.as_mut_slice().as_out())?)?;
        }
        line.clear();
    }
    Ok(())
}

/// Writes the records of `packed` one after the other, each behind its length in 4 bytes.
///
/// # Errors
/// If files fail.
pub fn unpack(packed: &Path, to: &Path) -> Result<()> {
    let mut out = BufWriter::new(File::create(to)?);
    for_each(packed, |record| {
        out.write_all(&u32::try_from(record.len())?.to_le_bytes())?;
        Ok(out.write_all(record)?)
    })?;
    Ok(out.flush()?)
}

/// This program again, to run `limit` over `file`.
///
/// # Errors
/// If it does not know its own path.
pub fn limit(limit: &str, file: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--limit").arg(limit).arg(file);
    Ok(command)
}

/// What [`limit`] starts: prints how many bytes of text there were.
///
/// # Errors
/// If the file is not what the limit reads.
pub fn run_limit(limit: &str, file: &Path) -> Result<()> {
    let mut inflater = Inflater::default();
    let mut bytes = 0;
    match limit {
        "inflate" => {
            let mut reader = BufReader::with_capacity(1 << 18, File::open(file)?);
            let (mut len, mut record) = ([0; 4], Vec::new());
            while !reader.fill_buf()?.is_empty() {
                reader.read_exact(&mut len)?;
                record.resize(u32::from_le_bytes(len) as usize, 0);
                reader.read_exact(&mut record)?;
                bytes += inflater.inflate(&record)?.len();
            }
        }
        "open" => for_each(file, |record| {
            bytes += inflater.inflate(record)?.len();
            Ok(())
        })?,
        _ => bail!("there is no limit {limit:?}"),
    }
    println!("{bytes}");
    Ok(())
}
