//! Objects as programs print them: what Node's `console.log` makes of an object (`util.inspect`) and Python
//! of a dict (`repr`), alone, behind Lambda's prefix, or behind words: `login failed { user: 'bob', … }`.
//!
//! Such an object is written again as JSON and then read like any other, so the same names, rules and limits
//! hold. What is no value in JSON becomes null (a function) or a list (`Decimal('3')`); what may hold bare
//! text of somebody else, as an error does, is not read at all.
//!
//! Invariant: what a client sends, which stands in quotes, never moves what is read. Both languages choose
//! quotes that the text lacks, or escape them, so a string ends at its own quote. The object is found from
//! its end backwards: a text in quotes holds none of its own quotes bare, so no place inside of one can be
//! taken for the object's beginning. Words before it may be anybody's, so they may hold no brace and nothing
//! like an address. All of it takes time in proportion to the message.

use std::fmt::Write as _;

use crate::limits::JSON_NESTING_MAX;
use crate::stamp;

/// The most bytes of words before an object.
const WORDS_BYTES_MAX: usize = 256;

/// What a printed object stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Printed<'m> {
    /// What stands before it.
    pub(super) words: &'m str,
    /// The object.
    pub(super) json: String,
}

impl<'m> Printed<'m> {
    /// The object at the end of a text, if what stands before it may stand there.
    pub(super) fn of(text: &'m str) -> Option<Printed<'m>> {
        let text = text.trim_end();
        let (words, object) = text.split_at_checked(beginning(text.as_bytes())?)?;
        let words = words.trim();
        let braces = memchr::memchr2(b'{', b'}', words.as_bytes()).is_some();
        if words.len() > WORDS_BYTES_MAX || braces || may_hold_address(words) {
            return None;
        }
        let mut walk = Walk { text: object, at: 0, depth: 0, json: String::new() };
        walk.value()?;
        (walk.at == object.len()).then_some(Printed { words, json: walk.json })
    }
}

/// Where the object begins that ends where `text` does.
fn beginning(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (text.len(), 0usize);
    if text.last() != Some(&b'}') {
        return None;
    }
    while at > 0 {
        at -= 1;
        match text[at] {
            b'}' => depth += 1,
            b'{' if depth == 1 => return Some(at),
            b'{' => depth -= 1,
            quote @ (b'\'' | b'"' | b'`') => loop {
                at = memchr::memrchr(quote, &text[..at])?;
                let escapes = text[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
                if escapes % 2 == 0 {
                    break;
                }
            },
            _ => {}
        }
    }
    None
}

/// Whether a word may hold an IP address: times and names of files do not look like one.
fn may_hold_address(words: &str) -> bool {
    words.split_ascii_whitespace().any(|word| {
        let count = |wanted: char| word.matches(wanted).count();
        let four = count('.') >= 3 && word.contains(|c: char| c.is_ascii_digit());
        four || count(':') >= 7 || word.contains("::")
    })
}

/// A walk over a printed value that writes it as JSON; `None` is what is not read.
struct Walk<'m> {
    text: &'m str,
    at: usize,
    depth: usize,
    json: String,
}

impl<'m> Walk<'m> {
    fn rest(&self) -> &'m str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_ascii_start().len();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over `wanted`, and white space before it, if that is what comes.
    fn eat(&mut self, wanted: &str) -> bool {
        self.peek();
        let comes = self.rest().starts_with(wanted);
        self.at += if comes { wanted.len() } else { 0 };
        comes
    }

    /// Steps over the longest run of such characters.
    fn run(&mut self, is_in: impl Fn(char) -> bool) -> &'m str {
        let rest = self.rest();
        let run = &rest[..rest.find(|c| !is_in(c)).unwrap_or(rest.len())];
        self.at += run.len();
        run
    }

