//! From a raw username to its tag: the one place where a name is normalised, and the one place that
//! says which names are placeholders.
//!
//! Invariant: nothing that leaves this module holds a name, only its keyed tag. Two spellings that a
//! person would call the same name have one tag when names are folded; an empty name is a name.

use std::net::IpAddr;
use std::sync::Arc;

use tidewatch_core::agents::AgentNames;
use tidewatch_core::signal::{Outcome, SignalKind};
use tidewatch_core::tag::{AgentTag, TagKey, UserTag};
use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;

use crate::known_users::KnownUsers;
use crate::name_lists::NameLists;
use crate::networks::Networks;

/// The longest name that is folded, in bytes. A longer one is tagged as it stands: no account has
/// such a name, and folding it would only cost time.
pub const USERNAME_BYTES_MAX: usize = 1024;

/// Names up to this length, in bytes, are folded on the stack when they are ASCII.
const FOLDED_ON_STACK_BYTES_MAX: usize = 64;

/// Which spellings are one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usernames {
    /// NFKC, full case folding, NFKC again, trimmed: what directories do when they compare names.
    Fold,
    /// Byte for byte.
    Exact,
}

/// How names become tags.
#[derive(Clone, Copy, Debug)]
pub struct Naming {
    /// The secret key of the tags.
    pub key: TagKey,
    /// Which spellings are one name.
    pub usernames: Usernames,
}

impl Naming {
    /// The tag of a raw name.
    pub fn tag(&self, name: &str) -> UserTag {
        if self.usernames == Usernames::Exact || name.len() > USERNAME_BYTES_MAX {
            return self.key.user(name.as_bytes());
        }
        if !name.is_ascii() {
            return self.key.user(folded(name).as_bytes());
        }
        let name = name.trim();
        let mut buffer = [0; FOLDED_ON_STACK_BYTES_MAX];
        match buffer.get_mut(..name.len()) {
            Some(buffer) => {
                buffer.copy_from_slice(name.as_bytes());
                buffer.make_ascii_lowercase();
                self.key.user(buffer)
            }
            None => self.key.user(name.to_ascii_lowercase().as_bytes()),
        }
    }
}

/// What is made of what a line names: of a username its tag, and whether there is such an account, where the line
/// does not say; of a client and an address, where somebody asks, who these are.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// How it becomes a tag.
    pub(crate) naming: Naming,
    /// Who has an account, if that is known.
    pub(crate) known_users: Option<Arc<KnownUsers>>,
    /// The lists that tags tell of.
    pub(crate) lists: NameLists,
    /// Keeps what clients call themselves, where somebody asks for that.
    pub(crate) agents: Option<AgentNames>,
    /// Knows whose addresses are, where somebody asks for that.
    pub(crate) networks: Option<Arc<Networks>>,
}

impl Names {
    /// Nobody is known, and there are no lists.
    pub(crate) fn new(naming: Naming) -> Names {
        let lists = NameLists::default();
        Names { naming, known_users: None, lists, agents: None, networks: None }
    }

    /// The tag of a raw name.
    pub(crate) fn tag(&self, name: &str) -> UserTag {
        self.lists.mark(self.naming.tag(name), name)
    }

    /// The tag of what a client calls itself; `None` where it does not, or nobody asks.
    pub(crate) fn agent(&self, agent: Option<&str>) -> Option<AgentTag> {
        let agent = agent.filter(|agent| !matches!(agent.trim(), "" | "-"))?;
        Some(self.agents.as_ref()?.tag(agent))
    }

    /// The autonomous system that announces an address: by our database, where there is one that knows, else as
    /// the line tells.
    pub(crate) fn asn(&self, source: Option<IpAddr>, told: Option<u32>) -> Option<u32> {
        let networks = self.networks.as_ref();
        networks.zip(source).and_then(|(networks, source)| networks.asn(source)).or(told)
    }

    /// Whether the account behind a try exists. What the line says, `told`, counts; and a login that was let in
    /// says enough. Else the known users answer, for a name that is not hidden; but not for an account that is
    /// still to be.
    pub(crate) fn user_known(
        &self,
        action: SignalKind,
        told: Option<bool>,
        outcome: Outcome,
        name: Option<&str>,
    ) -> Option<bool> {
        let says_enough = match action {
            SignalKind::Auth => outcome == Outcome::Success,
            SignalKind::Reset | SignalKind::Access => false,
            SignalKind::SignUp => true,
        };
        if told.is_some() || says_enough {
            return told;
        }
        Some(self.known_users.as_ref()?.knows(name?))
    }
}

