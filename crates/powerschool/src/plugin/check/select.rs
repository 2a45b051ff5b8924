//! The SELECT list of a statement, as far as it can be told without being Oracle.

/// One of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The column's name in capitals, where it is a plain one.
    pub(super) field: Option<String>,
    /// What it is called, in capitals, where it is called something.
    pub(super) alias: Option<String>,
}

/// The list of the first SELECT outside of brackets; nothing where the statement has none or has a `*` in it.
pub(super) fn list(sql: &str) -> Option<Vec<Item>> {
    let mut words = Words { rest: sql, depth: 0 };
    while !matches!(words.next()?, Word::Name(name) if name == "SELECT") {}
    let mut items = Vec::new();
    let mut item: Vec<Word> = Vec::new();
    for word in words {
        match word {
            Word::Name(name) if name == "FROM" => break,
            Word::Name(name) if item.is_empty() && matches!(name.as_str(), "DISTINCT" | "ALL" | "UNIQUE") => {
            }
            Word::Sign(',') => items.push(std::mem::take(&mut item)),
            Word::Quoted(name) => item.push(Word::Name(name)),
            word => item.push(word),
        }
    }
    items.push(item);
    items.into_iter().map(|words| read(&words)).collect()
}

/// Nothing for a `*` that stands for columns.
fn read(words: &[Word]) -> Option<Item> {
    use Word::{Name, Sign};
    match words {
        [Sign('*')] | [.., Sign('.'), Sign('*')] => return None,
        _ => {}
    }
    // A column may have a table, and that a schema, before it.
    let qualified = words.chunks(2).take_while(|pair| matches!(pair, [Name(_), Sign('.')])).count() * 2;
    let field = match words.get(qualified) {
        Some(Name(name)) => Some(name.clone()),
        _ => None,
    };
    Some(match words.get(qualified + 1..).unwrap_or_default() {
        [] => Item { field, alias: None },
        [Name(alias)] if field.is_some() => Item { field, alias: Some(alias.clone()) },
        [Name(keyword), Name(alias)] if field.is_some() && keyword == "AS" => {
            Item { field, alias: Some(alias.clone()) }
        }
        [.., Name(keyword), Name(alias)] if keyword == "AS" => {
            Item { field: None, alias: Some(alias.clone()) }
        }
        _ => Item { field: None, alias: None },
    })
}

/// A part of a statement outside of brackets.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// A name or keyword, in capitals.
    Name(String),
    /// A name in quotes, in capitals: never a keyword.
    Quoted(String),
    /// Any other character that matters; what is in brackets is one `(`, and a text one `'`.
    Sign(char),
}

struct Words<'a> {
    rest: &'a str,
    depth: usize,
}

impl Words<'_> {
    /// Passes over everything up to and with `end`.
    fn skip(&mut self, end: &str) {
        self.rest = self.rest.find(end).map_or("", |at| &self.rest[at + end.len()..]);
    }

    /// Takes one piece off, also in brackets.
    fn piece(&mut self) -> Option<Word> {
        loop {
            self.rest = self.rest.trim_start();
            let letter = self.rest.chars().next()?;
            if self.rest.starts_with("--") {
                self.skip("\n");
                continue;
            }
            if self.rest.starts_with("/*") {
                self.rest = &self.rest[2..];
                self.skip("*/");
                continue;
            }
            let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$' | '#');
            if is_name(letter) {
                let end = self.rest.find(|letter| !is_name(letter)).unwrap_or(self.rest.len());
                let (name, rest) = self.rest.split_at(end);
                self.rest = rest;
                return Some(Word::Name(name.to_uppercase()));
            }
            self.rest = &self.rest[letter.len_utf8()..];
            return Some(match letter {
                // A quote in a text is doubled, which makes it two texts without anything between.
                '\'' => {
                    self.skip("'");
                    Word::Sign('\'')
                }
                '"' => {
                    let name = self.rest.split('"').next().unwrap_or_default().to_uppercase();
                    self.skip("\"");
                    Word::Quoted(name)
                }
                other => Word::Sign(other),
            });
        }
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        loop {
            let word = self.piece()?;
            match word {
                Word::Sign('(') => {
                    self.depth += 1;
                    if self.depth == 1 {
                        return Some(word);
                    }
                }
                Word::Sign(')') => self.depth = self.depth.saturating_sub(1),
                _ if self.depth > 0 => {}
                word => return Some(word),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn shown(items: &[Item]) -> String {
        let shown = |item: &Item| {
            let alias = item.alias.as_ref().map(|alias| format!("={alias}")).unwrap_or_default();
            format!("{}{alias}", item.field.as_deref().unwrap_or("?"))
        };
        items.iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    #[rstest]
    #[case("SELECT dcid, s.id FROM students s", "DCID ID")]
    #[case("select distinct a.b as c, d e from f", "B=C D=E")]
    #[case("with x as (select a, b from c) select x.a from x", "A")]
    #[case("select decode(a, 1, 2) as n, b || ', ' || c, 'it''s' as t from d", "?=N ? ?=T")]
    #[case("select /* a, b */ c, -- d,\n e from f", "C E")]
    #[case("select (select max(a) from b) x, c from d", "? C")]
    #[case("select \"From\" , b from c", "FROM B")]
    #[case("select case when a = 1 then b else c end as d, e from f", "?=D E")]
    #[case("select ps.students.dcid from students", "DCID")]
    fn lists_are_read(#[case] sql: &str, #[case] expected: &str) {
        assert_eq!(shown(&list(sql).unwrap()), expected);
    }

    #[rstest]
    #[case("select * from a")]
    #[case("select a.*, b from a")]
    #[case("update a set b = 1")]
    #[case("")]
    #[case("select 'unclosed")]
    fn others_are_not_told(#[case] sql: &str) {
        let told = list(sql).map(|items| items.iter().filter_map(|item| item.field.clone()).count());
        assert!(told.is_none_or(|fields| fields == 0), "{told:?}");
    }

    #[test]
    fn count_of_all_rows_is_an_expression() {
        assert_eq!(list("select count(*) as n from a").map(|items| shown(&items)).as_deref(), Some("?=N"));
    }
}
