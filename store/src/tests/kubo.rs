//! Against a real Kubo daemon, whose binary `DGCS_KUBO` names; and against daemons that lie.

use std::{
	io::{BufRead, BufReader},
	process::{Child, Command, Stdio},
};

use dgcs_content::content_id::display;

use super::*;
use crate::Kubo;

/// A daemon with a repository of its own, which ends with it.
struct Daemon {
	binary: String,
	child: Child,
	repository: tempfile::TempDir,
	store: Store,
}

impl Drop for Daemon {
	fn drop(&mut self) {
		let _ = self.child.kill();
		let _ = self.child.wait();
	}
}

fn ipfs(binary: &str, repository: &Path, arguments: &[&str]) -> Command {
	let mut command = Command::new(binary);
	command.args(arguments).env("IPFS_PATH", repository).env("IPFS_TELEMETRY", "off");
	command.stderr(Stdio::null());
	command
}

/// Starts a daemon, and waits until it answers.
async fn daemon(binary: &str, repository: &Path) -> Child {
	let mut child =
		ipfs(binary, repository, &["daemon"]).stdout(Stdio::piped()).spawn().expect("Kubo runs");
	let mut lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
	spawn_blocking(move || {
		assert!(lines.any(|line| line.expect("is text").contains("Daemon is ready")));
		// Read on, so that it never waits for us.
		std::thread::spawn(move || lines.for_each(drop));
	})
	.await
	.expect("the daemon is ready");
	child
}

impl Daemon {
	/// A daemon on the loopback interface that knows nobody; none, and a loud word, without a binary.
	async fn start() -> Option<Self> {
		let Ok(binary) = std::env::var("DGCS_KUBO") else {
			eprintln!("SKIPPED: set DGCS_KUBO to the binary of Kubo to test against a real daemon");
			return None;
		};
		let repository = tempfile::tempdir().expect("a temporary folder");
		let settings = [
			["AutoConf.Enabled", "false"],
			["Bootstrap", "[]"],
			["DNS.Resolvers", "{}"],
			["Ipns.DelegatedPublishers", "[]"],
			["Routing.DelegatedRouters", "[]"],
			["Routing.Type", "\"dht\""],
		];
		let run = |arguments: &[&str]| {
			let done = ipfs(&binary, repository.path(), arguments).stdout(Stdio::null()).status();
			assert!(done.expect("Kubo runs").success(), "ipfs {arguments:?} failed");
		};
		run(&["init", "--profile=test"]);
		for [name, value] in settings {
			run(&["config", "--json", name, value]);
		}
		let child = daemon(&binary, repository.path()).await;
		let api = std::fs::read_to_string(repository.path().join("api")).expect("it says where");
		let port = api.trim().rsplit('/').next().expect("ends with a port");
		let url = format!("http://127.0.0.1:{port}");
		let store = Store::open(&Config::Kubo(Kubo { url })).await.expect("it answers");
		Some(Daemon { binary, child, repository, store })
	}

	/// Kills the daemon, as a crash does, and starts it on the same repository, with its RPC where it was.
	async fn restart(&mut self) {
		let file = self.repository.path().join("api");
		let api = std::fs::read_to_string(file).expect("it says where");
		self.child.kill().expect("it runs");
		self.child.wait().expect("it ends");
		self.run(&["config", "Addresses.API", api.trim()]);
		self.child = daemon(&self.binary, self.repository.path()).await;
	}

	async fn address(&self) -> Multiaddr {
		let addresses = self.store.addresses().await.expect("it answers");
		let tcp = |address: &&Multiaddr| {
			let text = address.to_string();
			text.starts_with("/ip4/127.0.0.1/tcp/") && !text.contains("/ws")
		};
		addresses.iter().find(tcp).expect("it listens").clone()
	}

