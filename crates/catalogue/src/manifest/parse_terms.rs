//! The keys of a manifest that speak of the dataset as a whole, and its rules.

use serde::Deserialize;
use toml::Spanned;

use super::parse::{RawManifest, RawNames, Text, choose, shortened};
use super::{
    Column, ColumnType, Contact, Form, Frequency, Grading, Opening, Relation, Retention, Role,
    Rule, Sharing, Terms,
};
use crate::Result;
use crate::limits::{RETENTION_MAX, RULES_MAX, STRUCTURAL_MAX, TAGS_MAX};

/// `sharing = { type = "…", … }` and `opening = { type = "…", … }` as written.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { type = \"unconditional\" }"
)]
pub(super) struct RawAccess {
    r#type: Spanned<String>,
    condition: Option<Spanned<String>>,
    legal_basis: Option<Spanned<String>>,
}

/// `retention = { years = 5 }` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as { years = 5 }")]
pub(super) struct RawRetention {
    years: Option<u32>,
    months: Option<u32>,
    days: Option<u32>,
}

/// `contact = { name = "…", … }` as written.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { name = \"Data office\", email = \"data@example.org\" }"
)]
pub(super) struct RawContact {
    name: Spanned<String>,
    email: Option<Spanned<String>>,
    phone: Option<Spanned<String>>,
}

/// A `[[rule]]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a [[rule]] table")]
pub(super) struct RawRule {
    left: Spanned<String>,
    relation: Spanned<String>,
    right: Spanned<String>,
    description: Spanned<String>,
}

