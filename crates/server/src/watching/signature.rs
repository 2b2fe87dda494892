//! Signatures of what is sent, as Standard Webhooks 1.0 has them: HMAC-SHA-256 over `id.timestamp.body`, so that a receiver
//! of any language checks them with a library it has.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::authority::{file_fault, write_secret};
use crate::fault::Fault;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Its length in bytes.
const SECRET_BYTES: usize = 32;
/// Shortest and longest secret that is taken, in bytes.
const SECRET_BYTES_TAKEN: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret shared with the receiver.
pub(super) struct Secret(hmac::Key);

impl Secret {
    /// The one in a file; it is made where there is none.
    pub(super) fn open(file: &Path) -> Result<Self, Fault> {
        if !file.exists() {
            let mut bytes = Zeroizing::new([0_u8; SECRET_BYTES]);
            SystemRandom::new()
                .fill(bytes.as_mut_slice())
                .map_err(|_| {
                    Fault::environment("KEY_FAILED", "the system gives no random bytes")
                })?;
            let text = Zeroizing::new(format!("{PREFIX}{}\n", STANDARD.encode(bytes.as_slice())));
            write_secret(file, &text)?;
        }
        let text = std::fs::read_to_string(file).map_err(|error| file_fault(file, &error))?;
        Self::parse(&Zeroizing::new(text)).ok_or_else(|| {
            Fault::caller(
                "WEBHOOK_SECRET_INVALID",
                format!(
                    "`{}` is not a secret for a webhook: `{PREFIX}` and 24 to 64 bytes in Base64. Remove it to have one made",
                    file.display()
                ),
            )
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.trim().strip_prefix(PREFIX)?).ok()?;
        let bytes = Zeroizing::new(bytes);
        let fits = SECRET_BYTES_TAKEN.contains(&bytes.len());
        fits.then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The header `webhook-signature` of a message.
    pub(super) fn sign(&self, id: &str, timestamp_s: i64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{timestamp_s}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    /// The example of the specification.
    #[test]
    fn it_signs_as_the_specification_says() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signed = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_made_once_and_kept_to_oneself() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("webhook.secret");
        let first = Secret::open(&file).unwrap().sign("a", 1, "b");
        assert_eq!(Secret::open(&file).unwrap().sign("a", 1, "b"), first);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        for wrong in [
            "",
            "whsec_",
            "whsec_AAAA",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_~",
        ] {
            std::fs::write(&file, wrong).unwrap();
            assert_eq!(
                Secret::open(&file).err().unwrap().code,
                "WEBHOOK_SECRET_INVALID"
            );
        }
    }
}
