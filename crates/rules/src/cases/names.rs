//! The names behind tags, for whoever reads of a case that does not hold.
//!
//! A signal holds only the tag of a name. A case's lines are its author's own, so the name may be shown; it
//! is that part of a line which has the tag.

use tidewatch_core::tag::UserTag;
use tidewatch_ingest::format::Said;
use tidewatch_ingest::username::{Naming, USERNAME_BYTES_MAX};

use super::scenario::{Raised, Scenario, Step, filled};
use super::{Runner, Variation};

/// What stands for a name that is no part of the line as it stands.
pub(super) const ANOTHER: &str = "(another name)";

/// Words and separators that a name may be made of.
const PIECES_MAX: usize = 64;

/// The part of `line` that has this tag. Parts begin and end beside what is no letter or digit.
pub(super) fn behind(naming: &Naming, tag: UserTag, line: &str) -> Option<String> {
    let is = |name: &str| naming.tag(name) == tag;
    if is("") {
        return Some(String::new());
    }
    let mut bounds: Vec<usize> = Vec::new();
    for (at, c) in line.char_indices().filter(|(_, c)| !c.is_alphanumeric()) {
        bounds.extend([at, at + c.len_utf8()]);
    }
    bounds.extend([0, line.len()]);
    bounds.sort_unstable();
    bounds.dedup();
    for (nth, start) in bounds.iter().enumerate() {
        let ends = bounds[nth + 1..].iter().take(PIECES_MAX);
        for end in ends.take_while(|end| *end - start <= USERNAME_BYTES_MAX) {
            let part = &line[*start..*end];
            // Names may be escaped in JSON.
            let unescaped =
                part.contains('\\').then(|| serde_json::from_str(&format!("\"{part}\"")));
            let unescaped: Option<String> = unescaped.and_then(Result::ok);
            let names = [Some(part.trim()), Some(part), unescaped.as_deref()];
            if let Some(name) = names.into_iter().flatten().find(|name| is(name)) {
                return Some(name.to_owned());
            }
        }
    }
    None
}

impl Runner {
    /// What was raised in a scenario, with names instead of their tags.
    pub(super) fn named(
        &self,
        raised: &[Raised],
        scenario: &Scenario,
        variation: Variation,
    ) -> Vec<Raised> {
        let name = |part: &str| match part.strip_prefix("user:") {
            Some(tag) => {
                let tag = u64::from_str_radix(tag, 16).map(UserTag).ok();
                let name = tag.and_then(|tag| self.name_in(scenario, tag, variation));
                format!("user={}", name.unwrap_or_else(|| ANOTHER.to_owned()))
            }
            None => part.to_owned(),
        };
        let named = |key: &str| key.split(" + ").map(name).collect::<Vec<_>>().join(" + ");
        raised.iter().map(|raised| raised.with_key(named)).collect()
    }

    /// The name with this tag, in the first line of the scenario that is about it.
    fn name_in(&self, scenario: &Scenario, tag: UserTag, variation: Variation) -> Option<String> {
        for step in &scenario.steps {
            let Step::Lines(lines) = step else { continue };
            for n in 1..=u64::from(lines.times) {
                for line in &lines.lines {
                    let line = variation.addresses(&filled(line, n, variation));
                    let Said::Signal { auth, .. } = self.ingest.hear(&line, "").0 else { continue };
                    if auth.user == Some(tag) {
                        return behind(&self.naming, tag, &line);
                    }
                }
            }
        }
        None
    }
}