/// The general folding. For ASCII it is lower case and trimming, which [`Naming::tag`] does itself.
/// NFKC comes first because it turns compatibility forms into letters that have a case, and again
/// because folding may leave a sequence that composes.
fn folded(name: &str) -> String {
    let normal: String = name.nfkc().collect();
    let folded: String = UniCase::unicode(normal).to_folded_case().nfkc().collect();
    folded.trim().to_owned()
}

/// Whether a name is a placeholder of the source's, which says that there was a name but not which:
/// a mask (`***`), a word for hiding in brackets (`[REDACTED]`, `<hidden>`) or bare in capitals, or
/// AWS's `HIDDEN_DUE_TO_SECURITY_REASONS`. Somebody who types such a name hides only that name.
pub fn is_placeholder(name: &str) -> bool {
    // Masks, brackets, capitals and blanks begin otherwise, and most names do not.
    if name.as_bytes().first().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return false;
    }
    let name = name.trim();
    if name.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit()) {
        return false;
    }
    let inner = name.trim_matches(|c: char| "[]<>(){}*".contains(c)).trim();
    let marked = inner.len() < name.len();
    if marked && inner.is_empty() {
        return true;
    }
    if !name.is_empty() && name.chars().all(|c| matches!(c, '•' | '●' | '█' | '∗')) {
        return true;
    }
    let hides = |words: &[&str]| words.iter().any(|word| inner.eq_ignore_ascii_case(word));
    (marked && hides(&["null", "none", "unknown", "private", "secret", "sensitive", "undefined"]))
        || ((marked || !inner.bytes().any(|byte| byte.is_ascii_lowercase()))
            && hides(&["redacted", "hidden", "masked", "filtered", "removed", "anonymized"]))
        || inner.eq_ignore_ascii_case("hidden_due_to_security_reasons")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naming(usernames: Usernames) -> Naming {
        Naming { key: TagKey::new([7; 16]), usernames }
    }

    #[track_caller]
    fn check(one: &str, other: &str, folded: bool) {
        let tags = |usernames| [one, other].map(|name| naming(usernames).tag(name));
        let [first, second] = tags(Usernames::Fold);
        assert_eq!(first == second, folded, "{one:?} and {other:?}, folded");
        let [first, second] = tags(Usernames::Exact);
        assert_eq!(first == second, one == other, "{one:?} and {other:?}, exact");
    }

    #[test]
    fn spellings_of_one_name() {
        check("admin", "admin", true);
        check("admin", " ADMIN\t", true);
        check("admin", "ａｄｍｉｎ", true);
        check("straße", "STRASSE", true);
        check("Ångström", "ångstro\u{308}m", true);
        check("\u{3c3}\u{3b1}\u{3c2}", "ΣΑΣ", true);
        check("ﬁnance", "Finance", true);
        check("", "  ", true);
        check("admin", "admin1", false);
        check("a b", "ab", false);
        check("", "null", false);
        check(&"A".repeat(64), &"a".repeat(64), true);
        check(&"A".repeat(65), &"a".repeat(65), true);
        check(&"A".repeat(1025), &"a".repeat(1025), false);
    }

    #[test]
    fn placeholders() {
        let hidden = [
            "HIDDEN_DUE_TO_SECURITY_REASONS",
            "***",
            "*",
            "[REDACTED]",
            "<redacted>",
            "REDACTED",
            "<hidden>",
            "[Filtered]",
            "***masked***",
            "(null)",
            "{}",
            "●●●●",
        ];
        let names = ["", " ", "redacted", "hidden", "null", "a***@b.example", "[bob]", "x", "-"];
        assert_eq!(hidden.iter().find(|name| !is_placeholder(name)), None);
        assert_eq!(names.iter().find(|name| is_placeholder(name)), None);
    }

    proptest! {
        #[test]
        fn the_ascii_path_agrees_with_the_general_one(name in "[ -~\t]{0,80}") {
            let naming = naming(Usernames::Fold);
            prop_assert_eq!(naming.tag(&name), naming.key.user(folded(&name).as_bytes()));
        }

        #[test]
        fn any_name_has_a_tag(name in ".*") {
            let naming = naming(Usernames::Fold);
            prop_assert_eq!(naming.tag(&name), naming.tag(&format!(" {name}\u{a0}")));
            let _ = is_placeholder(&name);
        }
    }
}
