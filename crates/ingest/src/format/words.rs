//! What the words in an application's event names, outcomes and reasons mean: whether they name a
//! login, how it ended, and whether the account exists.
//!
//! Applications write `login_failed`, `LoginFailed`, `login.failed`, `loginfailed` and `Login
//! failed!`; all are the same words. A text is cut at everything that is no letter or digit and at
//! capitals; what is still unknown is split into known words if it is made of nothing else. The
//! answers then look at words and their order, never at substrings, so that `known_user` is not in
//! `unknown_user` and `success` is not in `unsuccessful`. Where two answers are possible ("user not
//! found or wrong password") there is none.

use tidewatch_core::signal::{Outcome, SignalKind};

use super::lexicon::Lexicon;

/// How much of a text is read, in bytes: messages name what happened at their beginning.
const TEXT_BYTES_MAX: usize = 160;
/// How many known words of a text are kept.
const WORDS_MAX: usize = 24;
/// The longest known word, in bytes, and the shortest that a longer one is split into.
const WORD_BYTES_MAX: usize = 20;
const PART_BYTES_MIN: usize = 2;

/// A word that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Word {
    Login,
    Auth,
    Authenticated,
    Enter,
    Entered,
    In,
    Out,
    NotLogin,
    Check,
    Subject,
    Password,
    Credential,
    Factor,
    Thing,
    Absent,
    Present,
    Known,
    Valid,
    Wrong,
    Standing,
    Active,
    Success,
    Fail,
    Not,
    Or,
    Up,
    Reset,
    Recover,
    SignUp,
    Register,
    Registered,
    Must,
    Already,
    Filler,
}

use Word::*;

const WORDS: Lexicon<Word, 1024> = Lexicon::new()
    .with(&["login", "logins", "logon", "signin", "signon", "relogin"], Login)
    .with(&["authenticate", "authentication", "authenticating", "authn"], Login)
    .with(&["auth", "oauth", "oauth2"], Auth)
    .and("authenticated", Authenticated)
    .with(&["log", "sign", "logging", "signing"], Enter)
    .with(&["logged", "signed"], Entered)
    .with(&["in", "on", "into"], In)
    .with(&["out", "off"], Out)
    .and("up", Up)
    .with(&["logout", "logoff", "signout", "signoff"], NotLogin)
    .with(&["signup", "signups"], SignUp)
    .with(&["register", "registration"], Register)
    .with(&["reset", "resets"], Reset)
    .with(&["forgot", "forgotten", "recover", "recovery"], Recover)
    .with(&["must", "require", "required", "requires", "need", "needs", "please"], Must)
    .and("already", Already)
    .with(&["change", "changed", "update", "updated", "create", "created"], NotLogin)
    .with(&["delete", "deleted", "refresh", "refreshed", "revoke", "revoked"], NotLogin)
    .with(&["enroll", "enrolled", "rotate", "rotated", "page", "view", "viewed"], NotLogin)
    .with(&["check", "checked", "verify", "verification", "validate", "validation"], Check)
    .with(&["user", "users", "username", "userid", "usr", "account", "accounts", "acct"], Subject)
    .with(&["email", "mail", "identity", "identifier", "principal", "member"], Subject)
    .with(&["customer", "subject"], Subject)
    .with(&["password", "passwd", "passphrase", "pwd", "passcode"], Password)
    .with(&["credential", "credentials", "creds"], Credential)
    .with(&["mfa", "2fa", "otp", "totp", "twofactor", "factor", "webauthn"], Factor)
    .with(&["token", "session", "ip", "address", "device", "captcha", "client", "cert"], Thing)
    .with(&["certificate", "key", "origin", "csrf", "signature", "cookie", "link"], Thing)
    .with(&["unknown", "nonexistent", "nonexisting", "unregistered"], Absent)
    .with(&["unrecognized", "unrecognised", "inexistent"], Absent)
    .with(&["found", "exist", "exists", "existing", "existent"], Present)
    .and("registered", Registered)
    .with(&["recognized", "recognised"], Present)
    .and("known", Known)
    .with(&["valid", "correct", "match", "matches", "matched", "matching"], Valid)
    .with(&["wrong", "bad", "incorrect", "invalid", "mismatch", "mismatched"], Wrong)
    .with(&["locked", "lockout", "lockedout", "disabled", "suspended"], Standing)
    .with(&["deactivated", "inactive", "expired", "unconfirmed", "unverified"], Standing)
    .with(&["active", "activated", "enabled", "verified", "confirmed"], Active)
    .with(&["success", "successful", "successfully", "succeed", "succeeded", "ok"], Success)
    .with(&["okay", "granted", "grant", "allow", "allowed", "accept", "accepted"], Success)
    .with(&["pass", "passed", "approved", "permitted", "permit", "authorized"], Success)
    .with(&["authorised", "true", "yes"], Success)
    .with(&["fail", "fails", "failed", "failure", "failures", "failing", "deny"], Fail)
    .with(&["denied", "reject", "rejected", "error", "unauthorized", "unauthorised"], Fail)
    .with(&["unauthenticated", "unsuccessful", "unsuccessfully", "forbidden"], Fail)
    .with(&["block", "blocked", "refuse", "refused", "declined", "disallowed"], Fail)
    .with(&["banned", "throttled", "limited", "ratelimited", "false", "ko", "nok"], Fail)
    .with(&["not", "no", "non", "never", "without", "cannot", "isnt", "doesnt"], Not)
    .with(&["doesn", "isn", "didn", "didnt", "wasn", "wasnt", "couldn", "don", "dont"], Not)
    .and("or", Or)
    .with(&["a", "an", "the", "is", "was", "are", "be", "been", "has", "have", "does"], Filler)
    .with(&["do", "did", "could", "can", "such", "this", "that", "of", "for", "with"], Filler)
    .with(&["to", "by", "from", "t", "name", "id", "err", "exception", "code"], Filler)
    .with(&["reason", "event", "events", "attempt", "attempts", "attempted"], Filler)
    .with(
        &["audit", "security", "sso", "activity", "action", "result", "status", "outcome"],
        Filler,
    );

