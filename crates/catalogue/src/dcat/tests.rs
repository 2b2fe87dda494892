//! The export as a reader of RDF sees it: parsed by a library that is not ours, and held against what DCAT asks for.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
use oxjsonld::JsonLdParser;
use oxrdf::{Graph, NamedNode, NamedNodeRef, NamedOrBlankNode, Term, TermRef, Triple};

use super::*;

const DCAT: &str = "http://www.w3.org/ns/dcat#";
const DCT: &str = "http://purl.org/dc/terms/";
const RDF_TYPE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";

const PLAIN: &str = r#"name = "plain"
population = "people"
unit = "id"
description = "With \"quotes\", a line\nbreak and 中文"
source = "test"
licence = "CC0-1.0"

[[column]]
name = "id"
type = "string"
role = "identifier"
description = "Who"

[[column]]
name = "kind"
type = "string"
role = "sensitive"
description = "Kind"
not_shared = "law"
domain = [{ value = "a", label = "first" }, "b"]
"#;

/// The document of the flights and the plain manifest, as a graph.
fn graph() -> Graph {
    let manifests = [
        include_str!("../../../../examples/flights/flights.toml"),
        PLAIN,
    ]
    .map(|text| Manifest::from_toml(text, "a.toml").unwrap());
    let entries: Vec<_> = manifests
        .iter()
        .map(|manifest| Entry {
            manifest,
            snapshot: "s-1",
            digest: "sha256:00",
            registered_at: "2026-01-02T03:04:05Z",
        })
        .collect();
    let text = export("city data", "Data Bureau", &entries).unwrap();
    // No loader of remote contexts is given: a document that needs one does not parse.
    JsonLdParser::new()
        .for_slice(text.as_bytes())
        .map(|quad| Triple::from(quad.unwrap()))
        .collect()
}

fn node(iri: &str) -> NamedNode {
    NamedNode::new(iri).unwrap()
}

fn objects(graph: &Graph, subject: &NamedOrBlankNode, predicate: &str) -> Vec<Term> {
    graph
        .objects_for_subject_predicate(subject, node(predicate).as_ref())
        .map(TermRef::into_owned)
        .collect()
}

fn of_type(graph: &Graph, kind: &str) -> Vec<NamedOrBlankNode> {
    graph
        .subjects_for_predicate_object(NamedNodeRef::new(RDF_TYPE).unwrap(), node(kind).as_ref())
        .map(Into::into)
        .collect()
}

fn dataset(graph: &Graph, name: &str) -> NamedOrBlankNode {
    let subject = node(&format!("urn:weir:city%20data:dataset:{name}"));
    assert!(of_type(graph, &format!("{DCAT}Dataset")).contains(&subject.clone().into()));
    subject.into()
}

/// The one literal of a property.
fn literal(graph: &Graph, subject: &NamedOrBlankNode, predicate: &str) -> String {
    match objects(graph, subject, predicate).as_slice() {
        [Term::Literal(literal)] => literal.value().to_owned(),
        other => panic!("{predicate}: {other:?}"),
    }
}

/// The one resource of a property.
fn resource(graph: &Graph, subject: &NamedOrBlankNode, predicate: &str) -> NamedOrBlankNode {
    match objects(graph, subject, predicate).as_slice() {
        [Term::NamedNode(node)] => node.clone().into(),
        [Term::BlankNode(node)] => node.clone().into(),
        other => panic!("{predicate}: {other:?}"),
    }
}

/// A property, and how often it may occur.
type Rule<'a> = (&'a str, usize, usize);
/// A class and what it asks for.
type Shape<'a> = (&'a str, &'a [Rule<'a>]);

