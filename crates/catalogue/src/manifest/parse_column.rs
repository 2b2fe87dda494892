//! The keys of a `[[column]]`.

use serde::Deserialize;
use toml::Spanned;

use super::column::Rights;
use super::parse::{Text, choose};
use super::parse_values::{RawBounds, RawListed};
use super::{Column, ColumnType, Role};
use crate::Result;
use crate::limits::TEXT_BYTES_MAX;

/// A `[[column]]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a [[column]] table")]
pub(super) struct RawColumn {
    pub(super) name: Spanned<String>,
    pub(super) header: Option<Spanned<String>>,
    pub(super) r#type: Spanned<String>,
    pub(super) role: Spanned<String>,
    description: Spanned<String>,
    unit_of_measure: Option<Spanned<String>>,
    pub(super) domain: Option<Spanned<Vec<Spanned<RawListed>>>>,
    pub(super) bounds: Option<Spanned<RawBounds>>,
    null_share: Option<Spanned<f64>>,
    comparable_with_literal: Option<Spanned<bool>>,
    group_by: Option<Spanned<bool>>,
    not_shared: Option<Spanned<String>>,
}

impl Text<'_> {
    pub(super) fn column(&self, raw: &RawColumn) -> Result<Column> {
        let name = self.name("name", &raw.name)?.clone();
        let kind = choose(raw.r#type.get_ref(), &ColumnType::ALL, ColumnType::name)
            .map_err(|known| self.error(raw.r#type.span(), format!("type of `{name}`: {known}")))?;
        let role = choose(raw.role.get_ref(), &Role::ALL, Role::name)
            .map_err(|known| self.error(raw.role.span(), format!("role of `{name}`: {known}")))?;
        let content = self.content(&name, kind, raw)?;
        if role == Role::Identifier {
            self.nothing_but_an_identifier(&name, raw)?;
        }
        let words =
            |key: &str, value: &Spanned<String>| self.text(&format!("{key} of `{name}`"), value);
        let not_shared = raw
            .not_shared
            .as_ref()
            .map(|basis| words("not_shared", basis))
            .transpose()?;
        Ok(Column {
            header: self.header(&name, raw)?,
            description: self.text("description", &raw.description)?,
            unit_of_measure: raw
                .unit_of_measure
                .as_ref()
                .map(|unit| words("unit_of_measure", unit))
                .transpose()?,
            content,
            null_share: self.null_share(&name, raw)?,
            rights: self.rights(&name, role, raw)?,
            not_shared,
            name,
            kind,
            role,
        })
    }

    fn header(&self, name: &str, raw: &RawColumn) -> Result<String> {
        match &raw.header {
            Some(header)
                if header.get_ref().is_empty() || header.get_ref().len() > TEXT_BYTES_MAX =>
            {
                let problem = format!(
                    "header of `{name}` is empty or longer than {TEXT_BYTES_MAX} bytes; give the column's name in the file"
                );
                Err(self.error(header.span(), problem))
            }
            Some(header) => Ok(header.get_ref().clone()),
            None => Ok(name.to_owned()),
        }
    }

    fn null_share(&self, name: &str, raw: &RawColumn) -> Result<Option<f64>> {
        match &raw.null_share {
            Some(share) if !(0.0..=1.0).contains(share.get_ref()) => {
                let problem = format!("null_share of `{name}` is a share from 0 to 1");
                Err(self.error(share.span(), problem))
            }
            share => Ok(share.as_ref().map(|share| *share.get_ref())),
        }
    }

    /// What a query may do. A role decides where the manifest does not: what is sensitive may not be compared with a
    /// literal, because a condition on it picks the units whose secret is known.
    fn rights(&self, name: &str, role: Role, raw: &RawColumn) -> Result<Rights> {
        let read = role != Role::Identifier && raw.not_shared.is_none();
        let granted = |key: &str, value: &Option<Spanned<bool>>, default: bool| match value {
            Some(value) if *value.get_ref() && !read => {
                let why = match role {
                    Role::Identifier => "is an identifier, which is not stored",
                    _ => "is not shared",
                };
                let problem = format!("`{name}` {why}, so {key} cannot be true; remove the key");
                Err(self.error(value.span(), problem))
            }
            Some(value) => Ok(*value.get_ref()),
            None => Ok(read && default),
        };
        Ok(Rights {
            read,
            group: granted("group_by", &raw.group_by, true)?,
            compare: granted(
                "comparable_with_literal",
                &raw.comparable_with_literal,
                role != Role::Sensitive,
            )?,
        })
    }

    fn nothing_but_an_identifier(&self, name: &str, raw: &RawColumn) -> Result<()> {
        let spans = [
            ("domain", raw.domain.as_ref().map(Spanned::span)),
            ("bounds", raw.bounds.as_ref().map(Spanned::span)),
            ("null_share", raw.null_share.as_ref().map(Spanned::span)),
            ("not_shared", raw.not_shared.as_ref().map(Spanned::span)),
        ];
        for (key, span) in spans {
            if let Some(span) = span {
                let problem = format!(
                    "`{name}` is an identifier, which is not stored, so {key} has no meaning; remove it"
                );
                return Err(self.error(span, problem));
            }
        }
        Ok(())
    }
}
