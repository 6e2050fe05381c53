//! The detectors and formats of a run: those shipped in the binary, the user's own instead of them, or the
//! user's own besides; and whom the user allows what.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use tidewatch_core::detector::Detector;
use tidewatch_core::plan::Plan;
use tidewatch_core::time::Time;
use tidewatch_ingest::declared::Formats;
use tidewatch_rules::RuleError;
use tidewatch_rules::allow::Allow;
use tidewatch_rules::{shipped, shipped_cases, shipped_formats};

use crate::exit::Failure;

/// A detector or format file, and the cases beside it.
#[derive(Clone, Debug)]
pub struct RuleFile {
    /// As the user finds it: a path, or the bare name of one that is shipped.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Name and text of the `.cases` file beside it.
    pub cases: Option<(String, String)>,
}

/// Detector and format files of one place.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    pub detectors: Vec<RuleFile>,
    pub formats: Vec<RuleFile>,
    /// Allow files.
    pub allow: Vec<RuleFile>,
    /// `.cases` files that stand beside nothing.
    pub stray: Vec<String>,
}

/// Where a run's files come from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice<'a> {
    /// The folder that replaces the shipped ones.
    pub instead: Option<&'a Path>,
    /// The folder that adds to them; a file with the id of a shipped one replaces it.
    pub with: Option<&'a Path>,
}

/// Loads and plans the detectors of a run.
///
/// # Errors
/// If a folder cannot be read or holds no detector file, or if a file is faulty.
pub fn detectors(choice: Choice<'_>) -> Result<Plan, Failure> {
    let files = match choice.instead {
        None => besides(shipped(), choice.with, |folder| folder.detectors)?,
        Some(folder) => read(folder, "--detectors")?,
    };
    let detectors = tidewatch_rules::load(files).map_err(Failure::Rules)?;
    Plan::new(detectors).map_err(|error| Failure::Usage(error.into()))
}

/// Loads the formats of a run.
///
/// # Errors
/// As [`detectors`].
pub fn formats(choice: Choice<'_>) -> Result<Formats, Failure> {
    let files = match choice.instead {
        None => besides(shipped_formats(), choice.with, |folder| folder.formats)?,
        Some(folder) => read(folder, "--formats")?,
    };
    tidewatch_rules::formats(files).map_err(Failure::Rules)
}

/// Loads the allow files of a run, in the folder that adds to the shipped rules. `loaded` are the detectors
/// of the run: entries may name these, and those that are shipped.
///
/// # Errors
/// As [`detectors`].
pub fn allow(with: Option<&Path>, loaded: &[Detector], now: Time) -> Result<Allow, Failure> {
    let Some(folder) = with else { return Ok(Allow::default()) };
    let ids = loaded.iter().map(|detector| detector.id.as_str());
    allowed(&Folder::open(folder)?, ids, now).map_err(Failure::Rules)
}

/// The entries of the allow files of `folder`, which may name detectors of these ids and shipped ones.
///
/// # Errors
/// The faults of the files.
pub fn allowed<'a>(
    folder: &Folder,
    ids: impl Iterator<Item = &'a str>,
    now: Time,
) -> Result<Allow, Vec<RuleError>> {
    let shipped = shipped();
    let mut known: Vec<&str> = ids.collect();
    known.extend(shipped.iter().filter_map(|(_, text)| id_of(text)));
    known.sort_unstable();
    known.dedup();
    let files = folder.allow.iter().map(|file| (file.name.clone(), file.text.clone()));
    tidewatch_rules::allow::allow(files, &known, now)
}

/// The shipped files, and those of a folder; of two with one id the folder's.
fn besides(
    shipped: Vec<(String, String)>,
    with: Option<&Path>,
    kind: impl FnOnce(Folder) -> Vec<RuleFile>,
) -> Result<Vec<(String, String)>, anyhow::Error> {
    let Some(folder) = with else { return Ok(shipped) };
    Ok(over(shipped, &kind(Folder::open(folder)?)))
}

/// `shipped` and `own`; of two with one id the own.
pub fn over(shipped: Vec<(String, String)>, own: &[RuleFile]) -> Vec<(String, String)> {
    let taken = |name: &str| {
        let id = name.trim_end_matches(".toml");
        own.iter().any(|file| id_of(&file.text) == Some(id))
    };
    let mut files = shipped;
    files.retain(|(name, _)| !taken(name));
    files.extend(own.iter().map(|file| (file.name.clone(), file.text.clone())));
    files
}

