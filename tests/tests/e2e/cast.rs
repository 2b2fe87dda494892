//! The people of a domain, each with a certificate of their own, and a domain for them to work in.

use weir_client::Client;
use weir_client::v1::Role;
use weir_tests::{OPERATOR, TRIPS_MANIFEST, TestDomain, issue_to};

use crate::airlock::csv;
use crate::grants::with_people_where;

/// The organisation that provides what is read.
pub(crate) const PROVIDER: &str = "Civil Registry";

/// Somebody who calls.
pub(crate) struct Person {
    /// What they are to whatever is acted on.
    pub(crate) part: &'static str,
    pub(crate) role: Role,
    pub(crate) organisation: &'static str,
    pub(crate) name: &'static str,
    pub(crate) client: Client,
}

/// Parts, roles, organisations and names. Two of the bureau are too near to what Li of the operator does: a colleague, and
/// Li with another organisation's certificate.
const PEOPLE: [(&str, Role, &str, &str); 9] = [
    ("bureau", Role::Bureau, "Data Bureau", "qian"),
    ("2nd bureau", Role::Bureau, "Ministry", "sun"),
    ("colleague", Role::Bureau, OPERATOR, "zhou"),
    ("namesake", Role::Bureau, "Court", "li"),
    ("provider", Role::Provider, PROVIDER, "zhao"),
    ("stranger", Role::Provider, "Water Works", "gu"),
    ("operator", Role::Operator, OPERATOR, "li"),
    ("rival", Role::Operator, "Rival", "ma"),
    ("auditor", Role::Auditor, "Audit Office", "chen"),
];

/// Everybody, connected.
pub(crate) async fn cast(domain: &TestDomain) -> Vec<Person> {
    let mut people = Vec::new();
    for (part, role, organisation, name) in PEOPLE {
        let of = (organisation, name);
        let identity = issue_to(&domain.bureau, &domain.administrator, role, of).await;
        let client = Client::connect(&identity).await.unwrap();
        people.push(Person {
            part,
            role,
            organisation,
            name,
            client,
        });
    }
    people
}

/// The client of whoever plays a part.
pub(crate) fn of<'a>(people: &'a [Person], part: &str) -> &'a Client {
    let person = people.iter().find(|person| person.part == part);
    &person.unwrap().client
}

/// A domain in which `people` and `trips` can be read; tables about the latter wait for people to look at them.
pub(crate) async fn stage(settings: &str) -> TestDomain {
    let domain = with_people_where(|text| format!("{settings}\n{text}")).await;
    let manifest = TRIPS_MANIFEST.replace(
        "licence = \"CC0-1.0\"",
        &format!("licence = \"CC0-1.0\"\nprovider = \"{PROVIDER}\""),
    );
    let csv = csv(400);
    let registered = domain.register_bytes("trips.csv", csv.as_bytes(), &manifest);
    registered.await.unwrap();
    domain
}
