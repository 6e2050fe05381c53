//! Source addresses as logs write them. Invariant: what comes out is canonical, so that one source
//! cannot appear under two addresses: no zone, and no IPv4 address mapped into IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tidewatch_core::signal::canonical;

/// The longest text that can be an address with zone, brackets and port; a longer one is none.
const ADDRESS_BYTES_MAX: usize = 128;

/// A bare address, perhaps with an IPv6 zone: `192.0.2.1`, `2001:db8::1`, `fe80::1%eth0`.
pub(crate) fn bare(text: &str) -> Option<IpAddr> {
    if text.len() > ADDRESS_BYTES_MAX {
        return None;
    }
    if let Ok(v4) = text.parse::<Ipv4Addr>() {
        return Some(IpAddr::V4(v4));
    }
    let (unzoned, zone) = text.split_once('%').unwrap_or((text, "none"));
    let v6 = unzoned.parse::<Ipv6Addr>().ok()?;
    (!zone.is_empty()).then(|| canonical(IpAddr::V6(v6)))
}

/// An address as applications log it: perhaps with a port or in brackets, perhaps with the slash
/// that Java prints before it. Of a comma list, as proxies append to it, the last: the nearest proxy
/// wrote that one, everything before it may be the client's invention.
pub(crate) fn endpoint(text: &str) -> Option<IpAddr> {
    // The usual case, told apart from all others by its few bytes.
    if let Some(v4) = dotted(text.as_bytes()) {
        return Some(IpAddr::V4(v4));
    }
    let last = text.rsplit(',').next().unwrap_or(text).trim();
    let last = last.strip_prefix('/').unwrap_or(last);
    if let Some(address) = bare(last) {
        return Some(address);
    }
    if let Some(bracketed) = last.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let port = port.strip_prefix(':').map_or(port.is_empty(), is_port);
        return if port { bare(address) } else { None };
    }
    let (address, port) = last.rsplit_once(':')?;
    if is_port(port) { bare(address) } else { None }
}

/// The address that is four numbers up to 255, without zeros in front, and three dots: what the standard library
/// reads, which takes several times as long. It is most of what is read at all.
#[inline]
fn dotted(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut octets, mut nth, mut value, mut digits) = ([0u8; 4], 0, 0u32, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits == 0 || value > 0 => {
                value = value * 10 + u32::from(byte - b'0');
                digits += 1;
                if value > 255 {
                    return None;
                }
            }
            b'.' if digits > 0 && nth < 3 => {
                octets[nth] = value as u8;
                (nth, value, digits) = (nth + 1, 0, 0);
            }
            _ => return None,
        }
    }
    octets[3] = value as u8;
    (nth == 3 && digits > 0).then(|| Ipv4Addr::from(octets))
}

/// Whether a token may stand where an address or a host name stands, and is not the beginning of an
/// address that the end of a truncated line cut off.
pub(crate) fn is_host(token: &str) -> bool {
    if token.is_empty() || token.len() > 255 {
        return false;
    }
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
    let partial = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    token.bytes().all(named)
        && (bare(token).is_some() || !(token.contains(':') || token.bytes().all(partial)))
}

/// 1–5 digits.
pub(crate) fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn four_numbers_are_read_as_the_standard_library_does(
            text in "[0-9]{1,3}(\\.(0|[0-9]{1,3}|2[0-9]{2})){3}|[0-9. ]{0,16}|[0-9]{1,4}(\\.[0-9a]{0,4}){0,5}") {
            prop_assert_eq!(dotted(text.as_bytes()), text.parse().ok());
        }
    }

    #[test]
    fn endpoints() {
        let cases = [
            ("192.0.2.1", "192.0.2.1"),
            (" 192.0.2.1 ", "192.0.2.1"),
            ("192.0.2.1:5678", "192.0.2.1"),
            ("/192.0.2.1:5678", "192.0.2.1"),
            ("::1", "::1"),
            ("[::1]:443", "::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1:5678", "192.0.2.1"),
            ("[::ffff:c000:201]:1", "192.0.2.1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%eth0]:22", "fe80::1"),
            ("203.0.113.9, 198.51.100.7,192.0.2.1", "192.0.2.1"),
        ];
        for (text, address) in cases {
            assert_eq!(endpoint(text).map(|a| a.to_string()).as_deref(), Some(address), "{text}");
        }
        let none = [
            "",
            "-",
            "host.example",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.1:",
            "192.0.2.1:123456",
            "192.0.2.1%eth0",
            "[::1",
            "[::1]x",
            "192.0.2.1,",
            "192.0.2.1, unknown",
            "fe80::1%",
        ];
        assert_eq!(none.iter().find(|text| endpoint(text).is_some()), None);
    }

    #[test]
    fn hosts() {
        for host in ["192.0.2.1", "host.example", "UNKNOWN", "ec2-52-80", "fe80::1%eth0"] {
            assert!(is_host(host), "{host}");
        }
        for cut in ["", "192.0.2", "192.0.2.", "2001:db8:", "a b", "host\"", "fe80::1%"] {
            assert!(!is_host(cut), "{cut}");
        }
    }
}
