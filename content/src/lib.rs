#![doc = include_str!("../README.md")]

pub mod archive;
pub mod audit;
pub mod block;
pub mod content_id;
mod cut;
mod error;
mod index;
mod input;
mod join;
pub mod keys;
mod layout;
mod manifest;
pub mod merkle;
mod pool;
mod private;
mod result;
mod sealed;
mod shard;
mod steady;
mod task;
#[cfg(test)]
mod testing;
mod tree;

pub use block::{fetch, BlockSink, BlockSource, Directory, BLOCK_SIZE, MAX_BLOCK};
pub use cut::Cut;
pub use error::{CutError, Error, ManifestError, Result};
pub use input::{read_all, read_shared, EachPart, RangeInput};
pub use join::{Gap, Join, Joined, Results, Verdict};
pub use keys::{EncryptionSecret, OwnerSecret, Scope, ScopeKey, TaskKeys, TaskNonce};
pub use manifest::{
	is_shard_size, Holder, Job, Manifest, Shard, DEFAULT_SHARD_SIZE, MANIFEST_MARK, MAX_JOB,
	MAX_MANIFEST, MAX_SHARD_SIZE, MAX_SHARED_KEYS,
};
pub use private::{FileEntry, Form, Header, Merge, Private};
pub use result::{result_id, seal_result, Ending, Output};
pub use shard::{audit_shard, read_shard};
pub use task::{prepare, restore, Input, Masternode, Plan, Prepared};
pub use tree::{get_blob, get_blob_range, put_blob, read_blob, Blob, BlobWriter, Leaves};
