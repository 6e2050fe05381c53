//! A key as the bytes of a table's partition key, and back: one kind byte for each field, then its
//! value. It names no plan, so a key outlives the detectors that count by it.

use std::net::Ipv4Addr;

use crate::key::{Key, KeyField, KeyPart};
use crate::plan::{KeyPlanId, Plan};
use crate::store::Place;
use crate::table_store::bytes::{Reader, Unreadable};
use crate::tag::UserTag;

/// The key as bytes.
pub fn encode(key: &Key) -> Vec<u8> {
    let mut out = Vec::with_capacity(10);
    for part in [Some(key.first), key.second].into_iter().flatten() {
        match part {
            KeyPart::Ipv4(v4) => {
                out.push(1);
                out.extend_from_slice(&v4.octets());
            }
            KeyPart::Ipv6Net(upper) => {
                out.push(2);
                out.extend_from_slice(&upper.to_be_bytes());
            }
            KeyPart::SubnetIpv4(v4) => {
                out.push(3);
                out.extend_from_slice(&v4.octets()[..3]);
            }
            KeyPart::SubnetIpv6(upper) => {
                out.push(4);
                out.extend_from_slice(&upper.to_be_bytes());
            }
            KeyPart::User(UserTag(tag)) => {
                out.push(5);
                out.extend_from_slice(&tag.to_be_bytes());
            }
            KeyPart::Global => out.push(6),
        }
    }
    out
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// If it is no key, or one of a kind that a later version added.
pub fn decode(bytes: &[u8]) -> Result<Key, Unreadable> {
    let mut from = Reader::new(bytes);
    let first = part(&mut from)?;
    let second = if from.end().is_ok() { None } else { Some(part(&mut from)?) };
    from.end()?;
    Ok(Key { first, second })
}

fn part(from: &mut Reader<'_>) -> Result<KeyPart, Unreadable> {
    Ok(match from.byte("key")? {
        1 => KeyPart::Ipv4(Ipv4Addr::from(from.array("key")?)),
        2 => KeyPart::Ipv6Net(u64::from_be_bytes(from.array("key")?)),
        3 => {
            let [a, b, c] = from.array("key")?;
            KeyPart::SubnetIpv4(Ipv4Addr::new(a, b, c, 0))
        }
        4 => KeyPart::SubnetIpv6(u64::from_be_bytes(from.array("key")?)),
        5 => KeyPart::User(UserTag(u64::from_be_bytes(from.array("key")?))),
        6 => KeyPart::Global,
        kind => return Err(Unreadable::Newer(kind)),
    })
}

/// The plan that counts by such keys, if any still does.
pub fn place(plan: &Plan, key: Key) -> Option<Place> {
    let parts = [Some(key.first), key.second];
    let fields = parts.into_iter().flatten().map(field);
    let at = plan.keys.iter().position(|of| of.fields.iter().copied().eq(fields.clone()))?;
    Some((KeyPlanId(at as u16), key))
}

fn field(part: KeyPart) -> KeyField {
    match part {
        KeyPart::Ipv4(_) | KeyPart::Ipv6Net(_) => KeyField::SourceIp,
        KeyPart::SubnetIpv4(_) | KeyPart::SubnetIpv6(_) => KeyField::SourceSubnet,
        KeyPart::User(_) => KeyField::User,
        KeyPart::Global => KeyField::Global,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts() -> impl Strategy<Value = KeyPart> {
        prop_oneof![
            any::<u32>().prop_map(|n| KeyPart::Ipv4(Ipv4Addr::from_bits(n))),
            any::<u64>().prop_map(KeyPart::Ipv6Net),
            any::<u32>().prop_map(|n| KeyPart::SubnetIpv4(Ipv4Addr::from_bits(n & !0xff))),
            any::<u64>().prop_map(KeyPart::SubnetIpv6),
            any::<u64>().prop_map(|n| KeyPart::User(UserTag(n))),
            Just(KeyPart::Global),
        ]
    }

    proptest! {
        #[test]
        fn keys_come_back_and_no_two_are_the_same_bytes(
            a in (parts(), prop::option::of(parts())),
            b in (parts(), prop::option::of(parts())),
        ) {
            let [a, b] = [a, b].map(|(first, second)| Key { first, second });
            prop_assert_eq!(decode(&encode(&a)), Ok(a));
            prop_assert_eq!(encode(&a) == encode(&b), a == b);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(key) = decode(&bytes) {
                prop_assert_eq!(encode(&key).len(), bytes.len());
            }
        }
    }
}
