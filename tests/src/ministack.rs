//! A local cloud for one test: ministack, installed and pinned by test.sh, on a loopback port of its
//! own, gone with the value.
//!
//! Nothing of the user's AWS configuration reaches it or the client: credentials are made up and
//! passed explicitly, the environment's are taken away.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tidewatch_aws::client::{dynamodb, local};
use tidewatch_aws::{DynamoTable, schema};

/// How often it is asked whether it is there, and how long a question waits: a minute in all. It
/// takes some two seconds on an idle machine.
const READY_TRIES_MAX: usize = 600;
const READY_PAUSE: Duration = Duration::from_millis(100);

/// How often a port is taken by somebody else between our asking for one and its binding it.
const PORTS_MAX: usize = 5;

/// A running ministack.
#[derive(Debug)]
pub struct Ministack {
    process: Child,
    address: SocketAddr,
    is_guarded: bool,
    /// Where it writes; removed with the value.
    folder: TempDir,
}

impl Ministack {
    /// Starts one and waits until it answers.
    ///
    /// # Panics
    /// If TIDEWATCH_MINISTACK does not name its executable, or if it does not come up.
    pub fn start() -> Ministack {
        Ministack::start_as(false)
    }

    /// As [`Ministack::start`], but with IAM: whoever is not the account's root may do what policies
    /// allow, a function what its role does.
    ///
    /// # Panics
    /// As [`Ministack::start`].
    pub fn guarded() -> Ministack {
        Ministack::start_as(true)
    }

    fn start_as(is_guarded: bool) -> Ministack {
        let executable = std::env::var_os("TIDEWATCH_MINISTACK").unwrap_or_else(|| {
            panic!(
                "TIDEWATCH_MINISTACK is not set: this test needs the local cloud that ./test.sh \
                 installs. Run ./test.sh, or set it to a ministack executable"
            )
        });
        for _ in 0..PORTS_MAX {
            let mut started = Ministack::spawn(Path::new(&executable), is_guarded);
            if started.wait_until_ready() {
                return started;
            }
        }
        panic!("{} found no free port in {PORTS_MAX} tries", Path::new(&executable).display());
    }

    fn spawn(executable: &Path, is_guarded: bool) -> Ministack {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log file");
        let errors = log.try_clone().expect("the log file again");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
        let address = free.local_addr().expect("its address");
        drop(free);
        let mut command = Command::new(executable);
        without_aws(&mut command);
        let process = command
            // It binds every interface unless told, and writes where TMPDIR says.
            .env("BIND_HOST", address.ip().to_string())
            .env("GATEWAY_PORT", address.port().to_string())
            // Where the functions it runs find it.
            .env("AWS_ENDPOINT_URL", format!("http://{address}"))
            .env("AUTH", is_guarded.to_string())
            // The account's root is whoever says what `tidewatch_aws::client::local` says.
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("TMPDIR", folder.path())
            .env("PYTHONUNBUFFERED", "1")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{} (TIDEWATCH_MINISTACK) does not start: {error}", executable.display())
            });
        Ministack { process, address, is_guarded, folder }
    }

    /// Whether it answers; `false` if somebody else has its port.
    fn wait_until_ready(&mut self) -> bool {
        for _ in 0..READY_TRIES_MAX {
            if let Some(status) = self.process.try_wait().expect("its state") {
                let log = self.log();
                assert!(log.contains("already in use"), "ministack ended ({status}):\n{log}");
                return false;
            }
            // Somebody else who took the port may answer too: it has to be ministack's health page.
            if self.is_healthy() {
                return true;
            }
            std::thread::sleep(READY_PAUSE);
        }
        panic!("ministack does not answer on {}:\n{}", self.address, self.log());
    }

    fn is_healthy(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect_timeout(&self.address, READY_PAUSE) else {
            return false;
        };
        let ask = b"GET /_ministack/health HTTP/1.0\r\nHost: localhost\r\n\r\n";
        let mut answer = String::new();
        stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
            && stream.write_all(ask).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.lines().next().is_some_and(|status| status.contains(" 200"))
            && answer.contains("dynamodb")
    }

    /// All it has written so far: of itself, and what the functions it ran have printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its process's id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Where it is reached.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether policies count.
    pub fn is_guarded(&self) -> bool {
        self.is_guarded
    }

    /// The process ids of the execution environments it runs now. An environment serves one function, is
    /// kept for the next event, and is made anew if it has ended.
    ///
    /// # Panics
    /// Where there is no /proc.
    pub fn environments(&self) -> Vec<u32> {
        let ours = self.process.id();
        let all = std::fs::read_dir("/proc").expect("/proc, which Linux has");
        let ids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        ids.filter(|id| is_environment(*id, ours)).collect()
    }

    /// Kills an environment, as when Lambda takes it away in the middle of something.
    ///
    /// # Panics
    /// If it is none of [`Ministack::environments`].
    pub fn kill_environment(&self, id: u32) {
        assert!(self.environments().contains(&id), "{id} is no environment of this cloud");
        let killed = Command::new("kill").args(["-KILL", &id.to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()), "{id} cannot be killed");
    }

    /// A new table of the shared state's schema.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn table(&self, name: &str) -> DynamoTable {
        let client = dynamodb(&local(&self.endpoint()));
        let made = schema::create_table(&client, name).await;
        made.unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
        DynamoTable::new(client, name)
    }
}

/// Whether process `id` is a child of `parent` that runs a `bootstrap`, itself or by an interpreter. A
/// process that has just ended is not.
fn is_environment(id: u32, parent: u32) -> bool {
    let read = |file| std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
    let status = read("status");
    let is_child = status.lines().any(|line| {
        line.strip_prefix("PPid:").is_some_and(|ppid| ppid.trim() == parent.to_string())
    });
    is_child && read("cmdline").split('\0').any(|word| word.ends_with("/bootstrap"))
}

/// Takes everything of the user's AWS configuration away from `command`.
pub(crate) fn without_aws(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
}

impl Drop for Ministack {
    /// Ends it by its process id.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
