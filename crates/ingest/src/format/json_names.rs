//! The names under which applications log the fields of an authentication event.
//!
//! Lists, in order of precedence: the first name of a list that stands in a line wins. Names are in
//! lower case and without `_ - . @` and blanks, which is how they are compared. Invariant, held by
//! the compiler: no name is in two lists, and none is longer than is compared.

use super::lexicon::Lexicon;

/// The longest field name that can be one of ours, in bytes after normalising.
const NAME_BYTES_MAX: usize = 24;

/// What a field is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Time,
    Source,
    User,
    Outcome,
    /// True means success.
    Passed,
    /// True means failure.
    Failed,
    Status,
    Reason,
    Error,
    Message,
    Event,
    Path,
    Method,
    /// What the client calls itself.
    Agent,
    /// The autonomous system that announces the source's address.
    Asn,
    /// True means that the account exists.
    Known,
    /// True means that it does not.
    Unknown,
}

const TIME: &[&str] = &[
    "eventtime",
    "eventtimestamp",
    "occurredat",
    "timestamp",
    "time",
    "ts",
    "datetime",
    "timestampms",
    "logtime",
    "logtimestamp",
    "createdat",
    "loggedat",
    "asctime",
    "created",
    "date",
    "when",
];
const SOURCE: &[&str] = &[
    "srcip",
    "sourceip",
    "sourceipaddress",
    "clientip",
    "clientipaddress",
    "remoteip",
    "remoteipaddress",
    "userip",
    "useripaddress",
    "loginip",
    "actorip",
    "peerip",
    "originip",
    "requestip",
    "ipaddress",
    "ipaddr",
    "ip",
    "ipv4",
    "ipv6",
    "remoteaddr",
    "remoteaddress",
    "clientaddr",
    "clientaddress",
    "sourceaddress",
    "sourceaddr",
    "srcaddr",
    "srcaddress",
    "peeraddr",
    "peeraddress",
    "realip",
    "xrealip",
    "rhost",
    "remotehost",
    "clienthost",
    "sourcehost",
    "peer",
    "remote",
    "client",
    "source",
    "src",
    "from",
    "addr",
    "address",
    "forwardedfor",
    "xforwardedfor",
];
/// Names that say enough in a line that names no event; [`USER_IN_LOGIN`] needs one that does.
pub(super) const USER: &[&str] = &[
    "username",
    "user",
    "userlogin",
    "login",
    "loginname",
    "loginid",
    "accountname",
    "account",
    "acct",
    "usr",
    "useremail",
    "email",
    "emailaddress",
    "mail",
    "userid",
    "accountid",
    "usernameattempted",
    "attempteduser",
    "attemptedusername",
    "targetuser",
    "targetusername",
    "userprincipalname",
    "principal",
    "principalname",
    "principalid",
    "identity",
    "useridentity",
    "subject",
    "subjectname",
];
const USER_IN_LOGIN: &[&str] = &[
    "uname",
    "upn",
    "identifier",
    "logonname",
    "actor",
    "actorname",
    "customer",
    "customerid",
    "member",
    "memberid",
    "uid",
    "sub",
    "phone",
    "phonenumber",
    "userhandle",
    "handle",
    "actorid",
    "actoremail",
];
const OUTCOME: &[&str] = &[
    "outcome",
    "loginoutcome",
    "authoutcome",
    "result",
    "loginresult",
    "authresult",
    "authenticationresult",
    "eventoutcome",
    "eventresult",
    "loginstatus",
    "authstatus",
    "authenticationstatus",
    "loginstate",
    "status",
    "decision",
    "verdict",
    "response",
    "state",
];
const PASSED: &[&str] = &[
    "success",
    "succeeded",
    "successful",
    "issuccess",
    "issuccessful",
    "loginsuccess",
    "loginsucceeded",
    "loginsuccessful",
    "authsuccess",
    "authenticated",
    "isauthenticated",
    "ok",
    "granted",
    "allowed",
    "accepted",
    "passed",
    "authorized",
    "passwordvalid",
    "passwordok",
    "passwordcorrect",
    "valid",
    "loggedin",
];
const FAILED: &[&str] =
    &["failed", "failure", "isfailure", "isfailed", "loginfailed", "loginfailure", "authfailed"];
const STATUS: &[&str] = &[
    "statuscode",
    "httpstatus",
    "httpstatuscode",
    "httpcode",
    "responsecode",
    "responsestatus",
    "responsestatuscode",
    "httpresponsestatuscode",
    "resultcode",
    "code",
];
const REASON: &[&str] = &[
    "reason",
    "failurereason",
    "failreason",
    "loginfailurereason",
    "denyreason",
    "denialreason",
    "rejectreason",
    "statusreason",
    "statusdetail",
    "eventreason",
    "reasoncode",
    "failurecode",
    "failuretype",
    "resultreason",
    "outcomereason",
    "cause",
    "failurecause",
    "subreason",
    "substatus",
];
pub(super) const ERROR: &[&str] = &[
    "errorcode",
    "errortype",
    "errorname",
    "error",
    "errorreason",
    "err",
    "errormessage",
    "errormsg",
    "errordescription",
    "exception",
    "exceptiontype",
    "detail",
    "details",
    "description",
    "statusmessage",
    "resultdescription",
];
const MESSAGE: &[&str] =
    &["message", "msg", "text", "summary", "renderedmessage", "messagetemplate"];
