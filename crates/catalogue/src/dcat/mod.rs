//! The catalogue in DCAT 3 (W3C Recommendation, 22 August 2024), as JSON-LD 1.1.
//!
//! | said with | what |
//! |---|---|
//! | `dcat`, `dct`, `foaf`, `vcard`, `adms`, `skos` | title, description, publisher, keywords, themes, contact, frequency, licence, access rights, version |
//! | EU authority tables | frequency and access right, as IRIs |
//! | [`NAMESPACE`] | what they have no words for: population, grade, sharing, opening, retention, columns |
//!
//! The context stands in the document, so that reading it needs no network. Data itself has no distribution: it does not
//! leave the domain. Nothing here comes from data: manifests, and when which snapshot was registered.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value as Json, json};

use crate::{CatalogueError, Column, Content, Frequency, Manifest, Opening, Result, Role};

/// The namespace of Weir's own terms. It is a name, not an address.
pub const NAMESPACE: &str = "urn:weir:vocabulary:";

const FREQUENCY: &str = "http://publications.europa.eu/resource/authority/frequency/";
const ACCESS_RIGHT: &str = "http://publications.europa.eu/resource/authority/access-right/";

/// A registered dataset.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// The snapshot that runs read.
    pub snapshot: &'a str,
    /// The snapshot's digest.
    pub digest: &'a str,
    /// When it was registered, RFC 3339.
    pub registered_at: &'a str,
}

/// The catalogue of the domain `domain`, run by `bureau`, as one JSON-LD document.
///
/// # Errors
/// [`CatalogueError::Internal`] where it cannot be written.
pub fn export(domain: &str, bureau: &str, entries: &[Entry<'_>]) -> Result<String> {
    let catalogue = format!("urn:weir:{}", part(domain));
    let datasets: Vec<Json> = entries
        .iter()
        .map(|entry| dataset(&catalogue, entry))
        .collect();
    let document = json!({
        "@context": context(),
        "@id": catalogue,
        "@type": "dcat:Catalog",
        "dct:title": domain,
        "dct:description": format!("Datasets that the domain {domain} releases aggregates of"),
        "dct:publisher": agent(bureau),
        "dcat:dataset": datasets,
    });
    serde_json::to_string_pretty(&document).map_err(|_| CatalogueError::Internal {
        action: "writing the catalogue",
    })
}

fn context() -> Json {
    json!({
        "adms": "http://www.w3.org/ns/adms#",
        "dcat": "http://www.w3.org/ns/dcat#",
        "dct": "http://purl.org/dc/terms/",
        "foaf": "http://xmlns.com/foaf/0.1/",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "vcard": "http://www.w3.org/2006/vcard/ns#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
        "weir": NAMESPACE,
    })
}

fn dataset(catalogue: &str, entry: &Entry<'_>) -> Json {
    let manifest = entry.manifest;
    let terms = manifest.terms();
    let mut said = Map::new();
    let mut say = |key: &str, value: Json| said.insert(key.to_owned(), value);
    say(
        "@id",
        json!(format!("{catalogue}:dataset:{}", manifest.name())),
    );
    say("@type", json!("dcat:Dataset"));
    say("dct:identifier", json!(manifest.name()));
    say(
        "dct:title",
        json!(terms.title.as_deref().unwrap_or(manifest.name())),
    );
    say("dct:description", json!(manifest.description()));
    say("dct:issued", typed("dateTime", entry.registered_at));
    say("dcat:version", json!(entry.snapshot));
    say("weir:digest", json!(entry.digest));
    say(
        "dct:license",
        labelled("dct:LicenseDocument", manifest.licence()),
    );
    say(
        "dct:provenance",
        labelled("dct:ProvenanceStatement", manifest.source()),
    );
    say(
        "dct:accessRights",
        link(ACCESS_RIGHT, access_right(&terms.opening)),
    );
    say("dcat:keyword", json!(terms.keywords));
    say(
        "dcat:theme",
        terms
            .classification
            .iter()
            .map(|name| theme(name))
            .collect(),
    );
    say("weir:scenario", json!(terms.scenarios));
    say("weir:grading", json!(terms.grading.name()));
    say("weir:sharing", json!(terms.sharing.name()));
    say("weir:opening", json!(terms.opening.name()));
    say("weir:unit", units(manifest));
    say(
        "weir:column",
        manifest.columns().iter().map(column).collect(),
    );
    let optional = [
        ("dct:publisher", terms.provider.as_deref().map(agent)),
        ("dcat:contactPoint", terms.contact.as_ref().map(contact)),
        ("weir:form", terms.form.map(|form| json!(form.name()))),
        (
            "weir:sharingGround",
            terms.sharing.ground().map(|ground| json!(ground)),
        ),
        (
            "weir:openingCondition",
            terms.opening.condition().map(|condition| json!(condition)),
        ),
        (
            "weir:retention",
            terms
                .retention
                .map(|period| typed("duration", &period.iso8601())),
        ),
        (
            "dct:accrualPeriodicity",
            terms
                .update_frequency
                .map(|frequency| link(FREQUENCY, authority_code(frequency))),
        ),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            say(key, value);
        }
    }
    Json::Object(said)
}