    fn value(&mut self) -> Option<()> {
        match self.peek()? {
            b'\'' | b'"' | b'`' => self.string(),
            b'{' => self.object(),
            b'[' => self.list_or_tag(),
            b'(' => self.list("(", ")"),
            b'-' | b'0'..=b'9' => self.number(),
            b'<' => {
                // Something further in refers to this value.
                (self.eat("<ref *") && !self.run(|c| c.is_ascii_digit()).is_empty())
                    .then_some(())?;
                (self.eat(">") && self.peek()? != b'<').then_some(())?;
                self.value()
            }
            _ => self.word(),
        }
    }

    fn nest(&mut self) -> Option<()> {
        self.depth += 1;
        (self.depth <= JSON_NESTING_MAX).then_some(())
    }

    fn object(&mut self) -> Option<()> {
        self.eat("{").then_some(())?;
        self.nest()?;
        self.json.push('{');
        if !self.eat("}") {
            loop {
                self.name()?;
                self.eat(":").then_some(())?;
                self.json.push(':');
                self.value()?;
                if !self.eat(",") {
                    break;
                }
                self.json.push(',');
            }
            self.eat("}").then_some(())?;
        }
        self.json.push('}');
        self.depth -= 1;
        Some(())
    }

    fn name(&mut self) -> Option<()> {
        if matches!(self.peek()?, b'\'' | b'"' | b'`') {
            return self.string();
        }
        let name = self.run(is_of_name);
        write!(self.json, "\"{name}\"").ok()?;
        (!name.is_empty()).then_some(())
    }

    fn list(&mut self, open: &str, close: &str) -> Option<()> {
        self.eat(open).then_some(())?;
        self.nest()?;
        self.json.push('[');
        // Python ends a tuple of one with a comma.
        while !self.eat(close) {
            if !self.json.ends_with('[') {
                self.json.push(',');
            }
            if self.eat("...") || self.eat("<") {
                // `... 3 more items`, `<2 empty items>`
                self.run(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == ' ' || c == '>');
                self.json.push_str("null");
            } else {
                self.argument()?;
            }
            if !self.eat(",") {
                self.eat(close).then_some(())?;
                break;
            }
        }
        self.json.push(']');
        self.depth -= 1;
        Some(())
    }

    /// A value, behind its name and `=` if that is how it is given.
    fn argument(&mut self) -> Option<()> {
        self.peek();
        let start = self.at;
        let name = self.run(is_of_name);
        if name.is_empty() || !self.rest().starts_with('=') {
            self.at = start;
        } else {
            self.at += 1;
        }
        self.value()
    }

    /// A list, or what stands in brackets for a value: `[Object]`, `[Function: handler]`.
    fn list_or_tag(&mut self) -> Option<()> {
        let start = self.at;
        self.at += 1;
        let tag = self.run(|c| is_of_name(c) || " :*/()".contains(c));
        let first = tag.split([' ', ':', '/']).next().unwrap_or_default();
        let code =
            ["Function", "AsyncFunction", "GeneratorFunction", "class", "Circular", "Getter"];
        // An error has its message there, which may say anything.
        let is_tag = code.contains(&first) || tag == "Object: null prototype" || tag == first;
        let names = first.starts_with(|c: char| c.is_ascii_alphabetic());
        if !names || !is_tag || constant(tag).is_some() || !self.rest().starts_with(']') {
            self.at = start;
            return self.list("[", "]");
        }
        self.at += 1;
        if tag == "Object: null prototype" && self.peek() == Some(b'{') {
            return self.object();
        }
        self.json.push_str("null");
        Some(())
    }

    /// A number, also a big one of JavaScript's, or a date, which Node prints bare.
    fn number(&mut self) -> Option<()> {
        let text = self.run(|c| c.is_ascii_alphanumeric() || "+-.:".contains(c));
        let number = text.strip_suffix('n').unwrap_or(text);
        if serde_json::from_str::<serde_json::Number>(number).is_ok() {
            self.json.push_str(number);
        } else if stamp::rfc3339(text.as_bytes()).is_some_and(|(_, end)| end == text.len()) {
            write!(self.json, "\"{text}\"").ok()?;
        } else {
            (text == "-Infinity" || text == "-inf").then(|| self.json.push_str("null"))?;
        }
        Some(())
    }

