//! From text to policy. The text is untrusted: it is bounded, every key must be known, every value is checked.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use crate::error::{Place, PolicyError};
use crate::form::{self, Form};
use crate::key::{KEYS, Key};
use crate::policy::Policy;
use crate::spec::COUNT_BASES;

/// Most bytes of a policy text. A fully commented policy has about 12 KiB.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;
/// Most characters of one policy's name.
pub const NAME_CHARS_MAX: usize = 64;

/// Most characters quoted from a file in an error.
const QUOTE_CHARS_MAX: usize = 64;
/// Most characters of the parser's own message.
const PROBLEM_CHARS_MAX: usize = 200;
/// Similarity (1 is equal) from which an unknown key is taken for a misspelt one.
const SIMILARITY_MIN: f64 = 0.5;
/// Joins the layer names of a folded policy.
const NAME_SEPARATOR: char = '+';

/// What a text says: the policy, and where in the text each key stands that is there.
pub(crate) struct Parsed {
    pub(crate) policy: Policy,
    pub(crate) written: Written,
}

/// The keys of a text, with the places of their values.
pub(crate) type Written = BTreeMap<Key, Place>;

/// Reads a text. A key left out has its value in `base`.
pub(crate) fn parse(text: &str, source: &str, base: [u64; KEYS]) -> Result<Parsed, PolicyError> {
    if text.len() > POLICY_BYTES_MAX {
        return Err(PolicyError::TooLarge {
            source_name: source.to_owned(),
            limit_bytes: POLICY_BYTES_MAX,
        });
    }
    let reader = Reader { text, source };
    let root = DeTable::parse(text).map_err(|error| reader.syntax(&error))?;
    let mut names = None;
    let mut values = base;
    let mut written = Written::new();
    for (key, value) in root.get_ref() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("name", _) => names = Some(reader.names(value)?),
            (table, DeValue::Table(entries)) if is_table(table) => {
                reader.table(table, entries, &mut values, &mut written)?
            }
            (table, found) if is_table(table) => {
                let place = reader.place(value.span().start);
                return Err(wrong_type(
                    place,
                    table,
                    found,
                    "a table, such as `[cell]` on a line of its own",
                ));
            }
            (unknown, _) => return Err(reader.unknown(key.span().start, unknown)),
        }
    }
    let names = names.ok_or_else(|| PolicyError::NameMissing {
        source_name: source.to_owned(),
    })?;
    Ok(Parsed {
        policy: Policy::new(names, values),
        written,
    })
}

fn is_table(name: &str) -> bool {
    Key::ALL.into_iter().any(|key| key.spec().table == name)
}

/// The text being read, for the places in errors.
struct Reader<'a> {
    text: &'a str,
    source: &'a str,
}

impl Reader<'_> {
    fn place(&self, offset: usize) -> Place {
        Place::at(self.source, self.text, offset)
    }

    fn syntax(&self, error: &toml::de::Error) -> PolicyError {
        PolicyError::Syntax {
            place: self.place(error.span().map_or(0, |span| span.start)),
            problem: shorten(error.message(), PROBLEM_CHARS_MAX),
        }
    }

    fn table(
        &self,
        table: &str,
        entries: &DeTable<'_>,
        values: &mut [u64; KEYS],
        written: &mut Written,
    ) -> Result<(), PolicyError> {
        for (name, value) in entries {
            let key = Key::find(table, name.get_ref()).ok_or_else(|| {
                self.unknown(name.span().start, &format!("{table}.{}", name.get_ref()))
            })?;
            values[key as usize] = self.limit(key, value)?;
            written.insert(key, self.place(value.span().start));
        }
        Ok(())
    }

    fn limit(&self, key: Key, value: &Spanned<DeValue<'_>>) -> Result<u64, PolicyError> {
        let place = self.place(value.span().start);
        match (key.spec().form, value.get_ref()) {
            (Form::Whole, DeValue::Integer(integer)) => in_range(key, integer, place),
            (Form::Base, DeValue::Integer(integer)) => base(key, integer, place),
            (Form::Fraction, DeValue::Integer(integer)) => {
                // Converting rounds only what is beyond every ceiling.
                fraction(key, whole(integer) as f64, &integer.to_string(), place)
            }
            (Form::Fraction, DeValue::Float(float)) => {
                let number = float.as_str().parse().unwrap_or(f64::NAN);
                fraction(key, number, float.as_str(), place)
            }
            (Form::Switch, DeValue::Boolean(switch)) => Ok(u64::from(*switch)),
            (form, found) => Err(wrong_type(place, &key.path(), found, form.expected())),
        }
    }

    fn names(&self, value: &Spanned<DeValue<'_>>) -> Result<BTreeSet<String>, PolicyError> {
        let place = self.place(value.span().start);
        match value.get_ref() {
            DeValue::String(name) if name.split(NAME_SEPARATOR).all(is_name) => {
                Ok(name.split(NAME_SEPARATOR).map(str::to_owned).collect())
            }
            DeValue::String(name) => Err(PolicyError::NameInvalid {
                place,
                name: quote(name),
                chars_max: NAME_CHARS_MAX,
            }),
            found => Err(wrong_type(
                place,
                "name",
                found,
                "a text, such as `\"health\"`",
            )),
        }
    }

    fn unknown(&self, offset: usize, key: &str) -> PolicyError {
        PolicyError::UnknownKey {
            place: self.place(offset),
            key: quote(key),
            hint: hint(key),
        }
    }
}

