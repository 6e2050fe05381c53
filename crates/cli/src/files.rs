//! The detectors and formats of a run: those shipped in the binary, the user's own instead of them, or the
//! user's own besides; and whom the user allows what. Wherever a folder of files is named, a single file of it
//! may be.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use tidewatch_core::detector::Detector;
use tidewatch_core::plan::Plan;
use tidewatch_core::spend::detector::SpendDetector;
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
    /// The folder or file that replaces the shipped ones.
    pub instead: Option<&'a Path>,
    /// The folders and files that add to them; of two files with one id the later one counts.
    pub with: &'a [PathBuf],
}

/// What a file declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Detector,
    Format,
}

impl Kind {
    /// What is in a file's text. One that is neither is taken for a detector, and its faults will be told.
    fn of(text: &str) -> Kind {
        if Kind::Format.is_in(text) { Kind::Format } else { Kind::Detector }
    }

    /// Whether a text has lines that only files of this kind have.
    fn is_in(self, text: &str) -> bool {
        let begins: &[&str] = match self {
            Kind::Detector => &["signal", "[measure]", "[[raise]]"],
            Kind::Format => &["needles", "[[line]]"],
        };
        let is_one = |line: &str| begins.iter().any(|begin| line.trim_start().starts_with(begin));
        text.lines().any(is_one)
    }

    fn other(self) -> Kind {
        match self {
            Kind::Detector => Kind::Format,
            Kind::Format => Kind::Detector,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Kind::Detector => "detector",
            Kind::Format => "format",
        }
    }
}

/// Loads and plans the detectors of a run; `option` is what named those that replace the shipped ones.
///
/// # Errors
/// If a folder cannot be read or holds no detector file, or if a file is faulty.
pub fn detectors(choice: Choice<'_>, option: &str) -> Result<Plan, Failure> {
    let detectors =
        tidewatch_rules::load(detector_files(choice, option)?).map_err(Failure::Rules)?;
    let plan = Plan::new(detectors).map_err(|error| Failure::Usage(error.into()))?;
    Ok(plan.folding())
}

/// Loads the detectors of a run that are about what functions take.
///
/// # Errors
/// As [`detectors`].
pub fn spend_detectors(choice: Choice<'_>, option: &str) -> Result<Vec<SpendDetector>, Failure> {
    tidewatch_rules::load_spending(detector_files(choice, option)?).map_err(Failure::Rules)
}

fn detector_files(choice: Choice<'_>, option: &str) -> Result<Vec<(String, String)>, Failure> {
    match choice.instead {
        None => Ok(besides(shipped(), choice.with, |folder| folder.detectors)?),
        Some(place) => Ok(read(place, option, Kind::Detector)?),
    }
}

/// Loads the formats of a run.
///
/// # Errors
/// As [`detectors`].
pub fn formats(choice: Choice<'_>) -> Result<Formats, Failure> {
    let files = match choice.instead {
        None => besides(shipped_formats(), choice.with, |folder| folder.formats)?,
        Some(place) => read(place, "--formats", Kind::Format)?,
    };
    tidewatch_rules::formats(files).map_err(Failure::Rules)
}

