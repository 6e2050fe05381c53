//! Which autonomous system announces an address, by a database in MaxMind's format (MMDB), such as GeoLite2 ASN,
//! IPinfo's or DB-IP's (<https://maxmind.github.io/MaxMind-DB/>).

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
        // As IPinfo writes it: `AS64496`.
        let text = found.decode_path::<&str>(&path!["asn"]).ok()??;
        text.strip_prefix("AS").unwrap_or(text).parse().ok()
    }
}

impl std::fmt::Debug for Networks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Networks({})", self.0.metadata().database_type)
    }
}
