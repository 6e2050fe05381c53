//! One campaign is one finding: a detector that counts by a subnet, or by everything, can speak for findings
//! about what lies within.
//!
//! While its finding is open, a finding by one of the keys it `covers` that is no worse, and raised by attempts of
//! the kind it counts itself, is not opened; it is listed as a member. It speaks for many only: as long as one
//! source makes half of the failures or more, it is that source's attack, and the source's own finding tells it.
//!
//! Who is covered is looked up when a finding would open, and members when a message leaves: both are rare.
//! Nothing of it is state, so what was not opened opens once the campaign's finding is over.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::detector::{Detector, Filter, Measure};
use crate::episode::covering;
use crate::fault::Fault;
use crate::finding::{Finding, Member};
use crate::judge::Verdict;
use crate::key::{Key, KeyField, KeyPart};
use crate::limits::{DECLINED_MAX, MEMBERS_MAX};
use crate::outbox::Outbox;
use crate::plan::{DetectorId, KeyPlanId, Plan};
use crate::signal::{Outcome, Role};
use crate::sink::AlertSink;
use crate::standing::Standing;
use crate::store::{Place, WindowStore};
use crate::time::{Span, Time};

/// A detector that speaks for others, and where its state is.
#[derive(Clone, Debug, PartialEq)]
pub struct Umbrella {
    /// Which.
    pub detector: DetectorId,
    /// Its key's plan.
    pub plan: KeyPlanId,
}

/// Campaigns that were one source's attack when they were last looked at, and until when that is taken for
/// granted: a pane of their window, so that an attack of a million tries is not looked into a million times.
#[derive(Clone, Debug, Default)]
pub struct Declined(BTreeMap<(Place, DetectorId), Time>);

impl Declined {
    pub(crate) fn holds(&self, place: Place, detector: DetectorId, at: Time) -> bool {
        self.0.get(&(place, detector)).is_some_and(|until| at < *until)
    }

    pub(crate) fn note(&mut self, place: Place, detector: DetectorId, until: Time) {
        if self.0.len() >= DECLINED_MAX {
            self.0.clear();
        }
        self.0.insert((place, detector), until);
    }

    /// Lets a detector be looked at again.
    pub(crate) fn forget(&mut self, place: Place, detector: DetectorId) {
        self.0.remove(&(place, detector));
    }
}

