//! Cuts a text into tokens. White space is skipped, everything else is a token.

/// One piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    Comma,
    Colon,
    Null,
    True,
    False,
    String,
    Number,
    Comment,
    Unknown,
    End,
}

type Error = (&'static str, &'static str);

pub(super) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    start: usize,
    at: usize,
    string: String,
    error: Option<Error>,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), start: 0, at: 0, string: String::new(), error: None }
    }

    /// Offset of the first byte of the token.
    pub(super) const fn start(&self) -> usize {
        self.start
    }

    /// Offset after the last byte of the token.
    pub(super) const fn end(&self) -> usize {
        self.at
    }

    /// The text of the token.
    pub(super) fn slice(&self) -> &'a str {
        self.text.get(self.start..self.at).unwrap_or_default()
    }

    /// What was wrong with the token.
    pub(super) const fn error(&self) -> Option<Error> {
        self.error
    }

    /// The content of a string token, once.
    pub(super) fn take_string(&mut self) -> String {
        std::mem::take(&mut self.string)
    }

    /// The text of a number token that is a number: without an exponent that has no digits.
    pub(super) fn number(&self) -> &'a str {
        let slice = self.slice();
        if self.error.is_some() {
            return slice.split(['e', 'E']).next().unwrap_or_default();
        }
        slice
    }

    pub(super) fn next(&mut self) -> Token {
        self.error = None;
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.start = self.at;
        let Some(byte) = self.peek() else {
            return Token::End;
        };
        let single = match byte {
            b'{' => Token::OpenBrace,
            b'}' => Token::CloseBrace,
            b'[' => Token::OpenBracket,
            b']' => Token::CloseBracket,
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'"' => return self.scan_string(),
            b'/' => return self.scan_comment(),
            b'-' | b'0'..=b'9' => return self.scan_number(),
            _ => return self.scan_word(),
        };
        self.at += 1;
        single
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn scan_word(&mut self) -> Token {
        while let Some(byte) = self.peek() {
            if matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'{' | b'}' | b'[' | b']' | b'"' | b':' | b',' | b'/') {
                break;
            }
            self.at += 1;
        }
        match self.slice() {
            "true" => Token::True,
            "false" => Token::False,
            "null" => Token::Null,
            _ => Token::Unknown,
        }
    }

    fn scan_comment(&mut self) -> Token {
        match self.bytes.get(self.at + 1) {
            Some(b'/') => {
                let rest = &self.bytes[self.at..];
                let length = rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
                self.at += length.unwrap_or(rest.len());
                Token::Comment
            }
            Some(b'*') => {
                match self.text[self.at + 2..].find("*/") {
                    Some(length) => self.at += length + 4,
                    None => {
                        self.at = self.bytes.len();
                        self.error = Some(("open-comment", "the comment is not closed; the rest of the file is lost"));
                    }
                }
                Token::Comment
            }
            _ => {
                self.at += 1;
                Token::Unknown
            }
        }
    }

    fn skip_digits(&mut self) -> bool {
        let from = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        self.at > from
    }

    fn scan_number(&mut self) -> Token {
        const BROKEN: Error = ("broken-number", "the number breaks off");
        if self.peek() == Some(b'-') {
            self.at += 1;
            if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
                return Token::Unknown;
            }
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.skip_digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !self.skip_digits() {
                self.error = Some(BROKEN);
                return Token::Number;
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !self.skip_digits() {
                self.error = Some(BROKEN);
            }
        }
        Token::Number
    }

    fn scan_string(&mut self) -> Token {
        self.at += 1;
        self.string.clear();
        let mut from = self.at;
        loop {
            let Some(byte) = self.peek() else {
                self.string.push_str(&self.text[from..self.at]);
                self.error = Some(("open-string", "the string is not closed"));
                return Token::String;
            };
            match byte {
                b'"' => {
                    self.string.push_str(&self.text[from..self.at]);
                    self.at += 1;
                    return Token::String;
                }
                b'\\' => {
                    self.string.push_str(&self.text[from..self.at]);
                    self.at += 1;
                    self.scan_escape();
                    from = self.at;
                }
                b'\n' | b'\r' => {
                    self.string.push_str(&self.text[from..self.at]);
                    self.error = Some(("open-string", "the string is not closed at the end of its line"));
                    return Token::String;
                }
                0..=0x1f => {
                    self.error = Some(("control-character", "control characters in strings should be escaped"));
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
    }

    fn scan_escape(&mut self) {
        // An escape that is not known vanishes with its character, as in the reference.
        let Some(letter) = self.text[self.at..].chars().next() else {
            return;
        };
        self.at += letter.len_utf8();
        let plain = match letter {
            '"' | '\\' | '/' => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.scan_unicode(),
            _ => {
                self.error = Some(("unknown-escape", "this escape is not known in JSON and was left out"));
                return;
            }
        };
        self.string.push(plain);
    }

    fn scan_unicode(&mut self) {
        const WRONG: Error = ("unknown-escape", "\\u needs four hexadecimal digits");
        let Some(unit) = self.scan_hex() else {
            self.error = Some(WRONG);
            return;
        };
        let mut units = vec![unit];
        if (0xd800..0xdc00).contains(&unit) && self.bytes[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            match self.scan_hex() {
                Some(low) if (0xdc00..0xe000).contains(&low) => units.push(low),
                _ => self.at = back,
            }
        }
        // JavaScript keeps half a pair; text cannot, so it becomes the replacement character.
        self.string.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    }

    fn scan_hex(&mut self) -> Option<u16> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = char::from(self.peek()?).to_digit(16)?;
            value = value << 4 | digit;
            self.at += 1;
        }
        u16::try_from(value).ok()
    }
}