    /// A constant; or the name of a class, before an object's fields or what it is made of.
    fn word(&mut self) -> Option<()> {
        let word = self.run(|c| is_of_name(c) || c == '.');
        if matches!(word, "b" | "u") && self.rest().starts_with(['\'', '"']) {
            return self.string();
        }
        if let Some(constant) = constant(word) {
            self.json.push_str(constant);
            return Some(());
        }
        if word.is_empty() {
            return None;
        }
        match self.peek()? {
            b'{' => self.object(),
            b'(' => {
                let start = self.json.len();
                self.list("(", ")")?;
                // How long a typed list is.
                if self.peek() == Some(b'[') {
                    self.json.truncate(start);
                    self.list("[", "]")?;
                }
                Some(())
            }
            _ if word == "new" => self.word(),
            _ => None,
        }
    }

    /// A string, also one that goes on behind a `+`, and one that breaks off.
    fn string(&mut self) -> Option<()> {
        self.json.push('"');
        loop {
            let quote = self.rest().chars().next()?;
            self.at += 1;
            self.inside(quote)?;
            let end = self.at;
            if !(self.eat("+") && matches!(self.peek()?, b'\'' | b'"' | b'`')) {
                self.at = end;
                break;
            }
        }
        self.json.push('"');
        if self.rest().starts_with("... ") {
            self.at += 4;
            let said = self.run(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == ' ');
            said.contains(" more character").then_some(())?;
        }
        Some(())
    }

    /// What a string holds, to its closing quote.
    fn inside(&mut self, quote: char) -> Option<()> {
        loop {
            let plain = self.run(|c| c != quote && c != '\\' && c != '"' && c >= ' ');
            self.json.push_str(plain);
            let next = self.rest().chars().next()?;
            self.at += 1;
            match next {
                _ if next == quote => return Some(()),
                '"' => self.json.push_str("\\\""),
                '\\' => {
                    let said = self.escape()?;
                    match said {
                        '"' | '\\' => self.json.extend(['\\', said]),
                        '\0'..' ' => write!(self.json, "\\u{:04x}", u32::from(said)).ok()?,
                        _ => self.json.push(said),
                    }
                }
                // Neither language leaves a line end or another control character bare.
                _ => return None,
            }
        }
    }

    /// The character that an escape stands for, behind its backslash.
    fn escape(&mut self) -> Option<char> {
        let letter = self.rest().chars().next()?;
        self.at += letter.len_utf8();
        Some(match letter {
            '\\' | '\'' | '"' | '`' | '/' => letter,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '0' => '\0',
            'x' => char::from_u32(self.hex(2)?)?,
            'U' => char::from_u32(self.hex(8)?)?,
            'u' => {
                let first = self.hex(4)?;
                let high = first.checked_sub(0xd800).filter(|high| *high < 0x400);
                let start = self.at;
                if high.is_some() && self.rest().starts_with("\\u") {
                    self.at += 2;
                    let low = self.hex(4)?.checked_sub(0xdc00).filter(|low| *low < 0x400);
                    if let (Some(high), Some(low)) = (high, low) {
                        return char::from_u32(0x10000 + (high << 10 | low));
                    }
                    self.at = start;
                }
                // Half of a character is none.
                char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return None,
        })
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let text = self.rest().get(..digits)?;
        self.at += digits;
        text.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
        u32::from_str_radix(text, 16).ok()
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

/// A constant of either language, as JSON.
fn constant(word: &str) -> Option<&'static str> {
    Some(match word {
        "true" | "True" => "true",
        "false" | "False" => "false",
        "null" | "None" | "undefined" | "NaN" | "nan" | "Infinity" | "inf" => "null",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
