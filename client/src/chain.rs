//! A chain: connected to, followed and read.

use std::{
	collections::{BTreeMap, VecDeque},
	future::Future,
	sync::{Arc, Mutex, PoisonError},
};

use codec::{Decode, Encode};
use futures::{stream, Stream, StreamExt};
use serde::de::DeserializeOwned;
use sp_core::H256;
use subxt::{
	config::substrate::SubstrateHeader,
	rpcs::{client::RpcParams, rpc_params},
	Metadata,
};
use tokio::{sync::watch, task::AbortHandle};

use crate::{
	error::Error,
	event::Events,
	read::At,
	runtime::{spec_version, Runtime},
	transport::{within, Options, Transport},
	Result,
};

/// A block by its number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
	/// Its place in the chain.
	pub number: u32,
	/// Its name.
	pub hash: H256,
}

/// Where the chain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
	/// The last block that can't be undone any more.
	pub finalized: Head,
	/// The last block of the chain that authors build on. It may still be undone.
	pub best: Head,
}

/// The versions of metadata that are understood, best first.
const METADATA_VERSIONS: [u32; 2] = [16, 15];

/// How many blocks' contents are remembered.
const MOST_BODIES: usize = 256;

/// Storage key of the events of a block: `twox_128("System") ‖ twox_128("Events")`.
const EVENTS_KEY: &str = "0x26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7";

/// How nodes say that they don't have a block (sp-blockchain, `Error::UnknownBlock`, and sp-api's).
const UNKNOWN_BLOCK: [&str; 2] = ["UnknownBlock", "unknown Block"];

/// How nodes say that they have a block, and its state no more (sc-client-db).
const STATE_DISCARDED: [&str; 2] = ["State already discarded", "state already discarded"];

type Header = SubstrateHeader<H256>;

/// A connection to a chain through whichever of several nodes answers. Cheap to clone; closed when
/// the last clone is gone.
#[derive(Clone, Debug)]
pub struct Chain {
	inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
	transport: Arc<Transport>,
	genesis: H256,
	heads: watch::Receiver<Heads>,
	/// The runtimes that were met, by their version.
	runtimes: Mutex<BTreeMap<u32, Runtime>>,
	bodies: Mutex<VecDeque<(H256, Arc<Body>)>>,
	follower: AbortHandle,
}

impl Drop for Inner {
	fn drop(&mut self) {
		self.follower.abort();
	}
}

/// A block, as nodes give it.
#[derive(serde::Deserialize)]
struct SignedBlock {
	block: Block,
}

#[derive(serde::Deserialize)]
struct Block {
	header: Header,
	/// In hexadecimal digits.
	extrinsics: Vec<String>,
}

/// What is in a block, as far as needed to find a transaction.
#[derive(Debug)]
pub(crate) struct Body {
	pub number: u32,
	pub parent: H256,
	/// The hashes of its transactions, in order.
	pub transactions: Vec<H256>,
}

impl Chain {
	/// Connects to the first of `urls` that answers, is of the chain with `options.genesis`, and is
	/// not behind. Fails if the chain's runtime is none that this program can talk to.
	pub async fn connect<Url: Into<String>>(
		urls: impl IntoIterator<Item = Url>,
		options: Options,
	) -> Result<Self> {
		let urls = urls.into_iter().map(Into::into).collect();
		let transport = Arc::new(Transport::new(urls, options)?);
		let genesis = transport.genesis().await?;
		let best = head(&header(&transport, None).await?)?;
		let finalized: H256 = transport.request("chain_getFinalizedHead", RpcParams::new()).await?;
		let finalized = head(&header(&transport, Some(finalized)).await?)?;
		let (sender, heads) = watch::channel(Heads { finalized, best });
		let follower = tokio::spawn(follow(transport.clone(), sender)).abort_handle();
		let chain = Chain {
			inner: Arc::new(Inner {
				transport,
				genesis,
				heads,
				runtimes: Mutex::default(),
				bodies: Mutex::default(),
				follower,
			}),
		};
		let runtime = chain.runtime(best.hash).await?;
		if runtime.spec_version != spec_version() {
			log::info!(
				target: "client",
				"The chain runs runtime {}, this program was made for {}; what it uses is the same",
				runtime.spec_version,
				spec_version(),
			);
		}
		Ok(chain)
	}

