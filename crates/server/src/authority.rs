//! The domain's certificate authority: who the server is, and who its callers are.

use std::path::Path;

use chrono::{DateTime, Days, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use weir_audit::Digest;
use weir_registry::Role;

use crate::clock::Clock;
use crate::fault::Fault;
use crate::folder::Folder;

/// Longest life of a certificate, in days: the bound browsers use, so that keys are renewed at least once a year.
pub(crate) const VALID_DAYS_MAX: u32 = 397;

/// Life of a certificate unless asked otherwise, in days.
pub(crate) const VALID_DAYS_DEFAULT: u32 = 90;

/// Life of the authority, in days: ten years.
const AUTHORITY_VALID_DAYS: u64 = 3_653;

/// Longest name of a person or an organisation, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 64;

/// Signs certificates with the domain's authority key.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Whom a certificate speaks for.
pub(crate) struct Subject<'a> {
    pub(crate) role: Role,
    pub(crate) organisation: &'a str,
    pub(crate) person: &'a str,
}

/// A certificate that was signed just now.
pub(crate) struct Issued {
    pub(crate) pem: String,
    pub(crate) fingerprint: Digest,
    pub(crate) not_after: DateTime<Utc>,
}

impl Authority {
    /// Makes the authority's key and certificate.
    pub(crate) fn create(folder: &Folder, domain: &str, now: DateTime<Utc>) -> Result<Self, Fault> {
        let key = KeyPair::generate().map_err(broken)?;
        let mut params = params(now, AUTHORITY_VALID_DAYS)?;
        params
            .distinguished_name
            .push(DnType::CommonName, format!("Weir domain {domain}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let certificate = params.self_signed(&key).map_err(broken)?;
        write_secret(&folder.authority_key(), &key.serialize_pem())?;
        write_new(&folder.authority_certificate(), &certificate.pem())?;
        Self::open(folder)
    }

    /// Opens the authority of a domain.
    pub(crate) fn open(folder: &Folder) -> Result<Self, Fault> {
        let pem = read(&folder.authority_certificate())?;
        let key = KeyPair::from_pem(&read(&folder.authority_key())?).map_err(broken)?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key).map_err(broken)?;
        Ok(Self { pem, issuer })
    }

    /// Digest of the authority's own certificate.
    pub(crate) fn fingerprint(&self) -> Result<Digest, Fault> {
        let der = CertificateDer::from_pem_slice(self.pem.as_bytes()).map_err(|_| unreadable())?;
        Ok(Digest::of(&der))
    }

    /// The authority's own certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for the server, with its key, both in PEM. Made anew at each start, so it never runs out.
    pub(crate) fn server(
        &self,
        names: &[String],
        now: DateTime<Utc>,
    ) -> Result<(String, String), Fault> {
        let key = KeyPair::generate().map_err(broken)?;
        let mut params = params(now, u64::from(VALID_DAYS_MAX))?;
        params.subject_alt_names = CertificateParams::new(names.to_vec())
            .map_err(broken)?
            .subject_alt_names;
        params
            .distinguished_name
            .push(DnType::CommonName, "Weir server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer).map_err(broken)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// A certificate that another authority issued, to be let in as it is: whoever connects with it has been checked against
    /// the authorities of the settings by then.
    pub(crate) fn foreign(
        certificate_pem: &str,
        valid_days: u32,
        now: DateTime<Utc>,
    ) -> Result<Issued, Fault> {
        let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|_| {
            Fault::caller(
                "CERTIFICATE_INVALID",
                "what was sent is no certificate in PEM. Send the person's certificate as their authority issued it",
            )
        })?;
        Ok(Issued {
            fingerprint: Digest::of(&der),
            pem: certificate_pem.to_owned(),
            not_after: now + Days::new(u64::from(valid_days)),
        })
    }

    /// A certificate for a person, over the public key of their signing request and nothing else of it.
    pub(crate) fn person(
        &self,
        request_pem: &str,
        subject: &Subject<'_>,
        valid_days: u32,
        now: DateTime<Utc>,
    ) -> Result<Issued, Fault> {
        let mut request = CertificateSigningRequestParams::from_pem(request_pem).map_err(|error| {
            Fault::caller(
                "SIGNING_REQUEST_INVALID",
                format!("the signing request is not a PKCS#10 request in PEM ({error}). Make it with `weir identity issue`"),
            )
        })?;
        let mut params = params(now, u64::from(valid_days))?;
        // Where the machine's clock was set back it is good at once all the same.
        params.not_before = params
            .not_before
            .min(moment(begins(Clock::of_handshakes()))?);
        params
            .distinguished_name
            .push(DnType::CommonName, subject.person);
        params
            .distinguished_name
            .push(DnType::OrganizationName, subject.organisation);
        params
            .distinguished_name
            .push(DnType::OrganizationalUnitName, subject.role.as_str());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        request.params = params;
        let certificate = request.signed_by(&self.issuer).map_err(broken)?;
        Ok(Issued {
            fingerprint: Digest::of(certificate.der()),
            pem: certificate.pem(),
            not_after: now + Days::new(u64::from(valid_days)),
        })
    }
}

fn params(now: DateTime<Utc>, valid_days: u64) -> Result<CertificateParams, Fault> {
    let mut serial = [0_u8; 16];
    SystemRandom::new().fill(&mut serial).map_err(|_| {
        Fault::environment(
            "RANDOM_FAILED",
            "the system gave no random numbers. Try again",
        )
    })?;
    // A positive integer in DER.
    if let Some(first) = serial.first_mut() {
        *first &= 0x7f;
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = moment(begins(now))?;
    params.not_after = moment(now + Days::new(valid_days))?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// An hour early, for clocks that disagree.
fn begins(now: DateTime<Utc>) -> DateTime<Utc> {
    now - chrono::TimeDelta::hours(1)
}

fn moment(time: DateTime<Utc>) -> Result<time::OffsetDateTime, Fault> {
    time::OffsetDateTime::from_unix_timestamp(time.timestamp()).map_err(|_| {
        Fault::environment(
            "CLOCK_INVALID",
            "the machine's clock is outside the years 1–9999. Set it",
        )
    })
}

fn unreadable() -> Fault {
    Fault::environment(
        "AUTHORITY_FAILED",
        "the certificate of the domain's authority cannot be read. Check the folder `keys` of the domain",
    )
}

fn broken(error: rcgen::Error) -> Fault {
    Fault::environment(
        "AUTHORITY_FAILED",
        format!(
            "the domain's certificate authority failed: {error}. Check the folder `keys` of the domain"
        ),
    )
}

fn read(file: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(file).map_err(|error| file_fault(file, &error))
}

/// Writes a file that must not be there yet.
pub(crate) fn write_new(file: &Path, text: &str) -> Result<(), Fault> {
    write_with_mode(file, text, 0o644)
}

/// Writes a secret that must not be there yet, readable by this user alone.
pub(crate) fn write_secret(file: &Path, text: &str) -> Result<(), Fault> {
    write_with_mode(file, text, 0o600)
}

fn write_with_mode(file: &Path, text: &str, mode: u32) -> Result<(), Fault> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(file)
        .and_then(|mut open| {
            open.write_all(text.as_bytes())?;
            open.sync_all()
        })
        .map_err(|error| file_fault(file, &error))
}

pub(crate) fn file_fault(file: &Path, error: &std::io::Error) -> Fault {
    Fault::environment(
        "FILE_FAILED",
        format!(
            "`{}`: {error}. Check that the folder exists, is yours and has room",
            file.display()
        ),
    )
}
