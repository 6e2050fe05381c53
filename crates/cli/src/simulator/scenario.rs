//! The scenarios of `tidewatch simulate`: which acts are played together.

/// A set of acts with a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    /// As it is asked for.
    pub(crate) name: &'static str,
    /// What it shows, in one sentence.
    pub(crate) what: &'static str,
    /// How long its world lasts unless told otherwise.
    pub(crate) hours: u32,
}

const fn scenario(name: &'static str, hours: u32, what: &'static str) -> Scenario {
    Scenario { name, what, hours }
}

/// What `tidewatch demo` plays.
pub(crate) const DEMO: Scenario =
    scenario("demo", super::HOURS_DEFAULT, "What `tidewatch demo` shows.");

/// Its shop tells who is sent how many bytes.
pub(crate) const EXFILTRATION: &str = "exfiltration";

/// Long enough for what is slow.
const A_DAY: u32 = 24;

/// All that can be asked for, in the order they are listed.
pub(crate) const SCENARIOS: [Scenario; 16] = [
    scenario("all", A_DAY, "Everything below together, but for exfiltration."),
    scenario("quiet", A_DAY, "Everything below that means no harm, but for the pentest."),
    scenario("scan", 4, "Single sources try hundreds of names that do not exist."),
    scenario(
        "stuffing",
        4,
        "Leaked pairs are tried, 1 % of which fit: from one source, and from 400.",
    ),
    scenario("spray", 4, "A few passwords on 200 accounts: from one source, and from a /24."),
    scenario(
        "brute-force",
        4,
        "One account is guessed at: from one source, over ssh, and from 300 sources.",
    ),
    scenario("slow-scan", A_DAY + 2, "One source tries a name every 20 minutes."),
    scenario("distributed", A_DAY, "10,000 sources try one name each."),
    scenario("takeover", A_DAY, "Each of these attacks again, and it gets in."),
    scenario(
        EXFILTRATION,
        6,
        "A scan gets in and carries off 600 orders; a gateway logs who is sent how many bytes.",
    ),
    scenario("office", 4, "400 people behind one address log in on a Monday morning."),
    scenario("password-expiry", 4, "The same, with a third of the passwords expired."),
    scenario("marketing-spike", 4, "Ten times the logins for an hour, with more typos."),
    scenario("broken-client", 10, "Programs retry a stale password every 5 s, 30 s and 5 min."),
    scenario("pentest", 4, "Announced testers scan, spray and guess from 192.0.2.0/24."),
    DEMO,
];

/// The scenario of that name.
pub(crate) fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}
