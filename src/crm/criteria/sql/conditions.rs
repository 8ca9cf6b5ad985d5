//! What a comparison asks of a value, as a condition.

use bigdecimal::BigDecimal;
use uuid::Uuid;

use super::{
    super::{
        checked::{Base, FieldHow, How, Numeric, Place, SetHow},
        fields::Asked,
        phones,
        when::{self, Range},
    },
    Bind, Operand, Writer,
    operand::{FEWEST_SEARCHED, Part},
};
use crate::crm::record::search::END_OF_TEXT;

impl Writer<'_> {
    pub(super) fn base(&mut self, base: &Base, x: &Operand, place: &Place, at: &str, root: &str) -> String {
        match base {
            Base::Empty => x.is_empty(),
            Base::Text { how, values, cased } => {
                let condition = self.text(*how, values, *cased, x);
                match self.in_search_text(*how, values, x) {
                    // the planner takes half of what is left to satisfy a CASE, where it would take some
                    // thousandths to satisfy a comparison with lower(): what is common would look rare
                    Some(searched) => format!("({searched} AND CASE WHEN {condition} THEN TRUE END)"),
                    None => condition,
                }
            }
            Base::Domain(domains) => {
                let domains = self.sql.hold(Bind::Texts(domains.clone()));
                let domain = match x.asked {
                    Asked::Email => format!("split_part(lower({}), '@', 2)", x.text()),
                    _ => format!(
                        "substring(lower({}) FROM '^(?:[a-z][a-z0-9+.-]*://)?(?:[^/?#@]*@)?(?:www\\.)?([^/?#:]*)')",
                        x.text()
                    ),
                };
                format!("{domain} = ANY({domains})")
            }
            Base::Country(country) => {
                let number = phones::normal_sql(&x.text());
                let like = self.sql.hold(Bind::Texts(country.like.clone()));
                let unlike = self.sql.hold(Bind::Texts(country.unlike.clone()));
                format!("({number} LIKE ANY({like}) AND NOT {number} LIKE ANY({unlike}))")
            }
            Base::Number(numeric) => self.number(numeric, x),
            Base::Flag(flag) => format!("{} = '{flag}'::jsonb", x.sql),
            Base::Words(words) => self.words(words, x),
            Base::Ids(ids) => self.ids(ids, x),
            Base::Me => match self.setting.me {
                Some(me) => self.ids(&[me.0], x),
                None => "FALSE".to_owned(),
            },
            Base::MyTeam => self.my_team(x),
            Base::Inactive => {
                let member = self.sql.alias();
                let user = if x.is_json { format!("{member}.user_id::text") } else { format!("{member}.user_id") };
                format!(
                    "EXISTS (SELECT 1 FROM members {member} WHERE {member}.workspace_id = $1 AND {user} = {} \
                     AND {member}.status <> 'active')",
                    x.id()
                )
            }
            Base::Set { how, values, cased } => self.set(*how, values, *cased, x),
            Base::When(stretch) => {
                let range = match x.asked {
                    Asked::Date => stretch.days(self.setting),
                    _ => stretch.instants(self.setting),
                };
                self.within(x, range)
            }
            Base::Anniversary(days) => self.on_days(x, when::anniversaries(*days, self.setting)),
            Base::Field { how, other, cased } => self.fields(*how, x, other, *cased, root),
            Base::Changed(span) => {
                let within = when::last(*span, self.setting);
                let history = self.sql.alias();
                let (after, within) = (self.after(place, &history), self.at_within(&history, within));
                self.in_history(place, at, &history, &format!("{within} AND {after}"))
            }
            Base::WasEver(base) => {
                let now = self.base(base, x, place, at, root);
                let history = self.sql.alias();
                let after = self.after(place, &history);
                let sides = ["before", "after"].map(|side| {
                    let side = self.side(place, &history, side);
                    self.base(base, &side, place, at, root)
                });
                let once = self.in_history(place, at, &history, &format!("{after} AND ({})", sides.join(" OR ")));
                format!("({now} OR {once})")
            }
            Base::FromTo(from, to) => {
                let history = self.sql.alias();
                let after = self.after(place, &history);
                let from = {
                    let side = self.side(place, &history, "before");
                    self.base(from, &side, place, at, root)
                };
                let to = {
                    let side = self.side(place, &history, "after");
                    self.base(to, &side, place, at, root)
                };
                self.in_history(place, at, &history, &format!("{after} AND {from} AND {to}"))
            }
        }
    }

    fn text(&mut self, how: How, values: &[String], cased: bool, x: &Operand) -> String {
        let is_phone = x.asked == Asked::Phone && how != How::Word;
        let column = if is_phone { phones::normal_sql(&x.text()) } else { x.text() };
        // addresses are stored in lower case, and so are the values that are whole ones
        let bare = cased || is_phone || x.asked == Asked::Email && !x.is_json && how == How::Equals;
        let fold = |text: &str| if bare { text.to_owned() } else { format!("lower({text})") };
        let pattern = |value: &str| match how {
            How::Contains => format!("%{}%", literal(value)),
            How::Starts => format!("{}%", literal(value)),
            How::Ends => format!("%{}", literal(value)),
            _ => value.to_owned(),
        };
        match (how, values) {
            (How::Equals, [value]) => {
                let value = self.sql.hold(Bind::Text(value.clone()));
                if let Some((field, at)) = x.indexed.clone().filter(|_| !bare) {
                    return self.by_value(field, &at, |v| format!("{v}.text_value = lower({value})"));
                }
                format!("{} = {}", fold(&column), fold(&value))
            }
            (How::Equals, values) => {
                let values = self.each(values, bare);
                if let Some((field, at)) = x.indexed.clone().filter(|_| !bare) {
                    return self.by_value(field, &at, |v| format!("{v}.text_value = ANY({values})"));
                }
                format!("{} = ANY({values})", fold(&column))
            }
            (How::Word, values) => {
                let value = self.sql.hold(Bind::Text(values.concat()));
                let words = |text: &str| format!("btrim(regexp_replace({}, '[^[:alnum:]]+', ' ', 'g'))", fold(text));
                let (column, value) = (words(&column), words(&value));
                // a value without a word, as the database knows words, is in no text
                format!("({value} <> '' AND strpos(' ' || {column} || ' ', ' ' || {value} || ' ') > 0)")
            }
            // all but an empty text, which is nothing
            (How::Matches, values) if values.iter().all(|value| value.bytes().all(|byte| byte == b'%')) => {
                format!("{} <> ''", x.text())
            }
            (_, values) => {
                let value = self.sql.hold(Bind::Text(pattern(&values.concat())));
                format!("{} LIKE {}", fold(&column), fold(&value))
            }
        }
    }

    /// An array of these, in lower case unless they are to stay as they are.
    fn each(&mut self, values: &[String], bare: bool) -> String {
        if bare {
            return self.sql.hold(Bind::Texts(values.to_vec()));
        }
        // the function parts texts at chr(1), which no text of a record holds, nor chr(2)
        let values = values.iter().map(|value| value.replace('\u{1}', "\u{2}")).collect();
        format!("lower_all({})", self.sql.hold(Bind::Texts(values)))
    }

    /// What a record's search text holds wherever its field satisfies this: for the trigram index.
    fn in_search_text(&mut self, how: How, values: &[String], x: &Operand) -> Option<String> {
        let ((alias, part), [value]) = (x.searched.as_ref()?, values) else { return None };
        let at_start = matches!(how, How::Equals | How::Starts);
        let pattern = match (part, how) {
            // there are better indexes
            (_, How::Equals) if x.asked == Asked::Email => return None,
            (_, How::Word | How::Matches) => return None,
            (Part::Phone, _) => {
                let digits: String = value.chars().filter(char::is_ascii_digit).collect();
                (digits.len() >= FEWEST_SEARCHED).then(|| format!("%{END_OF_TEXT}%{digits}%"))?
            }
            _ if value.chars().count() < FEWEST_SEARCHED => return None,
            (Part::First, _) if at_start => format!("{}%", literal(value)),
            // a space is before each of the others
            (Part::Later, _) if at_start => format!("% {}%", literal(value)),
            _ => format!("%{}%", literal(value)),
        };
        let pattern = self.sql.hold(Bind::Text(pattern));
        Some(format!("{alias}.search_text LIKE lower({pattern})"))
    }

    /// By the index over custom values.
    fn by_value(&mut self, field: Uuid, at: &str, condition: impl FnOnce(&str) -> String) -> String {
        let (v, field) = (self.sql.alias(), self.sql.hold(Bind::Uuid(field)));
        let condition = condition(&v);
        format!(
            "{at}.id IN (SELECT {v}.record_id FROM custom_values {v} WHERE {v}.workspace_id = $1 \
             AND {v}.field_id = {field} AND {condition})"
        )
    }

    fn number(&mut self, numeric: &Numeric, x: &Operand) -> String {
        let whole = x.asked == Asked::Number && !x.is_json;
        let mut hold = |number: &BigDecimal| {
            // whole numbers against whole numbers, for the index
            let int = number.to_plain_string().parse::<i64>().ok().filter(|_| whole);
            self.sql.hold(int.map_or_else(|| Bind::Number(number.clone()), Bind::Int))
        };
        let condition: Box<dyn Fn(&str) -> String> = match numeric {
            Numeric::In(numbers) => match numbers.as_slice() {
                [number] => {
                    let number = hold(number);
                    Box::new(move |x| format!("{x} = {number}"))
                }
                numbers => {
                    let texts = numbers.iter().map(BigDecimal::to_plain_string).collect();
                    let numbers = self.sql.hold(Bind::Texts(texts));
                    Box::new(move |x| format!("{x} = ANY({numbers}::numeric[])"))
                }
            },
            Numeric::Above(number) => against(">", hold(number)),
            Numeric::AtLeast(number) => against(">=", hold(number)),
            Numeric::Below(number) => against("<", hold(number)),
            Numeric::AtMost(number) => against("<=", hold(number)),
            Numeric::Between(from, to) => {
                let (from, to) = (hold(from), hold(to));
                Box::new(move |x| format!("{x} BETWEEN {from} AND {to}"))
            }
        };
        match x.indexed.clone() {
            Some((field, at)) => self.by_value(field, &at, |v| condition(&format!("{v}.number_value"))),
            None => condition(&x.number()),
        }
    }

    fn words(&mut self, words: &[String], x: &Operand) -> String {
        let exact = match words {
            [word] => format!("{} = {}", x.text(), self.sql.hold(Bind::Text(word.clone()))),
            words => format!("{} = ANY({})", x.text(), self.sql.hold(Bind::Texts(words.to_vec()))),
        };
        let Some((field, at)) = x.indexed.clone() else { return exact };
        let lower = self.sql.hold(Bind::Texts(words.to_vec()));
        let near = format!("ARRAY(SELECT lower(w) FROM unnest({lower}) AS w)");
        let found = self.by_value(field, &at, |v| format!("{v}.text_value = ANY({near})"));
        format!("({found} AND {exact})")
    }

    fn ids(&mut self, ids: &[Uuid], x: &Operand) -> String {
        if x.is_json {
            let texts = ids.iter().map(Uuid::to_string).collect();
            let texts = self.sql.hold(Bind::Texts(texts));
            return match x.indexed.clone() {
                Some((field, at)) => self.by_value(field, &at, |v| format!("{v}.text_value = ANY({texts})")),
                None => format!("{} = ANY({texts})", x.id()),
            };
        }
        match ids {
            [id] => format!("{} = {}", x.sql, self.sql.hold(Bind::Uuid(*id))),
            ids => format!("{} = ANY({})", x.sql, self.sql.hold(Bind::Uuids(ids.to_vec()))),
        }
    }

    /// That a user field holds one of these.
    pub fn is_one_of(&mut self, ids: &[Uuid], x: &Operand) -> String {
        self.ids(ids, x)
    }

    fn my_team(&mut self, x: &Operand) -> String {
        let Some(me) = self.setting.me else { return "FALSE".to_owned() };
        let (mine, theirs, me) = (self.sql.alias(), self.sql.alias(), self.sql.hold(Bind::Uuid(me.0)));
        let user = if x.is_json { format!("{theirs}.user_id::text") } else { format!("{theirs}.user_id") };
        format!(
            "EXISTS (SELECT 1 FROM team_members {mine} JOIN team_members {theirs} ON {theirs}.workspace_id = $1 \
             AND {theirs}.team_id = {mine}.team_id WHERE {mine}.workspace_id = $1 AND {mine}.user_id = {me} \
             AND {user} = {})",
            x.id()
        )
    }

    fn set(&mut self, how: SetHow, values: &[String], cased: bool, x: &Operand) -> String {
        let wanted = self.each(values, cased);
        let y = &x.sql;
        if x.is_json {
            let have = if cased { y.clone() } else { format!("lower({y}::text)::jsonb") };
            let holds = match how {
                SetHow::Any => format!("{have} ?| {wanted}"),
                SetHow::All => format!("{have} ?& {wanted}"),
                SetHow::Exactly => format!("{have} ?& {wanted} AND {have} <@ to_jsonb({wanted})"),
            };
            return format!("(jsonb_typeof({y}) = 'array' AND {holds})");
        }
        let have = if cased { y.clone() } else { format!("lower_all({y})") };
        // as the index has it, which leaves out who has none
        let some = if values.is_empty() { String::new() } else { format!("{y} <> '{{}}' AND ") };
        match how {
            SetHow::Any => format!("({some}{have} && {wanted})"),
            SetHow::All => format!("({some}{have} @> {wanted})"),
            SetHow::Exactly => format!("({some}{have} @> {wanted} AND {have} <@ {wanted})"),
        }
    }

    /// That a date or an instant lies in a range.
    pub fn within(&mut self, x: &Operand, range: Range) -> String {
        let from = range.from.map(|at| self.sql.hold(Bind::Time(at)));
        let to = range.to.map(|at| self.sql.hold(Bind::Time(at)));
        let condition = |x: &str| {
            let from = from.map(|at| format!("{x} >= {at}"));
            let to = to.map(|at| format!("{x} < {at}"));
            let parts: Vec<_> = from.into_iter().chain(to).collect();
            format!("({})", parts.join(" AND "))
        };
        match x.indexed.clone() {
            Some((field, at)) => self.by_value(field, &at, |v| condition(&format!("{v}.time_value"))),
            None => condition(&x.time()),
        }
    }

    /// That the day of the year is one of these.
    pub fn on_days(&mut self, x: &Operand, days: Vec<i32>) -> String {
        let local = self.local(x);
        let days = self.sql.hold(Bind::Ints(days));
        format!("(extract(month FROM {local}) * 100 + extract(day FROM {local}))::int = ANY({days})")
    }

    /// What the workspace's clocks show then; of a day, its midnight.
    fn local(&mut self, x: &Operand) -> String {
        let zone = if x.asked == Asked::Date { "UTC" } else { self.setting.zone.name() };
        let zone = self.sql.hold(Bind::Text(zone.to_owned()));
        format!("({} AT TIME ZONE {zone})", x.time())
    }

    fn fields(&mut self, how: FieldHow, x: &Operand, other: &Place, cased: bool, root: &str) -> String {
        let y = self.value(other, root);
        let op = match how {
            FieldHow::Equal | FieldHow::SameDay => "=",
            FieldHow::Above => ">",
            FieldHow::AtLeast => ">=",
            FieldHow::Below => "<",
            FieldHow::AtMost => "<=",
        };
        if x.asked.is_number() {
            return format!("{} {op} {}", x.number(), y.number());
        }
        if x.asked.is_date() {
            let moments = x.asked == Asked::Time && y.asked == Asked::Time;
            if moments && matches!(how, FieldHow::Above | FieldHow::Below) {
                return format!("{} {op} {}", x.time(), y.time());
            }
            let (one, two) = (self.local(x), self.local(&y));
            return format!("{one}::date {op} {two}::date");
        }
        if matches!(x.asked, Asked::User | Asked::Link(_)) {
            return format!("({})::text = ({})::text", x.id(), y.id());
        }
        let fold = |operand: &Operand| match operand.asked {
            Asked::Phone => phones::normal_sql(&operand.text()),
            Asked::Choice(_) => operand.text(),
            _ if cased => operand.text(),
            _ => format!("lower({})", operand.text()),
        };
        format!("({} = {} AND {} <> '')", fold(x), fold(&y), x.text())
    }

    fn side(&mut self, place: &Place, history: &str, side: &str) -> Operand {
        let key = self.sql.hold(Bind::Text(place.history.clone().unwrap_or_default()));
        Operand::json(format!("({history}.{side} -> {key})"), &place.asked)
    }

    /// That a change is of this field.
    pub fn after(&mut self, place: &Place, history: &str) -> String {
        let key = self.sql.hold(Bind::Text(place.history.clone().unwrap_or_default()));
        format!("{history}.after ? {key}")
    }

    pub fn at_within(&mut self, history: &str, range: Range) -> String {
        let x =
            Operand { sql: format!("{history}.at"), is_json: false, asked: Asked::Time, indexed: None, searched: None };
        self.within(&x, range)
    }

    /// The history of the record at an alias.
    pub fn of_history(&self, place: &Place, at: &str, history: &str) -> String {
        // a kind's word is ours
        let kind = place.entity.name();
        format!("{history}.workspace_id = $1 AND {history}.kind = '{kind}' AND {history}.record_id = {at}.id")
    }

    fn in_history(&mut self, place: &Place, at: &str, history: &str, condition: &str) -> String {
        let of = self.of_history(place, at, history);
        format!("EXISTS (SELECT 1 FROM record_changes {history} WHERE {of} AND {condition})")
    }
}

fn against(op: &'static str, number: String) -> Box<dyn Fn(&str) -> String> {
    Box::new(move |x| format!("{x} {op} {number}"))
}

/// Nothing in it is a wildcard of LIKE.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
