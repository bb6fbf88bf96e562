//! Settings.

use std::path::PathBuf;

use litep2p::types::multiaddr::Multiaddr;

/// Where blocks are: the one choice between the two stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Config {
	/// A small IPFS peer in this process. Nothing else needs to be installed.
	Embedded(Embedded),
	/// A Kubo daemon, for people who run IPFS already.
	Kubo(Kubo),
}

/// Settings of the IPFS peer in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedded {
	/// Where its blocks and its key are. One process may use it at a time.
	pub dir: PathBuf,
	/// Where it listens, as `/ip4/0.0.0.0/tcp/4101`. With nothing here it is reached by those alone
	/// that it connects to.
	pub listen: Vec<Multiaddr>,
	/// Where others reach it, if that is not where it listens: behind a router that forwards a port.
	pub external: Vec<Multiaddr>,
	/// Peers that it connects to, and stays connected to. Addresses end with `/p2p/` and a name.
	pub peers: Vec<Multiaddr>,
	/// How many bytes of blocks may be on the disk.
	pub capacity: u64,
}

impl Embedded {
	/// 64 GiB in `dir`, listening at any free port.
	pub fn new(dir: impl Into<PathBuf>) -> Self {
		let listen = "/ip4/0.0.0.0/tcp/0".parse().expect("this is an address; qed");
		Embedded {
			dir: dir.into(),
			listen: vec![listen],
			external: Vec::new(),
			peers: Vec::new(),
			capacity: 64 << 30,
		}
	}
}

/// Settings of the connection to a Kubo daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubo {
	/// Its RPC, as `http://127.0.0.1:5001`. Whoever reaches that can do all to the daemon: keep it on
	/// the loopback interface.
	pub url: String,
}

/// How much there is, and may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
	/// Bytes on disk.
	pub used: u64,
	/// Bytes that may be on disk.
	pub capacity: u64,
	/// Blocks on disk.
	pub blocks: u64,
	/// Pinned roots.
	pub pins: u64,
	/// Peers that are connected.
	pub peers: u64,
	/// Blocks received from peers since the start, as far as this store counts them: Kubo doesn't say.
	pub received: u64,
	/// Blocks sent to peers since the start, likewise.
	pub sent: u64,
}
