//! Suggestions: the allowed word nearest to the one that was written.

/// How alike two words must be (Jaro-Winkler, 0 to 1) to suggest one for the other. At 0.8 `widow`
/// finds `window` and `usr` finds `user`, while `colour` finds nothing.
const SIMILARITY_MIN: f64 = 0.8;

/// "Did you mean …?" where a word is near enough, then all that is allowed.
pub(crate) fn help(written: &str, what: &str, allowed: &[&str]) -> String {
    let list = allowed.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match nearest(written, allowed) {
        Some(word) => format!("Did you mean `{word}`? {what}: {list}."),
        None => format!("{what}: {list}."),
    }
}

/// The nearest allowed word, the first of several equally near ones. A part of a word counts as
/// near: `ip` means `source.ip`.
pub(crate) fn nearest<'a>(written: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    let mut best: Option<(&'a str, f64)> = None;
    for word in allowed {
        let part = written.len() >= 2 && word.contains(&written);
        let similarity = strsim::jaro_winkler(&written, word).max(if part { 0.9 } else { 0.0 });
        if similarity >= SIMILARITY_MIN && best.is_none_or(|(_, top)| similarity > top) {
            best = Some((word, similarity));
        }
    }
    best.map(|(word, _)| word)
}