impl Text<'_> {
    pub(super) fn terms(&self, raw: &RawManifest, columns: &[Column]) -> Result<Terms> {
        let sharing = self.sharing(raw.sharing.as_ref())?;
        let opening = self.opening(raw.opening.as_ref())?;
        let grading = self.choice("grading", raw.grading.as_ref(), Grading::ALL, Grading::name)?;
        let grading = grading.unwrap_or(Grading::General4);
        self.consistent(raw, grading, &sharing, &opening)?;
        Ok(Terms {
            title: self.optional("title", raw.title.as_ref())?,
            provider: self.optional("provider", raw.provider.as_ref())?,
            form: self.choice("form", raw.form.as_ref(), Form::ALL, Form::name)?,
            classification: self.tags("classification", raw.classification.as_ref())?,
            grading,
            sharing,
            opening,
            update_frequency: self.choice(
                "update_frequency",
                raw.update_frequency.as_ref(),
                Frequency::ALL,
                Frequency::name,
            )?,
            time_column: self.time_column(raw.time_column.as_ref(), columns)?,
            scenarios: self.tags("scenarios", raw.scenarios.as_ref())?,
            keywords: self.tags("keywords", raw.keywords.as_ref())?,
            retention: self.retention(raw.retention.as_ref())?,
            contact: self.contact(raw.contact.as_ref())?,
        })
    }

    fn consistent(
        &self,
        raw: &RawManifest,
        grading: Grading,
        sharing: &Sharing,
        opening: &Opening,
    ) -> Result<()> {
        let problem = match (grading, sharing, opening) {
            (_, Sharing::NotShared(_), Opening::Unconditional | Opening::Conditional(_)) => {
                "what departments may not share cannot be open to the public; make opening `not-open`"
            }
            (Grading::Core | Grading::Important, _, Opening::Unconditional) => {
                "important and core data is not opened without a condition; make opening `conditional` or `not-open`"
            }
            _ => return Ok(()),
        };
        let span = raw.opening.as_ref().map_or(0..0, Spanned::span);
        Err(self.error(span, problem))
    }

    fn optional(&self, key: &str, value: Option<&Spanned<String>>) -> Result<Option<String>> {
        value.map(|value| self.text(key, value)).transpose()
    }

    fn choice<T: Copy>(
        &self,
        key: &str,
        value: Option<&Spanned<String>>,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Result<Option<T>> {
        let Some(value) = value else { return Ok(None) };
        choose(value.get_ref(), all, name)
            .map(Some)
            .map_err(|known| self.error(value.span(), format!("{key}: {known}")))
    }

    fn sharing(&self, raw: Option<&Spanned<RawAccess>>) -> Result<Sharing> {
        const KINDS: [&str; 3] = ["unconditional", "conditional", "not-shared"];
        let Some(raw) = raw else {
            return Ok(Sharing::Conditional(None));
        };
        let access = raw.get_ref();
        let kind = self.kind("sharing", access, &KINDS)?;
        let condition = self.ground("sharing", raw, "condition", kind == "conditional")?;
        let basis = self.ground("sharing", raw, "legal_basis", kind == "not-shared")?;
        Ok(match (condition, basis) {
            (Some(condition), _) => Sharing::Conditional(Some(condition)),
            (_, Some(basis)) => Sharing::NotShared(basis),
            _ => Sharing::Unconditional,
        })
    }

    fn opening(&self, raw: Option<&Spanned<RawAccess>>) -> Result<Opening> {
        const KINDS: [&str; 3] = ["unconditional", "conditional", "not-open"];
        let Some(raw) = raw else {
            return Ok(Opening::NotOpen);
        };
        let kind = self.kind("opening", raw.get_ref(), &KINDS)?;
        self.ground("opening", raw, "legal_basis", false)?;
        let condition = self.ground("opening", raw, "condition", kind == "conditional")?;
        Ok(match (kind, condition) {
            (_, Some(condition)) => Opening::Conditional(condition),
            ("unconditional", _) => Opening::Unconditional,
            _ => Opening::NotOpen,
        })
    }

    fn kind(&self, key: &str, raw: &RawAccess, kinds: &[&'static str]) -> Result<&'static str> {
        choose(raw.r#type.get_ref(), kinds, |kind| kind)
            .map_err(|known| self.error(raw.r#type.span(), format!("type of {key}: {known}")))
    }

    /// A key that must stand there with one type, and must not with the others.
    fn ground(
        &self,
        key: &str,
        raw: &Spanned<RawAccess>,
        ground: &str,
        due: bool,
    ) -> Result<Option<String>> {
        let access = raw.get_ref();
        let kind = access.r#type.get_ref();
        let value = match ground {
            "condition" => access.condition.as_ref(),
            _ => access.legal_basis.as_ref(),
        };
        match value {
            Some(value) if due => self.text(ground, value).map(Some),
            Some(value) => {
                let problem = format!(
                    "{key} of type `{kind}` has no `{ground}`; remove it, or change the type"
                );
                Err(self.error(value.span(), problem))
            }
            None if due => {
                let problem = format!("{key} of type `{kind}` needs its `{ground}`; state it");
                Err(self.error(raw.span(), problem))
            }
            None => Ok(None),
        }
    }

    fn tags(&self, key: &str, raw: Option<&Spanned<Vec<Spanned<String>>>>) -> Result<Vec<String>> {
        let Some(raw) = raw else {
            return Ok(Vec::new());
        };
        if raw.get_ref().len() > TAGS_MAX {
            let problem = format!(
                "{key} has {} entries, at most {TAGS_MAX} are kept",
                raw.get_ref().len()
            );
            return Err(self.error(raw.span(), problem));
        }
        let mut tags: Vec<String> = Vec::new();
        for value in raw.get_ref() {
            let tag = self.text(key, value)?;
            if tags.contains(&tag) {
                let problem = format!("{key} lists `{}` twice; remove one", shortened(&tag));
                return Err(self.error(value.span(), problem));
            }
            tags.push(tag);
        }
        Ok(tags)
    }

    fn retention(&self, raw: Option<&Spanned<RawRetention>>) -> Result<Option<Retention>> {
        let Some(raw) = raw else { return Ok(None) };
        let given = raw.get_ref();
        let period = match (given.years, given.months, given.days) {
            (Some(count), None, None) => Retention::Years(count),
            (None, Some(count), None) => Retention::Months(count),
            (None, None, Some(count)) => Retention::Days(count),
            _ => {
                let problem =
                    "retention is one of `years`, `months`, `days`, such as `{ years = 5 }`";
                return Err(self.error(raw.span(), problem));
            }
        };
        let (Retention::Years(count) | Retention::Months(count) | Retention::Days(count)) = period;
        if count == 0 || count > RETENTION_MAX {
            let problem = format!("retention is a period of 1 to {RETENTION_MAX}");
            return Err(self.error(raw.span(), problem));
        }
        Ok(Some(period))
    }

    fn contact(&self, raw: Option<&RawContact>) -> Result<Option<Contact>> {
        let Some(raw) = raw else { return Ok(None) };
        if let Some(email) = &raw.email
            && !email.get_ref().contains('@')
        {
            let problem = "email of the contact has no `@`; give a mail address";
            return Err(self.error(email.span(), problem));
        }
        Ok(Some(Contact {
            name: self.text("name of the contact", &raw.name)?,
            email: self.optional("email of the contact", raw.email.as_ref())?,
            phone: self.optional("phone of the contact", raw.phone.as_ref())?,
        }))
    }

    fn time_column(
        &self,
        raw: Option<&Spanned<String>>,
        columns: &[Column],
    ) -> Result<Option<usize>> {
        let Some(raw) = raw else { return Ok(None) };
        let index = self.stored_column("time_column", raw, columns)?;
        if !matches!(
            columns[index].kind,
            ColumnType::Date | ColumnType::Timestamp
        ) {
            let problem = format!(
                "time_column = `{}`: its type is `{}`, not `date` or `timestamp`; name another column",
                columns[index].name,
                columns[index].kind.name()
            );
            return Err(self.error(raw.span(), problem));
        }
        Ok(Some(index))
    }

    pub(super) fn rules(
        &self,
        raw: Option<&Spanned<Vec<RawRule>>>,
        columns: &[Column],
    ) -> Result<Vec<Rule>> {
        let Some(raw) = raw else {
            return Ok(Vec::new());
        };
        if raw.get_ref().len() > RULES_MAX {
            let problem = format!(
                "{} rules; a dataset has at most {RULES_MAX}",
                raw.get_ref().len()
            );
            return Err(self.error(raw.span(), problem));
        }
        raw.get_ref()
            .iter()
            .map(|rule| self.rule(rule, columns))
            .collect()
    }

    fn rule(&self, raw: &RawRule, columns: &[Column]) -> Result<Rule> {
        let left = self.stored_column("left", &raw.left, columns)?;
        let right = self.stored_column("right", &raw.right, columns)?;
        let (one, other) = (&columns[left], &columns[right]);
        if left == right || one.kind != other.kind {
            let problem = format!(
                "a rule is about two columns of one type; `{}` is `{}` and `{}` is `{}`",
                one.name,
                one.kind.name(),
                other.name,
                other.kind.name()
            );
            return Err(self.error(raw.right.span(), problem));
        }
        let relation = choose(raw.relation.get_ref(), Relation::ALL, Relation::name)
            .map_err(|known| self.error(raw.relation.span(), format!("relation: {known}")))?;
        let description = self.text("description", &raw.description)?;
        Ok(Rule {
            left,
            relation,
            right,
            description,
        })
    }

    pub(super) fn structural(
        &self,
        raw: Option<&Spanned<Vec<RawNames>>>,
        columns: &[Column],
    ) -> Result<Vec<Vec<String>>> {
        let Some(raw) = raw else {
            return Ok(Vec::new());
        };
        if raw.get_ref().len() > STRUCTURAL_MAX {
            let problem = format!(
                "structural has {} combinations; a dataset has at most {STRUCTURAL_MAX}",
                raw.get_ref().len()
            );
            return Err(self.error(raw.span(), problem));
        }
        let combination = |names: &RawNames| {
            if names.get_ref().is_empty() {
                let problem = "structural: a combination names one column or more";
                return Err(self.error(names.span(), problem));
            }
            let named = names.get_ref().iter().map(|name| {
                let column = self.stored_column("structural", name, columns)?;
                Ok(columns[column].name.clone())
            });
            named.collect()
        };
        raw.get_ref().iter().map(combination).collect()
    }

    fn stored_column(
        &self,
        key: &str,
        named: &Spanned<String>,
        columns: &[Column],
    ) -> Result<usize> {
        let name = named.get_ref();
        let found = columns
            .iter()
            .position(|column| column.name == *name && column.role != Role::Identifier);
        found.ok_or_else(|| {
            let problem = format!(
                "{key} = `{}`: no [[column]] that is stored has this name; name another",
                shortened(name)
            );
            self.error(named.span(), problem)
        })
    }
}