/// The known words of a text, in order and without fillers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    list: [Word; WORDS_MAX],
    count: usize,
    /// One bit a [`Word`].
    set: u64,
    /// Whether there are words that are not known.
    foreign: bool,
}

/// What a text that names an event names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A login.
    Login,
    /// A new password, or a code or a link to set one.
    Reset,
    /// An account of one's own.
    SignUp,
    /// Something else around logins that is none: a logout, a changed password.
    NotLogin,
    /// Something else.
    Other,
    /// Nothing in particular.
    Generic,
}

impl Named {
    /// What was tried, if anything was.
    pub(super) fn action(self) -> Option<SignalKind> {
        match self {
            Named::Login => Some(SignalKind::Auth),
            Named::Reset => Some(SignalKind::Reset),
            Named::SignUp => Some(SignalKind::SignUp),
            Named::NotLogin | Named::Other | Named::Generic => None,
        }
    }
}

impl Words {
    /// Reads a text.
    pub(super) fn of(text: &str) -> Words {
        let mut words = Words { list: [Filler; WORDS_MAX], count: 0, set: 0, foreign: false };
        let text = &text.as_bytes()[..text.len().min(TEXT_BYTES_MAX)];
        let (mut token, mut length) = ([0; WORD_BYTES_MAX * 2], 0);
        for (at, &byte) in text.iter().enumerate() {
            let in_word = byte.is_ascii_alphanumeric() || !byte.is_ascii();
            if length > 0 && (!in_word || begins_word(text, at)) {
                words.take(&token[..length.min(token.len())]);
                length = 0;
            }
            if in_word {
                if let Some(slot) = token.get_mut(length) {
                    *slot = byte.to_ascii_lowercase();
                }
                length += 1;
            }
        }
        words.take(&token[..length.min(token.len())]);
        words
    }