/// The id a file gives itself, as far as that can be told without loading it.
fn id_of(text: &str) -> Option<&str> {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("id"))?;
    line.trim_start().strip_prefix('=')?.split(['"', '\'']).nth(1)
}

impl Folder {
    /// What is shipped.
    pub fn shipped() -> Folder {
        let cases = shipped_cases();
        let with_cases = |(name, text): (String, String)| {
            let of = cases.iter().find(|(of, _)| *of == name);
            let cases = of.map(|(of, text)| (of.replace(".toml", ".cases"), text.clone()));
            RuleFile { name, text, cases }
        };
        Folder {
            detectors: shipped().into_iter().map(with_cases).collect(),
            formats: shipped_formats().into_iter().map(with_cases).collect(),
            ..Folder::default()
        }
    }

    /// What is in `folder`: detector, format and allow files (`*.toml`), told apart by what is in them, or the
    /// detectors and formats in its folders `detectors` and `formats` and the allow files beside these.
    ///
    /// # Errors
    /// If it cannot be read, or there is no such file.
    pub fn open(folder: &Path) -> Result<Folder, anyhow::Error> {
        let parts = ["detectors", "formats"].map(|part| folder.join(part));
        let parts: Vec<&PathBuf> = parts.iter().filter(|part| part.is_dir()).collect();
        let mut found = Folder::default();
        if parts.is_empty() {
            found.add(folder)?;
        } else {
            for path in listed(folder, "toml")? {
                let (name, text) = text_of(&path)?;
                if is_allow(&name, &text) {
                    found.allow.push(RuleFile { name, text, cases: None });
                }
            }
        }
        parts.into_iter().try_for_each(|part| found.add(part))?;
        if found.detectors.is_empty() && found.formats.is_empty() && found.allow.is_empty() {
            let shown = folder.display();
            return Err(anyhow!(
                "{shown}: no detector or format file (*.toml) in it, and no allow.toml"
            ));
        }
        Ok(found)
    }

    fn add(&mut self, folder: &Path) -> Result<(), anyhow::Error> {
        let mut cases = listed(folder, "cases")?;
        for path in listed(folder, "toml")? {
            let (name, text) = text_of(&path)?;
            let beside = path.with_extension("cases");
            let has_cases = cases.iter().position(|path| *path == beside);
            let cases = has_cases.map(|at| text_of(&cases.swap_remove(at))).transpose()?;
            let file = RuleFile { name, text, cases };
            if is_allow(&file.name, &file.text) {
                self.allow.push(file);
            } else if is_format(&file.text) {
                self.formats.push(file);
            } else {
                self.detectors.push(file);
            }
        }
        cases.sort();
        self.stray.extend(cases.iter().map(|path| path.display().to_string()));
        Ok(())
    }
}

impl RuleFile {
    /// The detector in it.
    ///
    /// # Errors
    /// Its faults.
    pub fn detector(&self) -> Result<Detector, Failure> {
        tidewatch_rules::parse(&self.name, &self.text).map_err(Failure::Rules)
    }

    /// The id it gives itself.
    pub fn id(&self) -> &str {
        id_of(&self.text).unwrap_or_default()
    }
}

/// Whether a file declares a format: it has needles, which no detector has.
fn is_format(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("needles") || line.starts_with("[[line]]")
    })
}

/// Whether a file is an allowlist: by its name, or because that is how it begins its entries.
fn is_allow(name: &str, text: &str) -> bool {
    let named = Path::new(name).file_name().is_some_and(|name| name == "allow.toml");
    named || text.lines().any(|line| line.trim_start().starts_with("[[allow]]"))
}

/// Name and text of each TOML file of `folder`, by name; `option` is what named the folder.
fn read(folder: &Path, option: &str) -> Result<Vec<(String, String)>, anyhow::Error> {
    let paths = listed(folder, "toml").context(option.to_owned())?;
    if paths.is_empty() {
        return Err(anyhow!("{option} {}: no file (*.toml) in it", folder.display()));
    }
    paths.iter().map(|path| text_of(path).context(option.to_owned())).collect()
}

/// The files of a folder with this extension, by name.
fn listed(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, anyhow::Error> {
    let shown = || folder.display().to_string();
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(shown)? {
        let path = entry.with_context(shown)?.path();
        if path.extension().is_some_and(|of| of == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn text_of(path: &Path) -> Result<(String, String), anyhow::Error> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok((path.display().to_string(), text))
}