fn wrong_type(place: Place, key: &str, found: &DeValue<'_>, expected: &'static str) -> PolicyError {
    let found = match found {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    PolicyError::WrongType {
        place,
        key: key.to_owned(),
        found,
        expected,
    }
}

/// A number beyond 128 bits is outside every range; its sign says on which side.
fn whole(written: &DeInteger<'_>) -> i128 {
    let digits = written.as_str();
    let huge = if digits.starts_with('-') {
        i128::MIN
    } else {
        i128::MAX
    };
    i128::from_str_radix(digits, written.radix()).unwrap_or(huge)
}

fn in_range(key: Key, written: &DeInteger<'_>, place: Place) -> Result<u64, PolicyError> {
    let (number, spec) = (whole(written), key.spec());
    if number < i128::from(spec.floor) {
        return Err(below_floor(key, &written.to_string(), place));
    }
    u64::try_from(number)
        .ok()
        .filter(|number| *number <= spec.ceiling)
        .ok_or_else(|| above_ceiling(key, &written.to_string(), place))
}

/// In range, and one of the bases: only then is a rounded number read without a calculator.
fn base(key: Key, written: &DeInteger<'_>, place: Place) -> Result<u64, PolicyError> {
    let number = in_range(key, written, place.clone())?;
    if COUNT_BASES.contains(&number) {
        return Ok(number);
    }
    Err(PolicyError::NotABase {
        place,
        key: key.path(),
        value: quote(&written.to_string()),
        bases: COUNT_BASES.map(|base| base.to_string()).join(", "),
    })
}

fn fraction(key: Key, number: f64, written: &str, place: Place) -> Result<u64, PolicyError> {
    let spec = key.spec();
    if number.is_nan() {
        return Err(PolicyError::WrongType {
            place,
            key: key.path(),
            found: "no number",
            expected: spec.form.expected(),
        });
    }
    if number < form::number(spec.floor) {
        return Err(below_floor(key, written, place));
    }
    if number > form::number(spec.ceiling) {
        return Err(above_ceiling(key, written, place));
    }
    match form::parts(number) {
        (parts, true) => Ok(parts),
        (nearest, false) => Err(PolicyError::TooPrecise {
            place,
            key: key.path(),
            value: quote(written),
            nearest: spec.form.write(nearest),
            decimals_max: form::DECIMALS_MAX,
        }),
    }
}

fn below_floor(key: Key, written: &str, place: Place) -> PolicyError {
    let spec = key.spec();
    PolicyError::BelowFloor {
        place,
        key: key.path(),
        value: quote(written),
        floor: spec.form.write(spec.floor),
        reason: spec.floor_reason,
    }
}

fn above_ceiling(key: Key, written: &str, place: Place) -> PolicyError {
    let spec = key.spec();
    PolicyError::AboveCeiling {
        place,
        key: key.path(),
        value: quote(written),
        ceiling: spec.form.write(spec.ceiling),
        reason: spec.ceiling_reason,
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The known key most like the unknown one, compared in full and by its last part, since forgetting the table is as
/// common as misspelling the key. Two keys where both are as like it; all known keys where none is.
fn hint(unknown: &str) -> String {
    let known: Vec<String> = std::iter::once("name".to_owned())
        .chain(Key::ALL.map(Key::path))
        .collect();
    let nearest = known
        .iter()
        .map(|path| similarity(unknown, path))
        .fold(SIMILARITY_MIN, f64::max);
    let alike: Vec<&str> = known
        .iter()
        .filter(|path| similarity(unknown, path) >= nearest)
        .map(String::as_str)
        .collect();
    if alike.is_empty() {
        format!("the keys are `{}`", known.join("`, `"))
    } else {
        format!("did you mean `{}`?", alike.join("` or `"))
    }
}

fn similarity(unknown: &str, known: &str) -> f64 {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let in_full = strsim::normalized_damerau_levenshtein(unknown, known);
    in_full.max(strsim::normalized_damerau_levenshtein(
        &last(unknown),
        &last(known),
    ))
}

/// A text from the file, fit for an error message.
fn quote(text: &str) -> String {
    shorten(text, QUOTE_CHARS_MAX)
}

/// At most `chars_max` characters of the text, on one line, without control characters.
fn shorten(text: &str, chars_max: usize) -> String {
    let mut short: String = text.chars().take(chars_max).flat_map(escape).collect();
    if text.chars().count() > chars_max {
        short.push('…');
    }
    short
}

fn escape(character: char) -> impl Iterator<Item = char> {
    let plain = (!character.is_control()).then_some(character);
    plain
        .into_iter()
        .chain(character.escape_default().filter(move |_| plain.is_none()))
}
