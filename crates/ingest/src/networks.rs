//! Which autonomous system announces an address: by a database in MaxMind's format (MMDB), such as GeoLite2 ASN,
//! IPinfo's or DB-IP's (<https://maxmind.github.io/MaxMind-DB/>), or as the log itself tells.

use std::net::IpAddr;

use maxminddb::{Reader, path};

/// A database of autonomous systems.
pub struct Networks(Reader<Vec<u8>>);

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum NetworksError {
    /// It is something else, or damaged.
    #[error("it is no MMDB file ({0})")]
    Foreign(maxminddb::MaxMindDbError),
    /// It tells other things about addresses.
    #[error(
        "it is a database of {0}, not of autonomous systems: one like GeoLite2-ASN.mmdb is meant"
    )]
    Other(String),
}

impl Networks {
    /// The database in these bytes.
    ///
    /// # Errors
    /// If it is none of autonomous systems.
    pub fn parse(bytes: Vec<u8>) -> Result<Networks, NetworksError> {
        let reader = Reader::from_source(bytes).map_err(NetworksError::Foreign)?;
        let kind = reader.metadata().database_type.clone();
        if !kind.to_ascii_lowercase().contains("asn") {
            return Err(NetworksError::Other(kind));
        }
        Ok(Networks(reader))
    }

    /// The number of the system that announces an address, if one is known to.
    pub fn asn(&self, address: IpAddr) -> Option<u32> {
        let found = self.0.lookup(address).ok()?;
        if let Ok(Some(number)) = found.decode_path::<u32>(&path!["autonomous_system_number"]) {
            return Some(number);
        }
        number(found.decode_path::<&str>(&path!["asn"]).ok()??)
    }
}

/// The number of an autonomous system as it is written: `64496`, `AS64496`, `AS64496 Example Hosting`. 0 is nobody's
/// (RFC 7607).
pub(crate) fn number(text: &str) -> Option<u32> {
    let word = text.split_ascii_whitespace().next()?;
    let digits = match word.get(..2) {
        Some(prefix) if prefix.eq_ignore_ascii_case("as") => &word[2..],
        _ => word,
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| plain && *number != 0)
}

impl std::fmt::Debug for Networks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Networks({})", self.0.metadata().database_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_as_they_are_written() {
        for text in ["64496", "AS64496", "as64496", " AS64496 Example Hosting, Inc."] {
            assert_eq!(number(text), Some(64_496), "{text}");
        }
        assert_eq!(number("4294967295"), Some(u32::MAX));
        for text in
            ["", "0", "AS0", "AS", "-1", "+1", "4294967296", "Example 64496", "64.496", "ÄS1"]
        {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
