//! Keyed tags: what the state keeps instead of a username, an address or an event id.
//!
//! A tag is 64 bits of SipHash-1-3 (Aumasson and Bernstein, 2012) under a secret key, so that nobody
//! outside can craft two names that collide, or read names out of the state. Findings' uids do not use
//! this key: they must be equal in two runs with two keys.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

/// A normalised username under the secret key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserTag(pub u64);

/// Identifies one log event: the same event delivered twice has the same tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTag(pub u64);

/// Identifies one invocation of a Lambda function; its repeated tries have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestTag(pub u64);

/// A user agent: what a client says of itself. It is no secret and anybody may send any, so its tag depends on no
/// key, and findings about one have the same uid in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentTag(pub u64);

impl AgentTag {
    /// The tag of what a client sent, blanks around it left out.
    pub fn of(agent: &str) -> AgentTag {
        let mut hasher = SipHasher13::new_with_keys(0, 0);
        hasher.write(agent.trim().as_bytes());
        AgentTag(hasher.finish())
    }
}

/// A log: the log group an event stands in, or the local input. Its name is the operator's own and no secret, so its tag
/// depends on no key and is the same for whoever serves a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogTag(pub u64);

impl LogTag {
    /// The tag of an account's log group.
    pub fn of(account: &str, group: &str) -> LogTag {
        let mut hasher = SipHasher13::new_with_keys(0, 1);
        // No account has a line break in it.
        for part in [account, "\n", group] {
            hasher.write(part.as_bytes());
        }
        LogTag(hasher.finish())
    }
}

/// The secret key of all tags, 128 bits. Two are compared only to tell whether one of ours has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TagKey {
    first: u64,
    second: u64,
}

/// What is hashed: domains keep a name from ever equalling an address or an event id.
#[derive(Clone, Copy)]
enum Domain {
    User = 1,
    Source = 2,
    Event = 3,
    Stream = 4,
    Seed = 5,
    Request = 6,
    Resource = 7,
}

impl TagKey {
    /// A key from 16 secret bytes.
    pub fn new(bytes: [u8; 16]) -> TagKey {
        let [first, second] =
            [0, 8].map(|at| bytes[at..at + 8].iter().fold(0, |n, b| (n << 8) | u64::from(*b)));
        TagKey { first, second }
    }

    /// A key from a passphrase of any length.
    pub fn from_passphrase(passphrase: &str) -> TagKey {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(passphrase.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        TagKey::new(bytes)
    }

    /// The tag of an already normalised username.
    pub fn user(&self, normalised: &[u8]) -> UserTag {
        UserTag(self.hash(Domain::User, 0, normalised))
    }

    /// The tag of a source address, for counting distinct sources.
    pub fn source(&self, address: IpAddr) -> u64 {
        match address {
            IpAddr::V4(v4) => self.hash(Domain::Source, 4, &v4.octets()),
            IpAddr::V6(v6) => self.hash(Domain::Source, 6, &v6.octets()),
        }
    }

    /// What [`TagKey::event`] starts from: one value for all events of a log stream.
    pub fn stream(&self, account: &str, group: &str, stream: &str) -> u64 {
        let first = self.hash(Domain::Stream, 0, account.as_bytes());
        let second = self.hash(Domain::Stream, first, group.as_bytes());
        self.hash(Domain::Stream, second, stream.as_bytes())
    }

    /// The tag of the event `id` in the stream of [`TagKey::stream`].
    pub fn event(&self, stream: u64, id: &[u8]) -> EventTag {
        EventTag(self.hash(Domain::Event, stream, id))
    }

    /// The tag of a request id, which is a UUID.
    pub fn request(&self, id: u128) -> RequestTag {
        RequestTag(self.hash(Domain::Request, 0, &id.to_be_bytes()))
    }

    /// The tag of what was asked for, for counting different things.
    pub fn resource(&self, name: &[u8]) -> u64 {
        self.hash(Domain::Resource, 0, name)
    }

    /// A seed for hash maps, so that their layout cannot be attacked either.
    pub fn map_seed(&self) -> u64 {
        self.hash(Domain::Seed, 0, &[])
    }

    fn hash(&self, domain: Domain, salt: u64, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.first ^ domain as u64, self.second ^ salt);
        hasher.write(bytes);
        hasher.finish()
    }
}

/// Never prints the key.
impl std::fmt::Debug for TagKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TagKey(secret)")
    }
}
