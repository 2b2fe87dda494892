//! The domain's certificate authority: who the server is, and who its callers are.
//!
//! An authority is changed for another one as RFC 4210 (§4.4) has it: both have one name, and the last key signs a certificate
//! of the next one. The server shows that beside its own certificate, so that a client that knows either authority knows the
//! server. Key, certificate and what is left of an earlier authority are one file, because they change in one step.

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
use zeroize::Zeroizing;

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
    key_pem: Zeroizing<String>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    earlier: Option<Earlier>,
}

/// An authority that signs no more, and whose certificates are still accepted.
struct Earlier {
    /// What its key said of the authority in use.
    cross_pem: String,
    pem: String,
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
        let certificate = of_an_authority(domain, now)?
            .self_signed(&key)
            .map_err(broken)?;
        let made = Self::of(key.serialize_pem().into(), certificate.pem(), None)?;
        write_secret(&folder.authority_key(), &made.text())?;
        write_new(&folder.authority_certificate(), &certificate.pem())?;
        Ok(made)
    }

    /// Opens the authority of a domain.
    pub(crate) fn open(folder: &Folder) -> Result<Self, Fault> {
        let text = Zeroizing::new(read(&folder.authority_key())?);
        let mut blocks = blocks(&text).into_iter();
        let key_pem = Zeroizing::new(blocks.next().unwrap_or_default());
        // Domains of before authorities could be changed have the certificate in a file of its own alone.
        let pem = match blocks.next() {
            Some(pem) => pem,
            None => read(&folder.authority_certificate())?,
        };
        let earlier = blocks
            .next()
            .zip(blocks.next())
            .map(|(cross_pem, pem)| Earlier { cross_pem, pem });
        Self::of(key_pem, pem, earlier)
    }

    fn of(
        key_pem: Zeroizing<String>,
        pem: String,
        earlier: Option<Earlier>,
    ) -> Result<Self, Fault> {
        let key = KeyPair::from_pem(&key_pem).map_err(broken)?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key).map_err(broken)?;
        Ok(Self {
            key_pem,
            pem,
            issuer,
            earlier,
        })
    }

    /// The authority to change this one for, of the same name. Where an earlier one is accepted still, there is none: what
    /// the server shows its clients is one step long.
    pub(crate) fn successor(&self, domain: &str, now: DateTime<Utc>) -> Result<Self, Fault> {
        if self.earlier.is_some() {
            return Err(Fault::caller(
                "KEY_EARLIER_ACCEPTED",
                "an earlier authority is accepted still. Retire it with `weir keys retire authority` first",
            ));
        }
        let key = KeyPair::generate().map_err(broken)?;
        let own = of_an_authority(domain, now)?
            .self_signed(&key)
            .map_err(broken)?;
        let cross = of_an_authority(domain, now)?
            .signed_by(&key, &self.issuer)
            .map_err(broken)?;
        let earlier = Earlier {
            cross_pem: cross.pem(),
            pem: self.pem.clone(),
        };
        Self::of(key.serialize_pem().into(), own.pem(), Some(earlier))
    }

    /// The same authority, and no earlier one beside it.
    pub(crate) fn alone(&self) -> Result<Self, Fault> {
        Self::of(self.key_pem.clone(), self.pem.clone(), None)
    }

    /// The same authority once more.
    pub(crate) fn again(&self) -> Result<Self, Fault> {
        let earlier = self.earlier.as_ref().map(|earlier| Earlier {
            cross_pem: earlier.cross_pem.clone(),
            pem: earlier.pem.clone(),
        });
        Self::of(self.key_pem.clone(), self.pem.clone(), earlier)
    }

    /// Puts the authority in the place of the one in the folder: the file of the key in one step, then the one for people.
    pub(crate) fn replace(&self, folder: &Folder) -> Result<(), Fault> {
        crate::backup::publish(&folder.authority_key(), &self.text())?;
        self.publish(folder)
    }

    /// Writes the public file where it is not that of the key: a change was cut off.
    pub(crate) fn publish(&self, folder: &Folder) -> Result<(), Fault> {
        let file = folder.authority_certificate();
        match std::fs::read_to_string(&file) {
            Ok(found) if found == self.pem => Ok(()),
            _ => {
                tracing::warn!(file = %file.display(), "the file was not the authority's certificate; it is written again");
                crate::backup::publish(&file, &self.pem)
            }
        }
    }

    fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("{}{}", *self.key_pem, self.pem));
        if let Some(earlier) = &self.earlier {
            text.push_str(&earlier.cross_pem);
            text.push_str(&earlier.pem);
        }
        text
    }

    /// Digest of the file of the key, with all that is in it: key and certificates. Where the certificate is in a file of its own
    /// alone, with that.
    pub(crate) fn file_digest(folder: &Folder) -> Result<Digest, Fault> {
        let text = Zeroizing::new(read(&folder.authority_key())?);
        let blocks = Zeroizing::new(blocks(&text));
        let mut all = Zeroizing::new(blocks.concat());
        if blocks.len() == 1 {
            all.push_str(&read(&folder.authority_certificate())?);
        }
        Ok(Digest::of(all.as_bytes()))
    }

    /// Digest of the authority's own certificate.
    pub(crate) fn fingerprint(&self) -> Result<Digest, Fault> {
        fingerprint(&self.pem)
    }

    /// The same of the earlier one that is accepted, if there is one.
    pub(crate) fn earlier_fingerprint(&self) -> Result<Option<Digest>, Fault> {
        self.earlier_pem().map(fingerprint).transpose()
    }

    /// The authority's own certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// That of the earlier one that is accepted, if there is one.
    pub(crate) fn earlier_pem(&self) -> Option<&str> {
        self.earlier.as_ref().map(|earlier| earlier.pem.as_str())
    }

    /// A certificate for the server with what leads to an earlier authority, and its key, both in PEM. Made anew at each
    /// start and every month, so it never runs out.
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
        let cross = self.earlier.as_ref().map(|earlier| &earlier.cross_pem);
        let chain = certificate.pem() + cross.map_or("", String::as_str);
        Ok((chain, key.serialize_pem()))
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

/// What the certificate of an authority says, whoever signs it.
fn of_an_authority(domain: &str, now: DateTime<Utc>) -> Result<CertificateParams, Fault> {
    let mut params = params(now, AUTHORITY_VALID_DAYS)?;
    params
        .distinguished_name
        .push(DnType::CommonName, format!("Weir domain {domain}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    Ok(params)
}

/// The parts of a PEM text, each with its first and its last line.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with("-----BEGIN ") {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut() {
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks
}

/// Digest of a certificate in PEM.
pub(crate) fn fingerprint(pem: &str) -> Result<Digest, Fault> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| unreadable())?;
    Ok(Digest::of(&der))
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
