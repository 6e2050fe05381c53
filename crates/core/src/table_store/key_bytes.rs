//! A key as the bytes of a table's partition key, and back: a byte for the kind of signal, unless it is a
//! login, then for each field one byte for its kind and its value. It names no plan, so a key outlives the
//! detectors that count by it; and what is counted of two kinds of signal by one key is two items.

use std::net::Ipv4Addr;

use crate::key::{FunctionTag, Key, KeyPart};
use crate::meter::ledger::Function;
use crate::plan::{KeyPlan, KeyPlanId, Plan};
use crate::signal::SignalKind;
use crate::store::Place;
use crate::table_store::bytes::{Reader, Unreadable};
use crate::tag::{AgentTag, LogTag, UserTag};

/// The bytes that say which signals a key counts; none for logins, which came first.
const SIGNALS: [(SignalKind, u8); 3] =
    [(SignalKind::Reset, 7), (SignalKind::SignUp, 8), (SignalKind::Access, 12)];

/// Begins the key of what a function takes, which is no key that logins are counted by: the account behind its
/// length, and the name.
const FUNCTION: u8 = 10;

/// The same for its past.
const PAST: u8 = 11;

/// Begins the key of what callers cost in a pane that is closed: its number.
const COSTS: u8 = 18;

/// The key of what is known of callers, and that of their pasts.
pub const RIDERS: [u8; 1] = [19];
pub(crate) const RIDERS_PAST: [u8; 1] = [20];

/// The key of what is known of all functions together.
pub const ALL: [u8; 1] = [21];

/// The longest account and name that have a key. Who makes functions cannot choose longer ones.
const FUNCTION_BYTES_MAX: usize = 200;

/// The key of a function's open panes and its chronicle; `None` of a name that is none.
pub fn of_function(function: &Function) -> Option<Vec<u8>> {
    let (account, name) = (function.account.as_bytes(), function.name.as_bytes());
    let is_name = !name.is_empty() && account.len() + name.len() <= FUNCTION_BYTES_MAX;
    is_name.then(|| [&[FUNCTION, account.len() as u8], account, name].concat())
}

/// The function of a key that [`of_function`] made.
pub fn function(key: &[u8]) -> Option<Function> {
    let [FUNCTION, length, names @ ..] = key else { return None };
    let (account, name) = names.split_at_checked(usize::from(*length))?;
    let text = |bytes| std::str::from_utf8(bytes).ok().map(Box::from);
    Some(Function { account: text(account)?, name: text(name)? })
}

/// The key of the past of the function that `key` names.
pub(crate) fn of_past(key: &[u8]) -> Vec<u8> {
    [&[PAST], key.get(1..).unwrap_or_default()].concat()
}

/// The key of what callers cost in a pane.
pub(crate) fn of_costs(pane: i64) -> Vec<u8> {
    [&[COSTS], pane.to_be_bytes().as_slice()].concat()
}

/// The pane of a key that [`of_costs`] made.
pub fn pane_of_costs(key: &[u8]) -> Option<i64> {
    let [COSTS, pane @ ..] = key else { return None };
    Some(i64::from_be_bytes(pane.try_into().ok()?))
}

/// A key that counts signals of a kind, as bytes.
pub fn encode(signal: SignalKind, key: &Key) -> Vec<u8> {
    let mut out = Vec::with_capacity(10);
    out.extend(SIGNALS.iter().filter(|(kind, _)| *kind == signal).map(|(_, byte)| byte));
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
            KeyPart::Asn(number) => {
                out.push(16);
                out.extend_from_slice(&number.to_be_bytes());
            }
            KeyPart::Agent(AgentTag(tag)) => {
                out.push(17);
                out.extend_from_slice(&tag.to_be_bytes());
            }
            KeyPart::Function(FunctionTag(tag)) => {
                out.push(9);
                out.extend_from_slice(&tag.to_be_bytes());
            }
            KeyPart::Log(LogTag(tag)) => {
                out.push(18);
                out.extend_from_slice(&tag.to_be_bytes());
            }
        }
    }
    out
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// If it is no key, or one of a kind that a later version added.
pub fn decode(bytes: &[u8]) -> Result<(SignalKind, Key), Unreadable> {
    let named = SIGNALS.iter().find(|(_, byte)| bytes.first() == Some(byte));
    let (signal, bytes) = named.map_or((SignalKind::Auth, bytes), |(kind, _)| (*kind, &bytes[1..]));
    let mut from = Reader::new(bytes);
    let first = part(&mut from)?;
    let second = if from.end().is_ok() { None } else { Some(part(&mut from)?) };
    from.end()?;
    Ok((signal, Key { first, second }))
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
        16 => KeyPart::Asn(u32::from_be_bytes(from.array("key")?)),
        18 => KeyPart::Log(LogTag(u64::from_be_bytes(from.array("key")?))),
        17 => KeyPart::Agent(AgentTag(u64::from_be_bytes(from.array("key")?))),
        9 => KeyPart::Function(FunctionTag(u64::from_be_bytes(from.array("key")?))),
        kind => return Err(Unreadable::Newer(kind)),
    })
}