	/// Hash of the chain's first block.
	pub fn genesis(&self) -> H256 {
		self.inner.genesis
	}

	/// The URL of the node that is asked at the moment.
	pub async fn url(&self) -> Result<String> {
		Ok(self.inner.transport.url().await?.to_string())
	}

	/// Where the chain is, as far as is known here.
	pub fn heads(&self) -> Heads {
		*self.inner.heads.borrow()
	}

	/// Waits until the chain has moved on from `last`, and says where it is. Fails if the connection
	/// is closed.
	pub async fn moved(&self, last: Heads) -> Result<Heads> {
		let mut heads = self.inner.heads.clone();
		let heads = heads.wait_for(|heads| *heads != last).await.map_err(|_| Error::Closed)?;
		Ok(*heads)
	}

	/// Every new best block. Those that come while nobody asks are passed over.
	pub fn best_heads(&self) -> impl Stream<Item = Head> + Send + Unpin + use<> {
		let heads = self.inner.heads.clone();
		let chain = self.clone();
		let steps = stream::unfold((heads, chain, None), |(mut heads, chain, last)| async move {
			let best = heads.wait_for(|heads| Some(heads.best) != last).await.ok()?.best;
			Some((best, (heads, chain, Some(best))))
		});
		Box::pin(steps)
	}

	/// Every finalised block, none left out, from number `from` on or else from the last one. An
	/// error is about one attempt: the stream goes on with the same block.
	pub fn finalized_heads(
		&self,
		from: Option<u32>,
	) -> impl Stream<Item = Result<Head>> + Send + Unpin + use<> {
		self.each_finalized(from, |_, head| async move { Ok(head) })
	}

	/// The events of every finalised block, as [`Chain::finalized_heads`] gives the blocks. One whose
	/// events nobody has any more ([`Error::StateDiscarded`]) ends no stream and is never passed over.
	pub fn finalized_events(
		&self,
		from: Option<u32>,
	) -> impl Stream<Item = Result<Events>> + Send + Unpin + use<> {
		self.each_finalized(from, |chain, head| async move { chain.events(head).await })
	}

	/// What is read of every finalised block.
	fn each_finalized<T, F, Reading>(
		&self,
		from: Option<u32>,
		read: F,
	) -> impl Stream<Item = Result<T>> + Send + Unpin + use<T, F, Reading>
	where
		T: Send,
		F: Fn(Chain, Head) -> Reading + Send,
		Reading: Future<Output = Result<T>> + Send,
	{
		let next = from.unwrap_or(self.heads().finalized.number);
		let steps = stream::unfold((self.clone(), next, read), |(chain, next, read)| async move {
			let mut heads = chain.inner.heads.clone();
			let last = heads.wait_for(|heads| heads.finalized.number >= next).await.ok()?.finalized;
			let result = match chain.block_at(next, last).await {
				Ok(head) => read(chain.clone(), head).await,
				Err(error) => Err(error),
			};
			let next = if result.is_ok() { next.saturating_add(1) } else { next };
			Some((result, (chain, next, read)))
		});
		Box::pin(steps)
	}

	/// The block with this number, which is no later than `last`.
	async fn block_at(&self, number: u32, last: Head) -> Result<Head> {
		if number == last.number {
			return Ok(last);
		}
		let hash: Option<H256> = self.request("chain_getBlockHash", rpc_params![number]).await?;
		let hash = hash.ok_or(Error::UnknownBlock { block: format!("#{number}") })?;
		Ok(Head { number, hash })
	}

	/// The state as of the last finalised block: nothing read there can be undone.
	pub async fn at_finalized(&self) -> Result<At> {
		self.at(self.heads().finalized).await
	}

	/// The state as of the best block: the newest, and it may be undone.
	pub async fn at_best(&self) -> Result<At> {
		self.at(self.heads().best).await
	}

	/// The state as of a block. Nodes keep that of the last few hundred finalised blocks, or of all.
	pub async fn at(&self, block: Head) -> Result<At> {
		let runtime = self.runtime(block.hash).await?;
		Ok(At::new(self.clone(), block, runtime))
	}

