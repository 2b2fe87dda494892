//! `weir` as a process.

use std::fs::OpenOptions;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command under test, or another build of it that the environment names: a drill of an hour is not to notice that
/// somebody builds meanwhile.
pub(crate) fn binary() -> PathBuf {
    let built = env!("CARGO_BIN_EXE_weir");
    std::env::var_os("WEIR_BINARY").map_or_else(|| PathBuf::from(built), PathBuf::from)
}

/// What a command printed.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `weir` with these arguments and nothing of this process's environment.
pub(crate) fn weir(identity: Option<&Path>, args: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.env_clear().args(args);
    if let Some(identity) = identity {
        command.env("WEIR_IDENTITY", identity);
    }
    let output = command.output().unwrap();
    Output {
        status: output.status,
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs `weir`, expects success, and gives what it printed.
pub(crate) fn succeeds(identity: Option<&Path>, args: &[&str]) -> String {
    let output = weir(identity, args);
    assert!(
        output.status.success(),
        "{args:?}\n{}\n{}",
        output.stdout,
        output.stderr
    );
    output.stdout
}

/// Runs `weir`, expects exit code 1 and nothing on standard output, and gives the error.
pub(crate) fn fails(identity: Option<&Path>, args: &[&str]) -> String {
    let output = weir(identity, args);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{args:?}\n{}\n{}",
        output.stdout,
        output.stderr
    );
    assert_eq!(output.stdout, "", "{args:?}");
    output.stderr
}

/// A domain served by a `weir serve` process, whose output goes to a file.
pub(crate) struct Served {
    pub(crate) domain: PathBuf,
    pub(crate) administrator: PathBuf,
    pub(crate) output: PathBuf,
    port: u16,
    server: Child,
    /// What the server logs; empty for what every server logs.
    level: &'static str,
    environment: Vec<(String, String)>,
}

/// Starts a server that logs after what is in the file already.
fn spawn(domain: &Path, output: &Path, level: &str, environment: &[(String, String)]) -> Child {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(output)
        .unwrap();
    let mut command = Command::new(binary());
    command.env_clear().env("RUST_BACKTRACE", "full");
    command.envs(environment.iter().cloned());
    command.args(["serve", domain.to_str().unwrap()]);
    if !level.is_empty() {
        command.env("RUST_LOG", level).arg("--verbose");
    }
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// The default policy with a budget of bits for thousands of runs.
pub(crate) fn roomy(policy: String) -> String {
    let of_all = policy.replace("\nper_unit = 16.00\n", "\nper_unit = 1000000.00\n");
    assert_ne!(of_all, policy);
    let of_chosen = "\nchosen_per_unit = 0.25\n";
    let roomy = of_all.replace(of_chosen, "\nchosen_per_unit = 1000000.00\n");
    assert_ne!(roomy, of_all);
    roomy
}

impl Served {
    /// Makes a domain in `folder` and serves it. The server logs all it can.
    pub(crate) fn start(folder: &Path, inbox: &Path) -> Self {
        Self::start_with(folder, inbox, "")
    }

    /// The same, but the server logs what goes wrong and nothing else, and there is a budget for thousands of runs.
    pub(crate) fn start_quiet(folder: &Path, inbox: &Path) -> Self {
        Self::start_as(folder, inbox, ("", "error"), &[], roomy)
    }

    /// The same with more at the end of `domain.toml`.
    pub(crate) fn start_with(folder: &Path, inbox: &Path, settings: &str) -> Self {
        Self::start_as(folder, inbox, (settings, "trace"), &[], |policy| policy)
    }

    /// The same with these environment variables, and no others.
    pub(crate) fn start_in(
        folder: &Path,
        inbox: &Path,
        settings: &str,
        environment: &[(&str, &Path)],
    ) -> Self {
        let as_is = |policy| policy;
        Self::start_as(folder, inbox, (settings, "trace"), environment, as_is)
    }

    /// The same under another policy than the default one.
    pub(crate) fn start_under(
        folder: &Path,
        inbox: &Path,
        settings: &str,
        policy: impl FnOnce(String) -> String,
    ) -> Self {
        Self::start_as(folder, inbox, (settings, "trace"), &[], policy)
    }

    fn start_as(
        folder: &Path,
        inbox: &Path,
        (settings, level): (&str, &'static str),
        environment: &[(&str, &Path)],
        policy: impl FnOnce(String) -> String,
    ) -> Self {
        let environment = environment.iter();
        let environment: Vec<_> = environment
            .map(|(name, path)| ((*name).to_owned(), path.to_str().unwrap().to_owned()))
            .collect();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let domain = folder.join("domain");
        let listen = format!("127.0.0.1:{port}");
        let (at, from) = (domain.to_str().unwrap(), inbox.to_str().unwrap());
        succeeds(None, &["init", at, "--listen", &listen, "--inbox", from]);
        let config = domain.join("domain.toml");
        let written = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("{written}\n{settings}")).unwrap();
        let file = domain.join("policy.toml");
        std::fs::write(&file, policy(std::fs::read_to_string(&file).unwrap())).unwrap();
        let output = folder.join("server.log");
        let server = spawn(&domain, &output, level, &environment);
        let served = Self {
            administrator: domain.join("identities/administrator"),
            domain,
            output,
            port,
            server,
            level,
            environment,
        };
        served.wait_until_it_listens();
        served
    }

    fn wait_until_it_listens(&self) {
        wait_until(|| TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok());
    }

    /// Ends the server as a power cut ends it: nothing more of it runs.
    pub(crate) fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// From the next start on it logs what every server logs.
    pub(crate) fn be_quiet(&mut self) {
        self.level = "";
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }

    /// Starts it again after [`Served::kill`].
    pub(crate) fn start_again(&mut self) {
        self.server = spawn(&self.domain, &self.output, self.level, &self.environment);
        self.wait_until_it_listens();
    }

    /// Asks the server to stop, as a service manager does, and expects that it does so cleanly.
    pub(crate) fn stop(mut self) {
        let pid = self.server.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        wait_until(|| self.server.try_wait().unwrap().is_some());
        assert!(self.server.wait().unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A test that failed leaves nothing running.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Waits for something that a process brings about.
pub(crate) fn wait_until(mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "the server took too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A file of the flights example.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/flights")
        .join(name)
}

/// Gives an operator a grant: application, the provider's opinion where there is a provider, and issue.
pub(crate) fn grant(
    bureau: &Path,
    operator: &Path,
    application: &Path,
    provider: Option<&str>,
) -> String {
    let applied = succeeds(
        Some(operator),
        &[
            "grant",
            "apply",
            application.to_str().unwrap(),
            "--format",
            "csv",
        ],
    );
    let id = applied
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .to_owned();
    if let Some(provider) = provider {
        let folder = operator.with_extension("provider");
        let out = folder.to_str().unwrap();
        let issue = [
            "identity",
            "issue",
            "--role",
            "provider",
            "--person",
            "zhao",
            "--organisation",
            provider,
            "--out",
            out,
        ];
        succeeds(Some(bureau), &issue);
        let review = [
            "grant",
            "review",
            &id,
            "--opinion",
            "support",
            "--reason",
            "nothing against it",
        ];
        succeeds(Some(&folder), &review);
    }
    let issued = succeeds(Some(bureau), &["grant", "issue", &id, "--format", "csv"]);
    issued
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .to_owned()
}
