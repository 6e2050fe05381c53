//! The user agents behind tags, so that a finding can say which it is about. As many as are usual in a day are
//! kept; of further ones a finding shows the tag, and its log events say the rest.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::limits::{AGENT_BYTES_SHOWN_MAX, AGENTS_NAMED_MAX};
use crate::tag::AgentTag;

/// User agents by their tags; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct AgentNames(Arc<RwLock<BTreeMap<AgentTag, Box<str>>>>);

impl AgentNames {
    /// The tag of a user agent, which is kept.
    pub fn tag(&self, agent: &str) -> AgentTag {
        let tag = AgentTag::of(agent);
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if !known.contains_key(&tag) && known.len() < AGENTS_NAMED_MAX {
            drop(known);
            let agent = agent.trim();
            let end = agent.floor_char_boundary(AGENT_BYTES_SHOWN_MAX);
            let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
            names.insert(tag, agent[..end].into());
        }
        tag
    }

    /// The user agent with this tag, if it was kept.
    pub fn name(&self, tag: AgentTag) -> Option<Box<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&tag).cloned()
    }
}

/// Two are equal if they are one.
impl PartialEq for AgentNames {
    fn eq(&self, other: &AgentNames) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for AgentNames {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_is_found_by_its_tag_in_every_clone() {
        let names = AgentNames::default();
        let tag = names.clone().tag(" curl/8.5.0 ");
        assert_eq!(tag, AgentTag::of("curl/8.5.0"));
        assert_eq!(names.name(tag).as_deref(), Some("curl/8.5.0"));
        assert_eq!(names.name(AgentTag::of("wget")), None);
    }

    #[test]
    fn many_and_long_ones_take_bounded_memory() {
        let names = AgentNames::default();
        let long = names.tag(&"ü".repeat(AGENT_BYTES_SHOWN_MAX));
        assert_eq!(names.name(long).map(|name| name.len()), Some(AGENT_BYTES_SHOWN_MAX));
        for n in 0..AGENTS_NAMED_MAX {
            names.tag(&format!("agent {n}"));
        }
        assert_eq!(names.name(AgentTag::of(&format!("agent {}", AGENTS_NAMED_MAX - 1))), None);
        assert!(names.name(AgentTag::of("agent 7")).is_some());
    }
}