	/// The block with this hash.
	pub async fn block(&self, hash: H256) -> Result<Head> {
		head(&header(&self.inner.transport, Some(hash)).await?)
	}

	/// What happened in a block.
	pub async fn events(&self, block: Head) -> Result<Events> {
		let runtime = self.runtime(block.hash).await?;
		let params = rpc_params![EVENTS_KEY, block.hash];
		let bytes: Option<String> = self.request("state_getStorage", params).await?;
		let bytes = match bytes {
			Some(text) => unhex("state_getStorage", &text)?,
			None => Vec::new(),
		};
		Ok(Events::new(block, &runtime.offline, bytes))
	}

	/// Calls any method of a node's JSON-RPC. A request may arrive twice.
	pub async fn request<T: DeserializeOwned>(&self, method: &str, params: RpcParams) -> Result<T> {
		// The SDK's client error has one code for all that it is about.
		let says = |message: &str, what: &[&str]| what.iter().any(|part| message.contains(part));
		self.inner.transport.request(method, params).await.map_err(|error| match error {
			// First: they call such a block unknown as well.
			Error::Refused { message, .. } if says(&message, &STATE_DISCARDED) => {
				Error::StateDiscarded { message }
			},
			Error::Refused { message, .. } if says(&message, &UNKNOWN_BLOCK) => {
				Error::UnknownBlock { block: message }
			},
			error => error,
		})
	}

	/// Calls a function of the runtime, as of a block.
	pub(crate) async fn call<T: Decode>(
		&self,
		function: &str,
		arguments: &[u8],
		at: H256,
	) -> Result<T> {
		let arguments = format!("0x{}", hex::encode(arguments));
		let answer: String =
			self.request("state_call", rpc_params![function, arguments, at]).await?;
		let bytes = unhex(function, &answer)?;
		T::decode(&mut &bytes[..]).map_err(|error| Error::answer(function, error))
	}

	/// The runtime as of a block: fetched and checked when its version is new here.
	pub(crate) async fn runtime(&self, at: H256) -> Result<Runtime> {
		#[derive(serde::Deserialize)]
		#[serde(rename_all = "camelCase")]
		struct Version {
			spec_version: u32,
			transaction_version: u32,
		}
		let Version { spec_version, transaction_version } =
			self.request("state_getRuntimeVersion", rpc_params![at]).await?;
		let known = lock(&self.inner.runtimes).get(&spec_version).cloned();
		if let Some(runtime) = known {
			return Ok(runtime);
		}
		let metadata = self.metadata(at).await?;
		let runtime = Runtime::new(self.genesis(), spec_version, transaction_version, metadata)?;
		lock(&self.inner.runtimes).insert(spec_version, runtime.clone());
		Ok(runtime)
	}

	async fn metadata(&self, at: H256) -> Result<Metadata> {
		for version in METADATA_VERSIONS {
			let function = "Metadata_metadata_at_version";
			let bytes: Option<Vec<u8>> = self.call(function, &version.encode(), at).await?;
			if let Some(bytes) = bytes {
				return Metadata::decode_from(&bytes)
					.map_err(|error| Error::answer(function, error));
			}
		}
		Err(Error::answer("the metadata", "it has neither version 16 nor 15"))
	}

	/// Whether a transaction of the block has these bytes in it. Nodes keep the transactions of all blocks,
	/// unless they are told otherwise.
	pub async fn mentions(&self, block: Head, bytes: &[u8]) -> Result<bool> {
		let method = "chain_getBlock";
		let SignedBlock { block } = self.signed_block(block.hash).await?;
		for transaction in &block.extrinsics {
			if unhex(method, transaction)?.windows(bytes.len()).any(|part| part == bytes) {
				return Ok(true);
			}
		}
		Ok(false)
	}

	async fn signed_block(&self, hash: H256) -> Result<SignedBlock> {
		let block: Option<SignedBlock> = self.request("chain_getBlock", rpc_params![hash]).await?;
		block.ok_or_else(|| Error::UnknownBlock { block: format!("{hash:?}") })
	}