	/// What a command prints.
	fn run(&self, arguments: &[&str]) -> String {
		let output = ipfs(&self.binary, self.repository.path(), arguments).output().expect("runs");
		assert!(output.status.success(), "ipfs {arguments:?} failed");
		String::from_utf8(output.stdout).expect("is text").trim().into()
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn kubo_and_the_embedded_peer_fetch_from_each_other() {
	let Some(kubo) = Daemon::start().await else { return };
	let peer = Peer::new().await;
	peer.store.connect(&[kubo.address().await]).await.expect("it is there");
	for (from, to, seed) in [(&kubo.store, &peer.store, 1), (&peer.store, &kubo.store, 2)] {
		for len in [0, 1, BLOCK_SIZE, 20_000_000] {
			let content = bytes(seed, len);
			let blob = put(from, content.clone()).await;
			assert_eq!(get(to, &blob).await.expect("the other has it"), content);
			to.pin(&blob.id, blob.len).await.expect("the other has it");
			assert!(to.has(&blob.id).await.expect("answers"));
		}
	}
	// Each of the 79 blocks goes once, that of one byte is the same both ways, and Kubo asks twice now and
	// then: no wish that was taken back is answered.
	let usage = peer.store.usage().await.expect("can be read");
	assert_eq!(usage.received, 79);
	assert!((78..=90).contains(&usage.sent), "{usage:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubo_names_files_as_we_do() {
	let Some(kubo) = Daemon::start().await else { return };
	let peer = Peer::new().await;
	kubo.store.connect(&[peer.address().await]).await.expect("it is there");
	for len in [0, 1000, BLOCK_SIZE + 1, 50_000_000] {
		let content = bytes(3, len);
		let file = kubo.repository.path().join("file");
		std::fs::write(&file, &content).expect("there is room");
		let path = file.to_str().expect("is text");
		let add = [
			"add",
			"--cid-version=1",
			"--hash=blake3",
			"--raw-leaves",
			"--chunker=size-262144",
			"-Q",
			path,
		];
		let name = kubo.run(&add);
		let id = dgcs_content::content_id::from_cid(&name.parse().expect("a CID")).expect("ours");
		let blob = Blob { id, len: len as u64 };
		assert_eq!(get(&peer.store, &blob).await.expect("Kubo has it"), content);
		assert_eq!(put(&peer.store, content).await, blob);
	}
	// And what we put is a file there.
	let content = bytes(4, 3_000_000);
	let blob = put(&peer.store, content.clone()).await;
	let out = kubo.repository.path().join("out");
	kubo.run(&["get", "-o", out.to_str().expect("is text"), &display(&blob.id)]);
	assert_eq!(std::fs::read(out).expect("is there"), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn kubo_pins_and_says_what_it_has() {
	let Some(kubo) = Daemon::start().await else { return };
	let peer = Peer::new().await;
	kubo.store.connect(&[peer.address().await]).await.expect("it is there");
	let content = bytes(5, 9_000_000);
	let blob = put(&peer.store, content.clone()).await;
	assert!(!kubo.store.has(&blob.id).await.expect("answers"));
	assert!(!kubo.store.is_pinned(&blob.id).await.expect("answers"));
	assert!(!kubo.store.unpin(&blob.id).await.expect("answers"));
	let Err(Error::TreeSize { .. }) = kubo.store.pin(&blob.id, 1_000_000).await else { panic!() };
	kubo.store.pin(&blob.id, blob.len).await.expect("the other has it");
	kubo.store.pin(&blob.id, blob.len).await.expect("twice is once");
	assert!(kubo.store.is_pinned(&blob.id).await.expect("answers"));
	assert!(kubo.store.pinned().await.expect("answers").contains(&blob.id));
	peer.store.shutdown().await.expect("stops");
	assert_eq!(get(&kubo.store, &blob).await.expect("all is there"), content);
	let usage = kubo.store.usage().await.expect("answers");
	assert!(usage.used > 9_000_000 && usage.capacity > usage.used && usage.pins > 0, "{usage:?}");
	assert!(kubo.store.unpin(&blob.id).await.expect("is pinned"));
	assert!(!kubo.store.is_pinned(&blob.id).await.expect("answers"));
	kubo.run(&["repo", "gc", "-q"]);
	assert!(!kubo.store.has(&blob.id).await.expect("answers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn kubo_is_connected_again_when_it_starts_again() {
	let Some(mut kubo) = Daemon::start().await else { return };
	let (peer, late) = (Peer::new().await, Peer::new().await);
	kubo.store.connect(&[peer.address().await]).await.expect("it is there");
	kubo.store.connect(&kubo.store.addresses().await.expect("answers")).await.expect("is itself");
	let address = late.address().await;
	late.store.shutdown().await.expect("stops");
	let refused = kubo.store.connect(std::slice::from_ref(&address)).await;
	assert!(matches!(refused, Err(Error::Unreachable { .. })), "{refused:?}");

	kubo.restart().await;
	let blob = put(&peer.store, bytes(7, 1_000_000)).await;
	until(|| async { get(&kubo.store, &blob).await.is_ok() }).await;
	// Also with whom there was no connection yet.
	let name = address.iter().last().expect("its name").to_string();
	let name = name.trim_start_matches("/p2p/");
	until(|| async { kubo.run(&["swarm", "peering", "ls"]).contains(name) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubo_finds_providers_through_our_peers() {
	let Some(kubo) = Daemon::start().await else { return };
	let (hub, peer) = (Peer::new().await, Peer::new().await);
	peer.knows(&hub).await;
	kubo.store.connect(&[hub.address().await]).await.expect("it is there");
	let content = bytes(6, 1_000_000);
	let blob = put(&peer.store, content.clone()).await;
	until(|| async { peer.store.provide(&blob.id).await.is_ok() }).await;
	assert_eq!(get(&kubo.store, &blob).await.expect("is found"), content);
	assert_eq!(hub.received().await, 0, "it came from the provider itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_daemon_is_a_clear_error() {
	let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
	let url = format!("http://{}", free.local_addr().expect("is bound"));
	drop(free);
	let opened = Store::open(&Config::Kubo(Kubo { url: url.clone() })).await;
	let Err(Error::Kubo { url: named, .. }) = opened else { panic!() };
	assert_eq!(named, url);
}

/// The status and body with which a command is answered.
type Answers = fn(&str) -> (u16, Vec<u8>);

/// Something that answers as a daemon would, at first.
async fn fake(answer: Answers) -> Store {
	let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
	let url = format!("http://{}", listener.local_addr().expect("is bound"));
	tokio::spawn(async move {
		while let Ok((mut stream, _)) = listener.accept().await {
			tokio::spawn(async move {
				let mut head = Vec::new();
				while !head.windows(4).any(|end| end == b"\r\n\r\n") {
					head.push(stream.read_u8().await.expect("a request"));
				}
				let line = String::from_utf8_lossy(&head);
				let command = line.split(['/', '?', ' ']).nth(4).expect("/api/v0/…").to_owned();
				let (status, body) = match &*command {
					"id" => (200, br#"{"Addresses":null}"#.to_vec()),
					other => answer(other),
				};
				let head = format!(
					"HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
					body.len()
				);
				let _ = stream.write_all(head.as_bytes()).await;
				let _ = stream.write_all(&body).await;
			});
		}
	});
	Store::open(&Config::Kubo(Kubo { url })).await.expect("it answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_daemon_says_is_checked() {
	let id = raw(b"block");
	let checked = |store: Store| spawn_blocking(move || fetch(&store, &id));

	let other = fake(|_| (200, b"other".to_vec())).await;
	let refused = checked(other).await.expect("no panic");
	assert!(matches!(refused, Err(dgcs_content::Error::WrongBlock { .. })));

	let huge = fake(|command| match command {
		"block" => (200, vec![0; 10 * MAX_BLOCK]),
		_ => (500, br#"{"Message":"it is not pinned"}"#.to_vec()),
	});
	let huge = huge.await;
	let refused = checked(huge).await.expect("no panic");
	let Err(dgcs_content::Error::TooLarge { found, .. }) = refused else { panic!() };
	assert_eq!(found, MAX_BLOCK as u64 + 1);

	// It stores something else than it was given, refuses, or speaks another language.
	let answers: [Answers; 4] = [
		|_| {
			(
				200,
				br#"{"Key":"bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"}"#
					.to_vec(),
			)
		},
		|_| (500, br#"{"Message":"no space left"}"#.to_vec()),
		|_| (200, b"<html>".to_vec()),
		|_| (404, b"<html>".to_vec()),
	];
	for answer in answers {
		let store = fake(answer).await;
		let put = spawn_blocking(move || store.put(&id, b"block")).await.expect("no panic");
		assert!(put.expect_err("is noticed").to_string().starts_with("the Kubo daemon at http"));
	}
	// A daemon without room is told from one that isn't there.
	let full = fake(answers[1]).await;
	full.check().await.expect_err("it refuses all");
	let put = spawn_blocking(move || full.put(&id, b"block")).await.expect("no panic");
	assert_eq!(put.expect_err("is noticed").kind(), std::io::ErrorKind::StorageFull);
}