/// The place of words that stand before an object: behind all that are a message by name.
pub(super) const MESSAGE_BEFORE: u8 = MESSAGE.len() as u8;
const EVENT: &[&str] = &[
    "event",
    "eventname",
    "eventtype",
    "eventaction",
    "action",
    "actionname",
    "actiontype",
    "operation",
    "operationname",
    "activity",
    "activitytype",
    "activityname",
    "authevent",
    "evt",
    "type",
    "kind",
    "category",
    "detailtype",
];
/// These may hold a number, an id or the log's name: what they name counts only if it is a login or
/// something around one.
const EVENT_LOOSELY: &[&str] = &["eventid", "eventcode", "eventcategory", "logtype", "metricname"];
/// How many of the fields that name an event name nothing else.
pub(super) const EVENT_OF_KIND: usize = EVENT.len();
const PATH: &[&str] = &[
    "path",
    "requestpath",
    "httppath",
    "pathinfo",
    "route",
    "endpoint",
    "uri",
    "requesturi",
    "url",
    "requesturl",
    "urlpath",
    "resource",
];
const METHOD: &[&str] = &["method", "httpmethod", "requestmethod", "verb"];
const KNOWN: &[&str] = &[
    "userknown",
    "knownuser",
    "isknownuser",
    "userexists",
    "userexist",
    "existinguser",
    "accountexists",
    "usernameexists",
    "userfound",
    "accountknown",
    "validuser",
    "isvaliduser",
    "uservalid",
    "usernamevalid",
];
const AGENT: &[&str] = &[
    "useragent",
    "httpuseragent",
    "useragentoriginal",
    "clientuseragent",
    "browseruseragent",
    "ua",
];
const ASN: &[&str] = &[
    "asn",
    "clientasn",
    "sourceasn",
    "srcasn",
    "ipasn",
    "asnumber",
    "clientasnumber",
    "sourceasnumber",
    "autonomoussystemnumber",
];
const UNKNOWN: &[&str] = &[
    "unknownuser",
    "userunknown",
    "isunknownuser",
    "invaliduser",
    "userinvalid",
    "usernotfound",
    "nosuchuser",
];

/// Names with their part and their place in its list.
type Names = Lexicon<(Part, u8), 1024>;

static NAMES: Names =
    listed(listed(all(), USER, Part::User, 0), USER_IN_LOGIN, Part::User, USER.len() as u8);

const fn all() -> Names {
    let names = listed(Lexicon::new(), TIME, Part::Time, 0);
    let names = listed(names, SOURCE, Part::Source, 0);
    let names = listed(names, OUTCOME, Part::Outcome, 0);
    let names = listed(names, PASSED, Part::Passed, 0);
    let names = listed(names, FAILED, Part::Failed, 0);
    let names = listed(names, STATUS, Part::Status, 0);
    let names = listed(names, REASON, Part::Reason, 0);
    let names = listed(names, ERROR, Part::Error, 0);
    let names = listed(names, MESSAGE, Part::Message, 0);
    let names = listed(names, EVENT, Part::Event, 0);
    let names = listed(names, EVENT_LOOSELY, Part::Event, EVENT.len() as u8);
    let names = listed(names, PATH, Part::Path, 0);
    let names = listed(names, METHOD, Part::Method, 0);
    let names = listed(names, AGENT, Part::Agent, 0);
    let names = listed(names, ASN, Part::Asn, 0);
    let names = listed(names, KNOWN, Part::Known, 0);
    listed(names, UNKNOWN, Part::Unknown, 0)
}

const fn listed(mut names: Names, list: &[&'static str], part: Part, first: u8) -> Names {
    let mut at = 0;
    while at < list.len() {
        assert!(list[at].len() <= NAME_BYTES_MAX);
        names = names.and(list[at], (part, first + at as u8));
        at += 1;
    }
    names
}

/// A field's name as names are compared: in lower case and without what joins words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    bytes: [u8; NAME_BYTES_MAX],
    length: usize,
}

impl Name {
    /// The name; `None` if it is longer than any of ours.
    pub(super) fn of(text: &str) -> Option<Name> {
        let mut name = Name { bytes: [0; NAME_BYTES_MAX], length: 0 };
        for byte in text.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b'.' | b'@' | b' ')) {
            name.push(byte.to_ascii_lowercase())?;
        }
        Some(name)
    }

    fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.length)? = byte;
        self.length += 1;
        Some(())
    }

    /// This name behind another one, `before`, that is written as names are compared; `None` if it is too
    /// long.
    pub(super) fn behind(&self, before: &str) -> Option<Name> {
        let mut name = Name { bytes: [0; NAME_BYTES_MAX], length: 0 };
        let mut bytes = before.bytes().chain(self.bytes().iter().copied());
        bytes.try_for_each(|byte| name.push(byte))?;
        Some(name)
    }

    /// The part that a field of this name plays.
    pub(super) fn part(&self) -> Option<(Part, u8)> {
        NAMES.get(self.bytes())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The part that a field of this name plays.
pub(super) fn part_of(name: &str) -> Option<(Part, u8)> {
    Name::of(name)?.part()
}
