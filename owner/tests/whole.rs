//! Whole tasks, as their owner types them: with the binary that `DGCS_NODE` names as masternode, as
//! workers, and for the commands themselves.

use std::{
	fs::File,
	path::{Path, PathBuf},
	process::{Child, Command, Stdio},
	time::Duration,
};

use dgcs_client::{call, Account, Chain, Options, Sender};
use serde_json::Value;

/// Writes what it reads.
const ECHO: &str = r#"(module
	(import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
	(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
	(memory (export "memory") 2)
	(func (export "_start")
		(loop $again
			(i32.store (i32.const 0) (i32.const 1024))
			(i32.store (i32.const 4) (i32.const 65536))
			(drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
			(if (i32.load (i32.const 8)) (then
				(i32.store (i32.const 4) (i32.load (i32.const 8)))
				(drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
				(br $again))))))"#;

const URL: &str = "ws://127.0.0.1:21921";

/// Processes that end with this.
struct Network {
	binary: String,
	folder: tempfile::TempDir,
	processes: Vec<Child>,
}

impl Network {
	fn start(&mut self, name: &str, arguments: &[&str]) {
		let log = File::create(self.path(&format!("{name}.log"))).expect("writable");
		let process = Command::new(&self.binary)
			.args(arguments)
			.stdout(log.try_clone().expect("one more handle"))
			.stderr(log)
			.spawn();
		self.processes.push(process.expect("DGCS_NODE names a binary"));
	}

	fn path(&self, name: &str) -> PathBuf {
		self.folder.path().join(name)
	}

	/// Types a command, and gives its exit code and what it said.
	fn dgcs(&self, data: &str, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
		let output = Command::new(&self.binary)
			.args(arguments)
			.args(["--output", "json", "--data"])
			.arg(self.path(data))
			.env("DGCS_CHAIN", URL)
			.stdin(Stdio::null())
			.output()
			.expect("it starts");
		let text = String::from_utf8_lossy(&output.stdout);
		let lines = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
		(output.status.code(), lines)
	}
}

impl Drop for Network {
	fn drop(&mut self) {
		for process in &mut self.processes {
			let _ = process.kill();
			let _ = process.wait();
		}
		if std::thread::panicking() {
			for name in ["masternode", "bob", "charlie", "dave"] {
				let log = std::fs::read_to_string(self.path(&format!("{name}.log")));
				let log = log.unwrap_or_default();
				let lines: Vec<_> = log.lines().collect();
				eprintln!("{name}:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"));
			}
		}
	}
}

/// A chain's only masternode, at the address that others find on the chain, and three workers.
async fn network(binary: String) -> Network {
	let folder = tempfile::tempdir().expect("a folder");
	let mut network = Network { binary, folder, processes: Vec::new() };
	let base = network.path("base").to_string_lossy().into_owned();
	let ports = ["--port", "21920", "--rpc-port", "21921", "--no-prometheus"];
	let masternode = ["masternode", "--dev", "--base-path", &base];
	network.start("masternode", &[&masternode[..], &ports[..]].concat());
	let options = Options { patience: Duration::from_secs(120), ..Options::default() };
	let chain = Chain::connect([URL], options).await.expect("the node starts");
	let masternodes = chain.at_finalized().await.expect("it is there").masternodes().await;
	let key = masternodes.expect("it answers")[0].key;
	let address = URL.as_bytes().to_vec().try_into().expect("short");
	let alice = Sender::new(chain, Account::from_uri("//Alice").expect("known"));
	let update = call::masternodes::update(key, &address);
	alice.send_and_finalize(&update).await.expect("its own address");
	for name in ["Bob", "Charlie", "Dave"] {
		let (uri, name) = (format!("//{name}"), name.to_lowercase());
		let data = network.path(&format!("worker-{name}")).to_string_lossy().into_owned();
		let worker = ["worker", "--uri", &uri, "--chain", URL, "--data", &data];
		network.start(&name, &[&worker[..], &["--dedicated", "--register"]].concat());
	}
	network
}

fn text(path: &Path) -> &str {
	path.to_str().expect("plain")
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_tasks() {
	let Ok(binary) = std::env::var("DGCS_NODE") else {
		eprintln!("SKIPPED: DGCS_NODE names no binary, so that no task is computed");
		return;
	};
	let help = Command::new(&binary).args(["worker", "--help"]).output().expect("it starts");
	if !help.status.success() {
		eprintln!("SKIPPED: {binary} has no workers, so that no task is computed");
		return;
	}
	let network = network(binary).await;
	let (program, input) = (network.path("echo.wasm"), network.path("input"));
	std::fs::write(&program, wat::parse_str(ECHO).expect("it is WAT")).expect("writable");
	let lines: String = (0..50).map(|line| format!("line {line}\n")).collect();
	std::fs::write(&input, &lines).expect("writable");
	let asked = [text(&program), "--input", text(&input), "--memory", "64", "--yes"];
	let account = ["--account", "//Alice"];

	let out = network.path("out");
	let split = ["--split", "lines:10", "--out", text(&out)];
	let run = [&["task", "run"], &asked[..], &split[..], &account[..]].concat();
	let (code, said) = network.dgcs("owner", &run);
	assert_eq!(code, Some(0), "{said:#?}");
	assert_eq!(std::fs::read_to_string(out.join("result")).expect("fetched"), lines);
	let events: Vec<_> = said.iter().filter_map(|line| line["event"].as_str()).collect();
	for event in ["estimate", "prepared", "submitted", "held", "ended", "done"] {
		assert!(events.contains(&event), "{event}: {events:?}");
	}
	let task = said.iter().find_map(|line| line["task"].as_u64()).expect("it has a number");
	let task = task.to_string();

	let (code, shown) = network.dgcs("owner", &["task", "show", &task]);
	let workers = shown[0]["workers"].as_array().expect("a list");
	assert_eq!((code, workers.len()), (Some(0), 3), "{shown:#?}");
	for worker in workers {
		assert_eq!((worker["agreed"].as_u64(), worker["dissented"].as_u64()), (Some(5), Some(0)));
		assert_eq!(worker["paid"], "5000000000");
	}
	assert_eq!(shown[0]["settlement"]["end"], "completed");

	// The machine is lost: the account and the chain are enough.
	let again = network.path("again");
	let fetch = ["task", "fetch", &task, "--out", text(&again), "--account", "//Alice"];
	let (code, said) = network.dgcs("another", &fetch);
	assert_eq!(code, Some(0), "{said:#?}");
	assert_eq!(std::fs::read_to_string(again.join("result")).expect("fetched"), lines);
	// And nobody else's account.
	let theirs = ["task", "fetch", &task, "--out", text(&again), "--account", "//Eve"];
	let (code, said) = network.dgcs("third", &theirs);
	assert_eq!(code, Some(1), "{said:#?}");

	// Results as files, joined by the program in a second task.
	let merged = network.path("merged");
	let split = ["--split", "bytes:100", "--join", "merge", "--out", text(&merged)];
	let run = [&["task", "run"], &asked[..], &split[..], &account[..]].concat();
	let (code, said) = network.dgcs("owner", &run);
	assert_eq!(code, Some(0), "{said:#?}");
	assert_eq!(std::fs::read_to_string(merged.join("result")).expect("merged"), lines);
}