    fn take(&mut self, token: &[u8]) {
        if token.is_empty() || token.iter().all(u8::is_ascii_digit) {
            return;
        }
        match WORDS.get(token) {
            Some(word) => self.push(word),
            None => self.take_parts(token),
        }
    }

    /// Splits a token into known words, the longest first; takes nothing unless all of it is known.
    fn take_parts(&mut self, token: &[u8]) {
        let mut parts = [Filler; 6];
        let (mut rest, mut count) = (token, 0);
        while !rest.is_empty() {
            let longest = (PART_BYTES_MIN..=rest.len().min(WORD_BYTES_MAX))
                .rev()
                .find_map(|length| Some((WORDS.get(&rest[..length])?, length)));
            let (Some((word, length)), Some(part)) = (longest, parts.get_mut(count)) else {
                self.foreign = true;
                return;
            };
            (*part, rest, count) = (word, &rest[length..], count + 1);
        }
        parts[..count].iter().for_each(|word| self.push(*word));
    }

    fn push(&mut self, word: Word) {
        let (listed, set) = match word {
            Filler => return,
            // They tell a deed from a plan and from one of old, and are else as strange as any word.
            Must | Already => {
                (self.foreign, self.set) = (true, self.set | 1 << word as u8);
                return;
            }
            Reset | Recover | SignUp | Register => (NotLogin, 1 << word as u8),
            Registered => (Present, 1 << Registered as u8 | 1 << Present as u8),
            word => (word, 1 << word as u8),
        };
        if let Some(slot) = self.list.get_mut(self.count) {
            (*slot, self.count, self.set) = (listed, self.count + 1, self.set | set);
        }
    }

    fn list(&self) -> &[Word] {
        &self.list[..self.count]
    }

    fn has(&self, word: Word) -> bool {
        self.set & 1 << word as u8 != 0
    }

    fn has_any(&self, words: &[Word]) -> bool {
        words.iter().any(|word| self.has(*word))
    }

    /// Whether one of these patterns of neighbours occurs.
    fn has_run(&self, pattern: &[&[Word]]) -> bool {
        self.after_run(pattern).is_some()
    }

    /// The words behind the first place where the pattern of neighbours occurs.
    fn after_run(&self, pattern: &[&[Word]]) -> Option<&[Word]> {
        let fits = |run: &[Word]| run.iter().zip(pattern).all(|(word, any)| any.contains(word));
        let at = self.list().windows(pattern.len()).position(fits)?;
        self.list().get(at + pattern.len()..)
    }

    /// What the text names, if it is an event's name.
    pub(super) fn named(&self) -> Named {
        let entering: [&[Word]; 2] = [&[Enter, Entered], &[In]];
        let tried = self.has_any(&[Check, Fail, Wrong, Success, Valid]);
        let login = self.has_any(&[Login, Authenticated])
            || (self.has(Auth) && tried)
            || (self.has_any(&[Password, Credential]) && tried)
            || self.has_run(&entering);
        let around = self.has_any(&[NotLogin, Reset, Recover, SignUp, Register])
            || self.has_run(&[&[Enter, Entered], &[Out, Up]]);
        if around || (!login && self.names_new_user()) {
            self.around()
        } else if login {
            Named::Login
        } else if self.foreign || self.has_any(&[Factor, Thing, Enter, Entered]) {
            Named::Other
        } else {
            Named::Generic
        }
    }

    /// What a text names that is around logins and names none.
    fn around(&self) -> Named {
        if self.has_any(&[Login, Authenticated, NotLogin, Out, Must]) {
            return Named::NotLogin;
        }
        let secret = self.has_any(&[Password, Credential]);
        let reset = (self.has(Reset) && secret)
            || (self.has(Recover) && (secret || self.has(Subject) || self.count == 1));
        // Many things are registered: devices, services, guests of an event.
        let registered = self.has(Register) && (!self.foreign || self.has_any(&[Subject, Auth]));
        let signed_up = self.has(SignUp) || self.has_run(&[&[Enter, Entered], &[Up]]);
        let sign_up = signed_up || registered || self.names_new_user();
        match (reset, sign_up && !self.has_any(&[Thing, Factor])) {
            (true, false) => Named::Reset,
            (false, true) => Named::SignUp,
            _ => Named::NotLogin,
        }
    }