/// A place's key as bytes.
pub(crate) fn of_place(plan: &Plan, (of_plan, key): Place) -> Vec<u8> {
    encode(plan.key(of_plan).signal, &key)
}

/// The plan that counts such signals by such keys, if any still does.
pub fn place(plan: &Plan, (signal, key): (SignalKind, Key)) -> Option<Place> {
    let parts = [Some(key.first), key.second];
    let fields = parts.into_iter().flatten().map(|part| part.field());
    let same = |of: &KeyPlan| of.signal == signal && of.fields.iter().copied().eq(fields.clone());
    let at = plan.keys.iter().position(same)?;
    Some((KeyPlanId(at as u16), key))
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
            any::<u32>().prop_map(KeyPart::Asn),
            any::<u64>().prop_map(|n| KeyPart::Agent(AgentTag(n))),
            any::<u64>().prop_map(|n| KeyPart::Log(LogTag(n))),
            any::<u64>().prop_map(|n| KeyPart::Function(FunctionTag(n))),
            Just(KeyPart::Global),
        ]
    }

    proptest! {
        #[test]
        fn keys_come_back_and_no_two_are_the_same_bytes(
            a in (parts(), prop::option::of(parts())),
            b in (parts(), prop::option::of(parts())),
        ) {
            let all = [a, b].map(|(first, second)| Key { first, second }).map(|key| {
                SignalKind::ALL.map(|signal| (signal, key))
            });
            for one in all.as_flattened() {
                prop_assert_eq!(decode(&encode(one.0, &one.1)), Ok(*one));
                for other in all.as_flattened() {
                    let same = encode(one.0, &one.1) == encode(other.0, &other.1);
                    prop_assert_eq!(same, one == other);
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            if let Ok((signal, key)) = decode(&bytes) {
                prop_assert_eq!(encode(signal, &key).len(), bytes.len());
            }
        }
    }

    #[test]
    fn functions_have_keys_of_their_own() {
        let function =
            |account: &str, name: &str| Function { account: account.into(), name: name.into() };
        let all = [function("", "ab"), function("a", "b"), function("12", "checkout")];
        for one in &all {
            let key = of_function(one).expect("a name");
            assert_eq!(super::function(&key).as_ref(), Some(one));
            assert!(decode(&key).is_err() && decode(&of_past(&key)).is_err());
            assert_eq!(super::function(&of_past(&key)), None);
        }
        let keys: std::collections::BTreeSet<_> = all.iter().map(of_function).collect();
        assert_eq!(keys.len(), all.len());
        assert_eq!(of_function(&function("1", "")), None);
        assert_eq!(of_function(&function("1", &"x".repeat(200))), None);
    }

    #[test]
    fn items_are_found_for_ever_by_the_bytes_of_their_keys() {
        let source = KeyPart::Ipv4(Ipv4Addr::new(192, 0, 2, 1));
        let key = Key { first: source, second: Some(KeyPart::User(UserTag(2))) };
        let bytes = SignalKind::ALL.map(|signal| encode(signal, &key));
        let login = [1, 192, 0, 2, 1, 5, 0, 0, 0, 0, 0, 0, 0, 2];
        assert_eq!(bytes[0], login);
        assert_eq!(bytes[1], [&[7], &login[..]].concat());
        assert_eq!(bytes[2], [&[8], &login[..]].concat());
        assert_eq!(bytes[3], [&[12], &login[..]].concat());
    }
}