/// Loads the allow files of a run, among those that add to the shipped rules. `loaded` are the ids of the detectors
/// of the run: entries may name these, and those that are shipped.
///
/// # Errors
/// As [`detectors`].
pub fn allow<'a>(
    with: &[PathBuf],
    loaded: impl Iterator<Item = &'a str>,
    now: Time,
) -> Result<Allow, Failure> {
    let mut all = Folder::default();
    for place in with {
        all.allow.extend(Folder::open(place).context("--with")?.allow);
    }
    allowed(&all, loaded, now).map_err(Failure::Rules)
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

/// The shipped files, and those of `with`; of two with one id the later one.
fn besides(
    shipped: Vec<(String, String)>,
    with: &[PathBuf],
    kind: impl Fn(Folder) -> Vec<RuleFile>,
) -> Result<Vec<(String, String)>, anyhow::Error> {
    let add = |files, place: &PathBuf| {
        let own = kind(Folder::open(place).context("--with")?);
        Ok(over(files, &own))
    };
    with.iter().try_fold(shipped, add)
}

/// `shipped` and `own`; of two with one id the own.
pub fn over(shipped: Vec<(String, String)>, own: &[RuleFile]) -> Vec<(String, String)> {
    let is_replaced = |text: &str| {
        let id = id_of(text);
        id.is_some() && own.iter().any(|file| id_of(&file.text) == id)
    };
    let mut files = shipped;
    files.retain(|(_, text)| !is_replaced(text));
    files.extend(own.iter().map(|file| (file.name.clone(), file.text.clone())));
    files
}

/// The id a file gives itself, as far as that can be told without loading it.
fn id_of(text: &str) -> Option<&str> {
    let mut values = text.lines().filter_map(|line| {
        let behind = line.trim_start().strip_prefix("id")?;
        behind.trim_start().strip_prefix('=')
    });
    values.next()?.split(['"', '\'']).nth(1)
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

    /// What is at `place`: detector, format and allow files (`*.toml`) of a folder, told apart by what is in
    /// them, or those of its folders `detectors` and `formats` and the allow files beside these; or one such
    /// file, also named by its cases.
    ///
    /// # Errors
    /// If it cannot be read, or there is no such file.
    pub fn open(place: &Path) -> Result<Folder, anyhow::Error> {
        let mut found = Folder::default();
        if !place.is_dir() {
            found.add_file(&rule_file(place)?)?;
            return Ok(found);
        }
        let parts = ["detectors", "formats"].map(|part| place.join(part));
        let parts: Vec<&PathBuf> = parts.iter().filter(|part| part.is_dir()).collect();
        if parts.is_empty() {
            found.add(place)?;
        } else {
            for path in listed(place, "toml")? {
                let (name, text) = text_of(&path)?;
                if is_allow(&name, &text) {
                    found.allow.push(RuleFile { name, text, cases: None });
                }
            }
        }
        parts.into_iter().try_for_each(|part| found.add(part))?;
        if found.detectors.is_empty() && found.formats.is_empty() && found.allow.is_empty() {
            let shown = place.display();
            return Err(anyhow!(
                "{shown}: no detector or format file (*.toml) in it, and no allow.toml"
            ));
        }
        Ok(found)
    }

    fn add(&mut self, folder: &Path) -> Result<(), anyhow::Error> {
        let files = listed(folder, "toml")?;
        files.iter().try_for_each(|path| self.add_file(path))?;
        let beside = |cases: &PathBuf| files.contains(&cases.with_extension("toml"));
        let stray = listed(folder, "cases")?.into_iter().filter(|cases| !beside(cases));
        self.stray.extend(stray.map(|path| path.display().to_string()));
        Ok(())
    }

    /// Adds one file, with the cases beside it.
    fn add_file(&mut self, path: &Path) -> Result<(), anyhow::Error> {
        let (name, text) = text_of(path)?;
        let beside = path.with_extension("cases");
        let cases = beside.exists().then(|| text_of(&beside)).transpose()?;
        let file = RuleFile { name, text, cases };
        match Kind::of(&file.text) {
            _ if is_allow(&file.name, &file.text) => self.allow.push(file),
            Kind::Format => self.formats.push(file),
            Kind::Detector => self.detectors.push(file),
        }
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

    /// Whether it is a detector about invocations.
    pub fn is_about_invocations(&self) -> bool {
        tidewatch_rules::spend::is_about_invocations(&self.text)
    }

    /// The detector about invocations that it is.
    pub fn spend_detector(&self) -> Result<SpendDetector, Failure> {
        let file = (self.name.clone(), self.text.clone());
        let loaded = tidewatch_rules::load_spending([file]).map_err(Failure::Rules)?;
        let first = loaded.into_iter().next();
        first.ok_or_else(|| anyhow!("{} is not about invocations", self.name).into())
    }

    /// The id it gives itself.
    pub fn id(&self) -> &str {
        id_of(&self.text).unwrap_or_default()
    }
}

/// Name and text of each TOML file at `place`, by name, which all are of one kind; `option` is what named it.
fn read(place: &Path, option: &str, wanted: Kind) -> Result<Vec<(String, String)>, anyhow::Error> {
    let named = || option.to_owned();
    let paths = match place.is_dir() {
        true => listed(place, "toml").with_context(named)?,
        false => vec![rule_file(place).with_context(named)?],
    };
    if paths.is_empty() {
        return Err(anyhow!("{option} {}: no file (*.toml) in it", place.display()));
    }
    let files = paths.iter().map(|path| text_of(path).with_context(named));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    let (is, wants) = (wanted.other().noun(), wanted.noun());
    let is_other = |text: &str| wanted.other().is_in(text) && !wanted.is_in(text);
    match files.iter().find(|(_, text)| is_other(text)) {
        None => Ok(files),
        Some((name, _)) => Err(anyhow!(
            "{option} {name}: this is a {is}, and {option} takes {wants}s; --{is}s takes {is}s, \
             --with both"
        )),
    }
}

/// The detector or format file that `path` names, by itself or by its cases.
fn rule_file(path: &Path) -> Result<PathBuf, anyhow::Error> {
    let shown = path.display();
    std::fs::metadata(path).with_context(|| shown.to_string())?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => Ok(path.to_owned()),
        Some("cases") => {
            let beside = path.with_extension("toml");
            if !beside.exists() {
                let missing = beside.display();
                return Err(anyhow!("{shown} stands beside nothing: there is no {missing}"));
            }
            Ok(beside)
        }
        _ => Err(anyhow!("{shown}: neither a folder nor a detector or format file (*.toml)")),
    }
}

/// Whether a file is an allowlist: by its name, or because that is how it begins its entries.
fn is_allow(name: &str, text: &str) -> bool {
    let named = Path::new(name).file_name().is_some_and(|name| name == "allow.toml");
    named || text.lines().any(|line| line.trim_start().starts_with("[[allow]]"))
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