    /// Whether it says that a user registered just now.
    pub(super) fn names_new_user(&self) -> bool {
        self.has(Registered)
            && !self.has_any(&[Not, Already])
            && self.has_run(&[&[Subject], &[Present]])
    }

    /// Whether a login is named by one of the words for which the format has needles.
    pub(super) fn names_login_in_one_word(&self) -> bool {
        self.has_any(&[Login, Authenticated, Auth])
    }

    /// How the try ended. Failure wins where both are named: a name in the text may say `success`.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        let mut outcome = None;
        let mut before = None;
        for &word in self.list() {
            let negated = before == Some(Not);
            let said = match word {
                Fail | Wrong | Standing => (!negated).then_some(Outcome::Failure),
                Success | Valid | Authenticated if !negated => Some(Outcome::Success),
                Success | Valid | Authenticated | Present | Known | Active if negated => {
                    Some(Outcome::Failure)
                }
                In if before == Some(Entered) => Some(Outcome::Success),
                _ => None,
            };
            if said == Some(Outcome::Failure) {
                return said;
            }
            (outcome, before) = (outcome.or(said), Some(word));
        }
        if self.user_known() == Some(false) { Some(Outcome::Failure) } else { outcome }
    }

    /// Whether the account exists, as a reason for a failure tells it.
    pub(super) fn user_known(&self) -> Option<bool> {
        let secret = [Password, Credential];
        if self.has(Or) && self.has(Subject) && self.has_any(&secret) {
            return None;
        }
        if let Some(behind) = self.after_absent_subject() {
            let ambiguous = behind.iter().any(|word| secret.contains(word));
            return if ambiguous { None } else { Some(false) };
        }
        let exists = self.has_run(&[&[Subject], &[Present, Known]])
            || self.has_run(&[&[Known, Valid, Present], &[Subject]]);
        let secret_wrong = self.has(Password)
            && !self.has(Thing)
            && (self.has(Wrong) || self.has_run(&[&[Not], &[Valid]]));
        let standing = self.has(Standing) || self.has_run(&[&[Not], &[Active]]);
        let factor = self.has(Factor);
        (exists || secret_wrong || factor || (standing && !self.has(Thing))).then_some(true)
    }

    /// The words behind those that say that there is no such account.
    fn after_absent_subject(&self) -> Option<&[Word]> {
        let patterns: [&[&[Word]]; 7] = [
            &[&[Absent], &[Subject, Login]],
            &[&[Subject], &[Absent]],
            &[&[Wrong], &[Subject]],
            &[&[Not], &[Subject]],
            &[&[Not], &[Valid, Known, Present], &[Subject, Login]],
            &[&[Subject, Login], &[Not], &[Present, Known]],
            &[&[Subject], &[Not], &[Valid]],
        ];
        let found = patterns.iter().find_map(|pattern| self.after_run(pattern));
        found.or_else(|| {
            let behind = self.after_run(&[&[Subject], &[Wrong]])?;
            (!matches!(behind, [Password | Credential, ..])).then_some(behind)
        })
    }
}

/// Whether the capital at `at` begins a word: after a small letter, or before one after a capital.
fn begins_word(text: &[u8], at: usize) -> bool {
    if !text[at].is_ascii_uppercase() || at == 0 {
        return false;
    }
    let before = text[at - 1];
    let small_next = text.get(at + 1).is_some_and(u8::is_ascii_lowercase);
    before.is_ascii_lowercase() || (before.is_ascii_uppercase() && small_next)
}

#[cfg(test)]
mod tests;
