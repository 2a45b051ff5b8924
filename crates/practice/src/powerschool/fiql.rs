//! PowerSchool's `q` filter: `field==value;field=gt=value;field==(A,P);name==Ada*`.

use rusqlite::types::Value;

use super::answer::Failure;

/// A filter as SQL: an expression and its parameters in order.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Filter {
    /// Joined by AND; empty means no filter.
    pub sql: String,
    pub values: Vec<Value>,
}

/// Where a field of a filter is found, and how its values are spelled in the database.
pub(crate) struct Field {
    /// An SQL expression, never taken from the request.
    pub sql: String,
    /// Turns a letter of the API into the stored value.
    pub spelled: fn(&str) -> String,
}

const OPERATORS: [(&str, &str); 6] =
    [("=gt=", ">"), ("=ge=", ">="), ("=lt=", "<"), ("=le=", "<="), ("==", "="), ("!=", "<>")];

/// Translates a filter; `field` knows the resource's fields, and `resource` names it in errors.
pub(crate) fn parse(
    q: &str,
    resource: &str,
    field: impl Fn(&str) -> Result<Field, Failure>,
) -> Result<Filter, Failure> {
    let mut filter = Filter::default();
    for clause in q.split(';').map(str::trim).filter(|clause| !clause.is_empty()) {
        let invalid =
            || Failure::Validation(vec![(resource.into(), clause.into(), "Invalid query expression".into())]);
        let (at, operator, sql) = OPERATORS
            .iter()
            .filter_map(|(operator, sql)| clause.find(operator).map(|at| (at, *operator, *sql)))
            .min_by_key(|(at, operator, _)| (*at, std::cmp::Reverse(operator.len())))
            .ok_or_else(invalid)?;
        let name = clause[..at].trim();
        let value = clause[at + operator.len()..].trim();
        if name.is_empty() || value.is_empty() {
            return Err(invalid());
        }
        let Field { sql: column, spelled } = field(name)?;
        let condition = if let Some(list) = value.strip_prefix('(').and_then(|list| list.strip_suffix(')')) {
            if operator != "==" {
                return Err(invalid());
            }
            let mut marks = Vec::new();
            for item in list.split(',') {
                filter.values.push(stored(&spelled(unquoted(item.trim()))));
                marks.push("?");
            }
            format!("{column} IN ({})", marks.join(", "))
        } else if let (Some(prefix), "==") = (value.strip_suffix('*'), operator) {
            let escaped = unquoted(prefix).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            filter.values.push(Value::Text(format!("{escaped}%")));
            format!("{column} LIKE ? ESCAPE '\\'")
        } else {
            filter.values.push(stored(&spelled(unquoted(value))));
            format!("{column} {sql} ?")
        };
        if !filter.sql.is_empty() {
            filter.sql.push_str(" AND ");
        }
        filter.sql.push_str(&condition);
    }
    Ok(filter)
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// Numbers as numbers, so that they compare as such with numeric columns; text columns turn them back.
pub(crate) fn stored(text: &str) -> Value {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => Value::Integer(number),
        _ => Value::Text(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use rusqlite::types::Value;

    use super::*;

    fn column(name: &str) -> Result<Field, Failure> {
        if name.contains('!') {
            return Err(Failure::NotFound);
        }
        Ok(Field { sql: format!("[{}]", name.replace(['[', ']'], "")), spelled: ToOwned::to_owned })
    }

    #[rstest]
    #[case::equal("a==5", "[a] = ?", vec![Value::Integer(5)])]
    #[case::leading_zero_is_text("a==05", "[a] = ?", vec![Value::Text("05".into())])]
    #[case::both("a=ge=2;b=lt=3", "[a] >= ? AND [b] < ?", vec![Value::Integer(2), Value::Integer(3)])]
    #[case::prefix("a==50%_*", "[a] LIKE ? ESCAPE '\\'", vec![Value::Text("50\\%\\_%".into())])]
    #[case::list("a==(A,-1)", "[a] IN (?, ?)", vec![Value::Text("A".into()), Value::Integer(-1)])]
    #[case::quoted("a==\"x y\"", "[a] = ?", vec![Value::Text("x y".into())])]
    #[case::nothing(" ; ", "", vec![])]
    fn a_filter_becomes_a_condition(#[case] q: &str, #[case] sql: &str, #[case] values: Vec<Value>) {
        assert_eq!(parse(q, "test", column).unwrap(), Filter { sql: sql.into(), values });
    }

    #[rstest]
    #[case("a")]
    #[case("==5")]
    #[case("a==")]
    #[case("a=gt=(1,2)")]
    fn what_is_no_filter_is_refused(#[case] q: &str) {
        assert!(matches!(parse(q, "test", column), Err(Failure::Validation(_))), "{q}");
    }

    proptest! {
        /// Whatever is asked, values travel as parameters: as many marks as values.
        #[test]
        fn every_value_has_a_mark(q in "[a-z]{0,3}(==|=gt=|!=|=)[^;?]{0,8}(;[a-z]==[^?]{0,5})?") {
            if let Ok(filter) = parse(&q, "test", column) {
                prop_assert_eq!(filter.sql.matches('?').count(), filter.values.len());
            }
        }
    }
}
