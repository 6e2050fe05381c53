//! The folder of generators and baselines, and what they generate, kept in the user's cache under the
//! generator's content and arguments: a changed generator never meets an old corpus.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// Names the folder of generators and baselines.
pub const PEERS_VARIABLE: &str = "TIDEWATCH_PEERS";

/// Generators, baselines and the cache.
#[derive(Clone, Debug)]
pub struct Peers {
    folder: PathBuf,
    /// Where corpora are kept.
    pub cache: PathBuf,
}

/// The mixed corpus: benign logins and scans, packed as Lambda's Kinesis events.
#[derive(Clone, Debug)]
pub struct Mixed {
    /// One Lambda Kinesis event a line.
    pub packed: PathBuf,
    /// The generator's account of who crossed the threshold.
    pub truth: PathBuf,
}

impl Peers {
    /// The folder that [`PEERS_VARIABLE`] names; without it says loudly that the bench is skipped.
    ///
    /// # Errors
    /// If it names no folder, or there is no home to cache in.
    pub fn named() -> Result<Option<Peers>> {
        let Some(folder) = std::env::var_os(PEERS_VARIABLE) else {
            println!("SKIPPED: {PEERS_VARIABLE} names no folder of generators and baselines");
            return Ok(None);
        };
        let folder = PathBuf::from(folder);
        if !folder.is_dir() {
            bail!("{PEERS_VARIABLE}={} is not a folder", folder.display());
        }
        Ok(Some(Peers { folder, cache: cache()? }))
    }

    /// A script of the folder.
    pub fn script(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The mixed corpus.
    ///
    /// # Errors
    /// If it cannot be generated.
    pub fn mixed(&self, lines: u64, seed: u64) -> Result<Mixed> {
        let (generator, packer) = (self.script("gen_auth.py"), self.script("pack_cw.py"));
        let name = format!("mixed-{lines}-{seed}-{}", content(&[&generator, &packer])?);
        let kept = self.kept(&name, |folder| {
            let mut generate = Command::new("python3");
            generate.arg(&generator).arg("mixed").arg(folder);
            generate.args(["--lines", &lines.to_string(), "--seed", &seed.to_string()]);
            finish(&mut generate)?;
            let plain = folder.join("mixed.jsonl");
            let packed = folder.join("packed.json");
            finish(Command::new("python3").arg(&packer).args([&plain, &packed]))?;
            // Only the packed form is raced; the plain ones are many times as large.
            std::fs::remove_file(plain)?;
            std::fs::remove_file(folder.join("mixed.ssh.log"))?;
            Ok(())
        })?;
        Ok(Mixed { packed: kept.join("packed.json"), truth: kept.join("mixed.truth.json") })
    }

    /// What `script` prints for `n`.
    ///
    /// # Errors
    /// If it cannot be generated.
    pub fn printed(&self, script: &str, n: u64) -> Result<PathBuf> {
        let generator = self.script(script);
        let stem = script.trim_end_matches(".py");
        let name = format!("{stem}-{n}-{}", content(&[&generator])?);
        let kept = self.kept(&name, |folder| {
            let out = File::create(folder.join("lines.jsonl"))?;
            finish(Command::new("python3").arg(&generator).arg(n.to_string()).stdout(out))
        })?;
        Ok(kept.join("lines.jsonl"))
    }

    /// The folder `name` of the cache, filled by `fill` if it is not there. It appears whole or not at
    /// all.
    ///
    /// # Errors
    /// What `fill` says.
    pub fn kept(&self, name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let folder = self.cache.join(name);
        if folder.is_dir() {
            return Ok(folder);
        }
        eprintln!("preparing {} (once)", folder.display());
        let unfinished = self.cache.join(format!("{name}.{}", std::process::id()));
        std::fs::create_dir_all(&unfinished)?;
        fill(&unfinished).with_context(|| format!("preparing {name}"))?;
        std::fs::rename(&unfinished, &folder)?;
        Ok(folder)
    }
}

/// The user's cache.
fn cache() -> Result<PathBuf> {
    let base = match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => PathBuf::from(home).join(".cache"),
        (None, None) => bail!("neither XDG_CACHE_HOME nor HOME is set"),
    };
    Ok(base.join("tidewatch").join("benches"))
}

/// The start of a hash over files.
pub(crate) fn content(files: &[&Path]) -> Result<String> {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(std::fs::read(file).with_context(|| file.display().to_string())?);
    }
    Ok(hash.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Runs a command that must succeed.
pub(crate) fn finish(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{:?}", command.get_program()))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