/// Each class with the properties that DCAT-AP 3 makes mandatory or recommends and that we always have, and how often.
#[test]
fn every_resource_has_what_its_class_requires() {
    let graph = graph();
    let shapes: [Shape<'_>; 7] = [
        (
            "http://www.w3.org/ns/dcat#Catalog",
            &[
                ("http://purl.org/dc/terms/title", 1, 1),
                ("http://purl.org/dc/terms/description", 1, 1),
                ("http://purl.org/dc/terms/publisher", 1, 1),
                ("http://www.w3.org/ns/dcat#dataset", 2, 2),
            ],
        ),
        (
            "http://www.w3.org/ns/dcat#Dataset",
            &[
                ("http://purl.org/dc/terms/title", 1, 1),
                ("http://purl.org/dc/terms/description", 1, 1),
                ("http://purl.org/dc/terms/identifier", 1, 1),
                ("http://purl.org/dc/terms/accessRights", 1, 1),
                ("http://purl.org/dc/terms/issued", 1, 1),
                ("http://purl.org/dc/terms/license", 1, 1),
                ("http://purl.org/dc/terms/publisher", 0, 1),
                ("http://www.w3.org/ns/dcat#contactPoint", 0, 1),
                ("urn:weir:vocabulary:grading", 1, 1),
                ("urn:weir:vocabulary:sharing", 1, 1),
                ("urn:weir:vocabulary:unit", 1, 8),
                ("urn:weir:vocabulary:column", 1, 1024),
            ],
        ),
        (
            "http://xmlns.com/foaf/0.1/Organization",
            &[("http://xmlns.com/foaf/0.1/name", 1, 1)],
        ),
        (
            "http://www.w3.org/2006/vcard/ns#Kind",
            &[("http://www.w3.org/2006/vcard/ns#fn", 1, 1)],
        ),
        (
            "http://purl.org/dc/terms/LicenseDocument",
            &[("http://www.w3.org/2000/01/rdf-schema#label", 1, 1)],
        ),
        (
            "urn:weir:vocabulary:Column",
            &[
                ("http://purl.org/dc/terms/identifier", 1, 1),
                ("urn:weir:vocabulary:valueType", 1, 1),
                ("urn:weir:vocabulary:role", 1, 1),
            ],
        ),
        (
            "urn:weir:vocabulary:Unit",
            &[
                ("urn:weir:vocabulary:population", 1, 1),
                ("urn:weir:vocabulary:identifiedBy", 1, 1),
            ],
        ),
    ];
    for (class, properties) in shapes {
        let subjects = of_type(&graph, class);
        assert!(!subjects.is_empty(), "no {class}");
        for subject in subjects {
            for (property, min, max) in properties {
                let count = objects(&graph, &subject, property).len();
                assert!(
                    (*min..=*max).contains(&count),
                    "{subject} {property}: {count}"
                );
            }
        }
    }
}

#[test]
fn what_the_manifest_says_is_what_the_graph_says() {
    let graph = graph();
    let flights = dataset(&graph, "flights");
    assert_eq!(
        literal(&graph, &flights, &format!("{DCT}title")),
        "Flights from New York, 2013"
    );
    assert_eq!(
        literal(&graph, &flights, "urn:weir:vocabulary:grading"),
        "general-1"
    );
    assert_eq!(
        literal(&graph, &flights, "urn:weir:vocabulary:retention"),
        "P10Y"
    );
    assert_eq!(
        resource(&graph, &flights, &format!("{DCT}accrualPeriodicity")).to_string(),
        "<http://publications.europa.eu/resource/authority/frequency/NEVER>"
    );
    assert_eq!(
        resource(&graph, &flights, &format!("{DCT}accessRights")).to_string(),
        "<http://publications.europa.eu/resource/authority/access-right/PUBLIC>"
    );
    let publisher = resource(&graph, &flights, &format!("{DCT}publisher"));
    assert_eq!(
        literal(&graph, &publisher, "http://xmlns.com/foaf/0.1/name"),
        "US Bureau of Transportation Statistics"
    );
    assert_eq!(
        objects(&graph, &flights, &format!("{DCAT}keyword")).len(),
        3
    );
    assert_eq!(
        objects(&graph, &flights, "urn:weir:vocabulary:column").len(),
        19
    );
    let issued = &objects(&graph, &flights, &format!("{DCT}issued"))[0];
    assert_eq!(
        issued.to_string(),
        "\"2026-01-02T03:04:05Z\"^^<http://www.w3.org/2001/XMLSchema#dateTime>"
    );
    let plain = dataset(&graph, "plain");
    assert_eq!(
        literal(&graph, &plain, &format!("{DCT}description")),
        "With \"quotes\", a line\nbreak and 中文"
    );
    assert_eq!(
        literal(&graph, &plain, "urn:weir:vocabulary:sharing"),
        "conditional"
    );
    let notation = node("http://www.w3.org/2004/02/skos/core#notation");
    assert_eq!(graph.triples_for_predicate(&notation).count(), 3 + 2);
}

#[test]
fn every_term_is_of_a_vocabulary_that_is_declared() {
    let known = context();
    let known: Vec<&str> = known
        .as_object()
        .unwrap()
        .values()
        .map(|iri| iri.as_str().unwrap())
        .collect();
    for triple in &graph() {
        let predicate = triple.predicate.as_str();
        let declared = known
            .iter()
            .any(|vocabulary| predicate.starts_with(vocabulary));
        assert!(declared || predicate == RDF_TYPE, "{predicate}");
    }
}

#[test]
fn an_empty_catalogue_is_a_catalogue() {
    let text = export("a", "b", &[]).unwrap();
    let graph: Graph = JsonLdParser::new()
        .for_slice(text.as_bytes())
        .map(|quad| Triple::from(quad.unwrap()))
        .collect();
    assert_eq!(of_type(&graph, &format!("{DCAT}Catalog")).len(), 1);
}