impl<S: WindowStore, A: AlertSink> Outbox<'_, S, A> {
    /// Whether what would open is not to be opened: a finding about a wider key speaks for it, or it would
    /// speak for many and is one source's.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn is_told_elsewhere(
        &mut self,
        place: Place,
        verdict: &Verdict,
        pane: Span,
    ) -> Result<bool, Fault> {
        let rule = self.plan.detector(verdict.detector);
        if !rule.covers.is_empty() {
            if self.declined.holds(place, verdict.detector, verdict.at) {
                return Ok(true);
            }
            let until = Until { at: verdict.at, span: rule.window };
            let alone = self.is_one_sources(place, &verdict.sources(), until).await?;
            if alone {
                self.declined.note(place, verdict.detector, verdict.at.plus(pane));
            }
            return Ok(alone);
        }
        if !rule.after.is_empty() {
            return Ok(false);
        }
        let speaks = |umbrella: &&Umbrella| speaks_for(self.plan.detector(umbrella.detector), rule);
        for umbrella in self.plan.umbrellas.iter().filter(speaks) {
            let Some(key) = within(self.plan, umbrella, &place) else { continue };
            let mut told = false;
            let wider = [(umbrella.plan, key)];
            let looked = self.store.read(&wider, |window| {
                let quiet = self.plan.detector(umbrella.detector).quiet;
                let episodes = window.state.episodes.of(umbrella.detector);
                let open = covering(episodes, verdict.at, quiet).filter(|known| !known.closed);
                told |= open.is_some_and(|open| open.severity >= verdict.severity);
            });
            looked.await?;
            if told {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether one source has half of a key's failures, or more.
    async fn is_one_sources(
        &self,
        place: Place,
        sources: &[IpAddr],
        until: Until,
    ) -> Result<bool, Fault> {
        let members = self.members(place, sources, until).await?;
        let most = members.iter().map(|member| member.failures).max().unwrap_or(0);
        let mut all = 0;
        self.store.read(&[place], |window| all = failures(window, until).unwrap_or(0)).await?;
        Ok(most > 0 && 2 * most >= all)
    }

    /// The sources behind a finding that speaks for many: all that raise on their own among the neighbours of
    /// a subnet or among those it names, and the others it names; those with most failures first.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn list_members(
        &self,
        of_plan: KeyPlanId,
        finding: &mut Finding,
    ) -> Result<(), Fault> {
        let until = Until { at: finding.last, span: finding.window };
        finding.members = self.members((of_plan, finding.key), &finding.sources, until).await?;
        Ok(())
    }

    async fn members(
        &self,
        (of_plan, key): Place,
        named: &[IpAddr],
        until: Until,
    ) -> Result<Vec<Member>, Fault> {
        let signal = self.plan.key(of_plan).signal;
        let Some(id) = self.plan.counted_by(signal, KeyField::SourceIp) else {
            return Ok(Vec::new());
        };
        let mut keys: Vec<Key> = named.iter().map(|source| Key::source_ip(*source)).collect();
        if let KeyPart::SubnetIpv4(net) = key.first {
            keys.extend((0..=255).map(|last| {
                let [a, b, c, _] = net.octets();
                Key::source_ip(Ipv4Addr::new(a, b, c, last).into())
            }));
        }
        keys.sort_unstable();
        keys.dedup();
        let places: Vec<Place> = keys.into_iter().map(|key| (id, key)).collect();
        let mut members = Vec::new();
        self.store
            .read(&places, |window| {
                let raised = Standing::at(self.plan, window).worst();
                let failures = failures(window, until).unwrap_or(0);
                let source = address(window.key);
                let is_named = named.iter().any(|named| Key::source_ip(*named) == *window.key);
                if let Some(source) = source.filter(|_| raised.is_some() || is_named) {
                    members.push(Member { source, failures, raised });
                }
            })
            .await?;
        members.sort_by_key(|member: &Member| (Reverse(member.failures), member.source));
        members.truncate(MEMBERS_MAX);
        Ok(members)
    }
}

/// Until when failures are counted, and how far back.
#[derive(Clone, Copy)]
struct Until {
    at: Time,
    span: Span,
}

/// Whether what `rule` raises by is among what `umbrella` counts: a campaign by names that are no accounts does
/// not speak for an attack on one that is.
fn speaks_for(umbrella: &Detector, rule: &Detector) -> bool {
    let known = leading(umbrella).and_then(|filter| filter.user_known);
    known.is_none() || leading(rule).and_then(|filter| filter.user_known) == known
}

/// What a detector's first condition counts, of its worst severity; `None` of a walk, which takes all.
fn leading(rule: &Detector) -> Option<Filter> {
    let condition = rule.raises.first()?.when.first()?;
    match rule.measures.get(condition.measure)?.measure {
        Measure::Count(_, filter)
        | Measure::Sum(_, filter)
        | Measure::Distinct(_, filter)
        | Measure::FirstSeen(_, filter, _)
        | Measure::Busiest(_, filter) => Some(filter),
        Measure::Change(change) => Some(change.filter),
        Measure::Sequential(_) => None,
    }
}

/// The failed attempts of a key; `None` where none of its detectors counts them.
fn failures(window: &crate::window::Window<'_>, until: Until) -> Option<u64> {
    let filter = Filter { outcome: Some(Outcome::Failure), user_known: None };
    let slots = window.plan.slots_of(Role::Attempt, filter)?;
    let at = until.at.max(window.at.minus(until.span)).min(window.at);
    let rungs = window.state.rings.iter().zip(&window.plan.retention.counters);
    let sums = rungs.map(|(ring, rung)| ring.sum(slots, rung.window(at, until.span)));
    Some(sums.fold(0, u64::saturating_add))
}

/// The key of `umbrella` that a place lies within, if it is one that is covered: of the same signals.
fn within(plan: &Plan, umbrella: &Umbrella, (of_plan, key): &Place) -> Option<Key> {
    let same = plan.key(*of_plan).signal == plan.key(umbrella.plan).signal;
    // What a client does in a network is covered by its name; else keys of two fields are by nobody.
    let field = match (key.first.field(), key.second.map(|part| part.field())) {
        (field, None) => Some(field),
        (KeyField::SourceSubnet, Some(KeyField::UserAgent)) => Some(KeyField::UserAgent),
        _ => None,
    };
    let covers = &plan.detector(umbrella.detector).covers;
    let covered = same && field.is_some_and(|field| covers.contains(&field));
    let part = match (plan.key(umbrella.plan).fields.as_slice(), key.first) {
        ([KeyField::Global], _) => KeyPart::Global,
        ([KeyField::SourceSubnet], KeyPart::Ipv4(address)) => {
            KeyPart::source_subnet(IpAddr::V4(address))
        }
        ([KeyField::SourceSubnet], KeyPart::Ipv6Net(upper)) => KeyPart::SubnetIpv6(upper),
        ([KeyField::SourceSubnet], subnet @ (KeyPart::SubnetIpv4(_) | KeyPart::SubnetIpv6(_))) => {
            subnet
        }
        _ => return None,
    };
    covered.then_some(Key::of(part))
}

/// The address a source's key stands for: of an IPv6 one the first of its /64.
fn address(key: &Key) -> Option<IpAddr> {
    match key.first {
        KeyPart::Ipv4(address) => Some(address.into()),
        KeyPart::Ipv6Net(upper) => Some(Ipv6Addr::from_bits(u128::from(upper) << 64).into()),
        _ => None,
    }
}