	/// What is in a block.
	pub(crate) async fn body(&self, hash: H256) -> Result<Arc<Body>> {
		let known = |bodies: &VecDeque<(H256, Arc<Body>)>| {
			bodies.iter().find(|(other, _)| *other == hash).map(|(_, body)| body.clone())
		};
		if let Some(body) = known(&lock(&self.inner.bodies)) {
			return Ok(body);
		}
		let SignedBlock { block } = self.signed_block(hash).await?;
		let transactions = block.extrinsics.iter().map(|transaction| {
			// The hash of a transaction is that of its bytes, their length before them included.
			Ok(blake2_256(&unhex("chain_getBlock", transaction)?))
		});
		let body = Arc::new(Body {
			number: head(&block.header)?.number,
			parent: block.header.parent_hash,
			transactions: transactions.collect::<Result<_>>()?,
		});
		let mut bodies = lock(&self.inner.bodies);
		bodies.truncate(MOST_BODIES - 1);
		bodies.push_front((hash, body.clone()));
		Ok(body)
	}
}

/// Keeps `heads` where the chain is, whichever node says so.
async fn follow(transport: Arc<Transport>, heads: watch::Sender<Heads>) {
	loop {
		// Errors are the transport's: it has left the node, and waited if there was no other.
		if let Err(error) = follow_one(&transport, &heads).await {
			log::warn!(target: "client", "The chain can't be followed at the moment: {error}");
			tokio::time::sleep(RETRY).await;
		}
	}
}

/// How long to wait before nodes are looked for again that were looked for long enough already.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// Follows one node, until it is lost or has no new block for too long.
async fn follow_one(transport: &Transport, heads: &watch::Sender<Heads>) -> Result<()> {
	let (link, mut best) = transport
		.subscribe::<Header>("chain_subscribeNewHeads", "chain_unsubscribeNewHeads")
		.await?;
	let (other, mut finalized) = transport
		.subscribe::<Header>("chain_subscribeFinalizedHeads", "chain_unsubscribeFinalizedHeads")
		.await?;
	if !link.is(&other) {
		return Ok(());
	}
	let stall = transport.options().stall;
	let lost = loop {
		let news = async {
			tokio::select! {
				header = best.next() => (header, false),
				header = finalized.next() => (header, true),
			}
		};
		let (header, is_final) = match within(stall, "a new block", news).await {
			Ok((Some(Ok(header)), is_final)) => (header, is_final),
			Ok((Some(Err(error)), _)) | Err(error) => break error,
			Ok((None, _)) => break Error::Closed,
		};
		let head = head(&header)?;
		heads.send_if_modified(|heads| {
			let before = *heads;
			if !is_final {
				heads.best = head;
			} else if head.number > heads.finalized.number {
				// Never back: a node that is behind says what is known already.
				heads.finalized = head;
			}
			*heads != before
		});
	};
	transport.leave(&link, &lost).await;
	Ok(())
}

async fn header(transport: &Transport, hash: Option<H256>) -> Result<Header> {
	let header: Option<Header> = transport.request("chain_getHeader", rpc_params![hash]).await?;
	let unknown = || hash.map_or("that is best".into(), |hash| format!("{hash:?}"));
	header.ok_or_else(|| Error::UnknownBlock { block: unknown() })
}

fn head(header: &Header) -> Result<Head> {
	let number = u32::try_from(header.number)
		.map_err(|_| Error::answer("a header", format!("block number {}", header.number)))?;
	Ok(Head { number, hash: blake2_256(&header.encode()) })
}

/// The bytes that a node wrote as `0x` and hexadecimal digits.
pub(crate) fn unhex(what: &str, text: &str) -> Result<Vec<u8>> {
	let digits = text.strip_prefix("0x").unwrap_or(text);
	hex::decode(digits).map_err(|error| Error::answer(what, error))
}

/// The chain's hash, of blocks and transactions alike.
pub(crate) fn blake2_256(bytes: &[u8]) -> H256 {
	H256::from_slice(blake2b_simd::Params::new().hash_length(32).hash(bytes).as_bytes())
}

/// Nothing that is guarded here can be left half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
