//! Finds the functions of a Rust source and their lengths, without a parser: text that is not code is
//! blanked out first, so that braces and `fn` mean what they say.

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// The line of its `fn`, from 1.
    pub(super) line: usize,
    /// Lines from that of `fn` to that of the closing brace, both counted.
    pub(super) lines: usize,
}

/// The functions of a source, nested ones too, in the order of their `fn`.
pub(super) fn functions(source: &str) -> Vec<Function> {
    let code = code_of(source);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn") {
        let before = code[..at].chars().next_back();
        let after = &code[at + 2..];
        let name = after.trim_start();
        // `fn(u8)` is a type, `often` a word.
        if before.is_some_and(is_word) || name.len() == after.len() || !name.starts_with(is_word) {
            continue;
        }
        let Some((open, close)) = body(&code, at) else { continue };
        let line = 1 + code[..at].matches('\n').count();
        found.push(Function {
            name: name.chars().take_while(|c| is_word(*c)).collect(),
            line,
            lines: 1 + code[at..=close].matches('\n').count(),
        });
        assert!(open < close);
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the body of the function at `at` begins and ends; `None` for one without a body.
fn body(code: &str, at: usize) -> Option<(usize, usize)> {
    let (mut brackets, mut braces, mut open) = (0_usize, 0_usize, None);
    for (i, c) in code[at..].char_indices().map(|(i, c)| (at + i, c)) {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            // `-> [u8; 4];` has one inside.
            ';' if brackets == 0 && braces == 0 => return None,
            // Those within brackets of the head belong to constants.
            '{' if open.is_some() || brackets == 0 => {
                braces += 1;
                open.get_or_insert(i);
            }
            '}' if open.is_some() => {
                braces -= 1;
                if braces == 0 {
                    return Some((open?, i));
                }
            }
            _ => {}
        }
    }
    panic!("a function without an end at byte {at}");
}

/// The source with spaces for comments, strings and characters; every line stays where it is.
fn code_of(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut i = 0;
    while i < chars.len() {
        let end = i + skipped(&chars, i);
        if end == i {
            code.push(chars[i]);
            i += 1;
            continue;
        }
        code.extend(chars[i..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        i = end;
    }
    code
}

/// How many characters from here on are a comment, a string or a character.
fn skipped(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let starts = |text: &str| text.chars().enumerate().all(|(i, c)| rest.get(i) == Some(&c));
    if starts("//") {
        return rest.iter().position(|c| *c == '\n').unwrap_or(rest.len());
    }
    if starts("/*") {
        return block_comment(rest);
    }
    if starts("'") {
        return character(rest);
    }
    if starts("\"") {
        return string(rest);
    }
    // `r"`, `br#"`, `cr"`: only where no word goes on.
    if starts("r") && (at == 0 || !is_word(chars[at - 1]) || is_prefix(chars, at - 1)) {
        return raw_string(rest);
    }
    0
}

/// Whether the letter there is the `b` of `br"` or the `c` of `cr"`.
fn is_prefix(chars: &[char], at: usize) -> bool {
    matches!(chars[at], 'b' | 'c') && (at == 0 || !is_word(chars[at - 1]))
}

/// Block comments nest.
fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut i) = (0, 0);
    while i + 1 < rest.len() {
        match (rest[i], rest[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    rest.len()
}

/// `'a'` and `'\n'`; nothing of a lifetime.
fn character(rest: &[char]) -> usize {
    match (rest.get(1), rest.get(2)) {
        (Some('\\'), _) => {
            let end = rest.iter().skip(3).position(|c| *c == '\'');
            end.map_or(rest.len(), |end| end + 4)
        }
        (Some(_), Some('\'')) => 3,
        _ => 0,
    }
}

fn string(rest: &[char]) -> usize {
    let mut i = 1;
    while i < rest.len() {
        match rest[i] {
            '"' => return i + 1,
            '\\' => i += 2,
            _ => i += 1,
        }
    }
    rest.len()
}

/// Ends with a quotation mark and as many `#` as it begins with; nothing of a raw identifier.
fn raw_string(rest: &[char]) -> usize {
    let marks = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + marks) != Some(&'"') {
        return 0;
    }
    let begin = 2 + marks;
    let ends = |i: &usize| rest[*i] == '"' && rest[i + 1..].iter().take(marks).all(|c| *c == '#');
    let end = (begin..rest.len()).find(ends);
    end.map_or(rest.len(), |end| end + 1 + marks)
}

#[test]
fn functions_are_found_with_their_lengths() {
    let source = r##"
/// fn not_this() {}
pub const fn short() -> u8 { b'}' }

// fn nor_this() {
trait T {
    fn without_a_body(&self) -> [u8; 4];
}

struct S { call: fn(u8) -> u8, often: u8 }

async fn lifetimes<'a>(
    text: &'a str,
    array: [u8; { 2 + 2 }],
) -> Result<(), [u8; 4]>
where
    Self: Sized,
{
    let brace = ('{', '\'', '\u{7d}', "}\"}", b"}", r"}", r#""}"}"#, br"}");
    /* } /* } */ } */
    fn nested() {
        if true {
        }
    }
    let r = || { text.len() };
    let r#fn = 1;
}
"##;
    let found = functions(source);
    let found: Vec<_> = found.iter().map(|f| (&*f.name, f.line, f.lines)).collect();
    assert_eq!(found, [("short", 3, 1), ("lifetimes", 12, 16), ("nested", 21, 4)]);
}
