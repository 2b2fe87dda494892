#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::os::unix::fs::symlink;

use signed_note::Signer;

use super::*;

/// The key pair of Go's `golang.org/x/mod/sumdb/note` documentation, which signed-note takes its format from.
const PETER_SECRET: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER_PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

#[test]
fn a_foreign_key_pair_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    fs::write(&path, format!("{PETER_SECRET}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    let key = LogKey::load(&path).unwrap();
    assert_eq!(key.verifier().to_string(), PETER_PUBLIC);
    assert_eq!(key.origin(), "PeterNeumann");
}

#[test]
fn a_key_survives_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.key");
    let key = LogKey::generate("weir.example/traffic-bureau").unwrap();
    key.save(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let loaded = LogKey::load(&path).unwrap();
    assert_eq!(loaded.verifier(), key.verifier());
    let signature = loaded.signer.sign(b"text").unwrap();
    assert!(key.verifier().verifier.verify(b"text", &signature));
    assert!(!key.verifier().verifier.verify(b"texu", &signature));

    let before = fs::read(&path).unwrap();
    assert_eq!(
        key.save(&path).unwrap_err().code(),
        "AUDIT_SIGNING_KEY_EXISTS"
    );
    let link = dir.path().join("link");
    symlink(dir.path().join("elsewhere"), &link).unwrap();
    assert_eq!(
        key.save(&link).unwrap_err().code(),
        "AUDIT_SIGNING_KEY_EXISTS"
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn two_keys_are_never_the_same() {
    let [a, b] = [
        LogKey::generate("log").unwrap(),
        LogKey::generate("log").unwrap(),
    ];
    assert_ne!(a.verifier(), b.verifier());
}

#[test]
fn the_secret_is_not_shown() {
    let key = LogKey::generate("weir.example/log").unwrap();
    // Not the part behind the last plus: base64 has pluses too.
    let seed = key.secret.splitn(5, '+').nth(4).unwrap();
    let shown = format!("{key:?} {:#?}", key.verifier());
    assert!(
        !shown.contains("PRIVATE") && !shown.contains(seed),
        "{shown}"
    );
}

#[test]
fn a_key_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.key");
    LogKey::generate("log").unwrap().save(&path).unwrap();
    for mode in [0o640, 0o604, 0o610, 0o602, 0o644] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = LogKey::load(&path).unwrap_err();
        assert_eq!(error.code(), "AUDIT_SIGNING_KEY_EXPOSED", "{mode:o}");
        assert!(
            error.to_string().contains(&format!("{mode:o}"))
                && error.to_string().contains("log.key")
        );
    }
}

#[test]
fn a_file_without_a_key_is_refused_without_quoting_it() {
    let dir = tempfile::tempdir().unwrap();
    let contents: [&[u8]; 10] = [
        b"",
        b"\n",
        b"hunter2",
        b"\xff\xfe",
        PETER_PUBLIC.as_bytes(),
        &PETER_SECRET.as_bytes()[..PETER_SECRET.len() - 4],
        &[PETER_SECRET.as_bytes(), b"AAAA"].concat(),
        &PETER_SECRET.replace("c74f20a3", "c74f20a4").into_bytes(),
        &PETER_SECRET.replace("+AYEK", "+AoEK").into_bytes(),
        &[b'a'; KEY_FILE_BYTES_MAX as usize + 1],
    ];
    for (number, content) in contents.into_iter().enumerate() {
        let path = dir.path().join(number.to_string());
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = LogKey::load(&path).unwrap_err();
        assert_eq!(error.code(), "AUDIT_SIGNING_KEY_INVALID", "{number}");
        assert!(
            !error.to_string().contains("hunter2") && !error.to_string().contains("AYEK"),
            "{error}"
        );
    }
    assert_eq!(
        LogKey::load(dir.path()).unwrap_err().code(),
        "AUDIT_SIGNING_KEY_INVALID"
    );
    assert_eq!(
        LogKey::load(&dir.path().join("none")).unwrap_err().code(),
        "AUDIT_IO"
    );
}

#[test]
fn names_are_checked() {
    for name in [
        "a",
        "weir.example/traffic-bureau",
        "交通局/日志",
        &"x".repeat(ORIGIN_BYTES_MAX),
    ] {
        assert_eq!(LogKey::generate(name).unwrap().origin(), name);
    }
    for name in [
        "",
        " ",
        "a b",
        "a+b",
        "a\nb",
        "a\u{1}b",
        "a\u{7f}b",
        "a\u{2003}b",
        &"x".repeat(ORIGIN_BYTES_MAX + 1),
    ] {
        assert_eq!(
            LogKey::generate(name).unwrap_err().code(),
            "AUDIT_ORIGIN_INVALID",
            "{name:?}"
        );
    }
}

#[test]
fn verifier_keys_are_read_strictly_and_written_in_one_way() {
    let parsed: VerifierKey = format!("  {}\n", PETER_PUBLIC.replace("c74f20a3", "C74F20A3"))
        .parse()
        .unwrap();
    assert_eq!(parsed.to_string(), PETER_PUBLIC);
    assert_eq!(parsed, PETER_PUBLIC.parse().unwrap());
    let cases = [
        String::new(),
        "PeterNeumann".to_owned(),
        "PeterNeumann+c74f20a3".to_owned(),
        "PeterNeumann+c74f20a3+".to_owned(),
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".to_owned(),
        PETER_SECRET.to_owned(),
        PETER_PUBLIC.replace("Peter", "Petra"),
        PETER_PUBLIC.replace("Peter", "Pet er"),
        PETER_PUBLIC.replace("c74f20a3", "c74f20a4"),
        PETER_PUBLIC.replace("c74f20a3", "c74f20a"),
        PETER_PUBLIC.replace("+ARpc", "+AhpC"),
        PETER_PUBLIC[..PETER_PUBLIC.len() - 1].to_owned(),
        PETER_PUBLIC[..PETER_PUBLIC.len() - 4].to_owned(),
        format!("{PETER_PUBLIC}+"),
        "x".repeat(1_000_000),
    ];
    for case in cases {
        let error = case.parse::<VerifierKey>().unwrap_err();
        assert_eq!(error.code(), "AUDIT_VERIFIER_KEY_INVALID", "{case}");
        assert!(error.to_string().len() < 500);
    }
}

#[test]
fn a_successor_signs_beside_the_keys_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.key");
    let first = LogKey::generate("log").unwrap();
    first.save(&path).unwrap();
    let known = first.verifier().clone();
    let mut log = crate::Log::create(&dir.path().join("log"), first).unwrap();
    let load = || LogKey::load(&path).unwrap();
    let verifies =
        |note: &str, key: &VerifierKey| crate::Checkpoint::verify(note.as_bytes(), key).is_ok();

    let second = load().successor().unwrap();
    second.replace(&path).unwrap();
    let old = log.checkpoint().note().to_owned();
    log.set_key(load()).unwrap();
    let newest = load().verifier().single();
    let both = log.checkpoint().note().to_owned();
    assert!(verifies(&both, &known) && verifies(&both, &newest));
    assert!(verifies(&old, load().verifier()) && !verifies(&old, &newest));
    let text = load().verifier().to_string();
    assert_eq!(text.lines().count(), 2);
    assert_eq!(&text.parse::<VerifierKey>().unwrap(), load().verifier());

    let mut alone = load();
    alone.retire_others();
    alone.replace(&path).unwrap();
    assert_eq!(
        (load().signs_with(), load().verifier().singles().len()),
        (1, 2)
    );
    log.set_key(load()).unwrap();
    let last = log.checkpoint().note().to_owned();
    assert!(!verifies(&last, &known) && verifies(&last, &newest));
    assert!(verifies(&both, load().verifier()));
    drop(log);
    crate::Log::open(&dir.path().join("log"), load()).unwrap();

    let foreign = LogKey::generate("log").unwrap();
    let mut log = crate::Log::open(&dir.path().join("log"), load()).unwrap();
    assert_eq!(
        log.set_key(foreign).unwrap_err().code(),
        "AUDIT_CHECKPOINT_UNSIGNED"
    );
}

#[test]
fn keys_of_several_logs_are_no_key() {
    let [one, other] = ["one", "other"].map(|origin| LogKey::generate(origin).unwrap());
    let [one, other] = [one, other].map(|key| key.verifier().to_string());
    for text in [
        format!("{one}\n{other}"),
        format!("{one}\n{one}"),
        format!("{one}\n"),
    ] {
        let read = text.parse::<VerifierKey>();
        assert_eq!(read.is_ok(), text.trim() == one, "{text}");
    }
    let mut key = LogKey::generate("log").unwrap();
    for _ in 1..KEYS_MAX {
        key = key.successor().unwrap();
    }
    assert_eq!(
        key.verifier().to_string().parse::<VerifierKey>().unwrap(),
        *key.verifier()
    );
    assert_eq!(
        key.successor().unwrap_err().code(),
        "AUDIT_SIGNING_KEYS_TOO_MANY"
    );
}