fn units(manifest: &Manifest) -> Json {
    manifest
        .units()
        .iter()
        .map(|unit| {
            json!({
                "@type": "weir:Unit",
                "weir:population": unit.population,
                "weir:identifiedBy": manifest.columns()[unit.column].name,
            })
        })
        .collect()
}

fn column(column: &Column) -> Json {
    let mut said = Map::new();
    let mut say = |key: &str, value: Json| said.insert(key.to_owned(), value);
    say("@type", json!("weir:Column"));
    say("dct:identifier", json!(column.name));
    say("dct:description", json!(column.description));
    say("weir:valueType", json!(column.kind.name()));
    say("weir:role", json!(column.role.name()));
    say("weir:stored", json!(column.role != Role::Identifier));
    say("weir:mayGroup", json!(column.may_group()));
    say("weir:mayCompare", json!(column.may_compare()));
    let (min, max) = match &column.content {
        Some(Content::Bounds { min, max }) => (min.as_ref(), max.as_ref()),
        _ => (None, None),
    };
    let optional = [
        ("weir:unitOfMeasure", column.unit_of_measure.clone()),
        ("weir:legalBasis", column.not_shared.clone()),
        ("weir:minimum", min.map(ToString::to_string)),
        ("weir:maximum", max.map(ToString::to_string)),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            say(key, json!(value));
        }
    }
    if let Some(Content::Domain(listed)) = &column.content {
        let values = listed.iter().map(|listed| {
            let mut value = Map::new();
            value.insert("@type".to_owned(), json!("skos:Concept"));
            value.insert("skos:notation".to_owned(), json!(listed.value.to_string()));
            if let Some(label) = &listed.label {
                value.insert("skos:prefLabel".to_owned(), json!(label));
            }
            Json::Object(value)
        });
        say("weir:domain", values.collect());
    }
    Json::Object(said)
}

fn agent(name: &str) -> Json {
    json!({ "@type": "foaf:Organization", "foaf:name": name })
}

fn theme(name: &str) -> Json {
    json!({ "@type": "skos:Concept", "skos:prefLabel": name })
}

fn labelled(kind: &str, label: &str) -> Json {
    json!({ "@type": kind, "rdfs:label": label })
}

fn contact(contact: &crate::Contact) -> Json {
    let mut said = Map::new();
    said.insert("@type".to_owned(), json!("vcard:Kind"));
    said.insert("vcard:fn".to_owned(), json!(contact.name));
    if let Some(email) = &contact.email {
        let address = format!("mailto:{}", part(email));
        said.insert("vcard:hasEmail".to_owned(), json!({ "@id": address }));
    }
    if let Some(phone) = &contact.phone {
        let number = format!("tel:{}", part(phone));
        said.insert("vcard:hasTelephone".to_owned(), json!({ "@id": number }));
    }
    Json::Object(said)
}

fn typed(kind: &str, value: &str) -> Json {
    json!({ "@type": format!("xsd:{kind}"), "@value": value })
}

fn link(table: &str, code: &str) -> Json {
    json!({ "@id": format!("{table}{code}") })
}

fn access_right(opening: &Opening) -> &'static str {
    match opening {
        Opening::Unconditional => "PUBLIC",
        Opening::Conditional(_) => "RESTRICTED",
        Opening::NotOpen => "NON_PUBLIC",
    }
}

fn authority_code(frequency: Frequency) -> &'static str {
    match frequency {
        Frequency::RealTime => "UPDATE_CONT",
        Frequency::Daily => "DAILY",
        Frequency::Weekly => "WEEKLY",
        Frequency::Monthly => "MONTHLY",
        Frequency::Quarterly => "QUARTERLY",
        Frequency::HalfYearly => "ANNUAL_2",
        Frequency::Yearly => "ANNUAL",
        Frequency::Irregular => "IRREG",
        Frequency::Never => "NEVER",
    }
}

/// Text as a part of an IRI: what has no place there is percent-encoded.
fn part(text: &str) -> String {
    let mut part = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@+".contains(&byte) {
            part.push(char::from(byte));
        } else {
            part.push_str(&format!("%{byte:02X}"));
        }
    }
    part
}
