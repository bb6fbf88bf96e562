//! All of a tree, with many of its blocks in flight.

use std::{collections::HashSet, future::Future};

use dgcs_primitives::ContentId;
use futures::stream::{FuturesUnordered, StreamExt};

use crate::error::{Error, Result};

/// Visits `root` and all blocks below it, and lists them. `visit` sees to it that a block is here, and
/// says which blocks it names; it is called for up to `width` blocks at once, and for no block twice.
/// A tree of more than `most` blocks is refused before more of it is fetched.
pub(crate) async fn walk<F: Future<Output = Result<Vec<ContentId>>>>(
	root: ContentId,
	most: usize,
	width: usize,
	visit: impl Fn(ContentId) -> F,
) -> Result<Vec<ContentId>> {
	let mut found = HashSet::from([root]);
	let mut all = vec![root];
	// The last one first: children before siblings, so that few branches are open.
	let mut open = vec![root];
	let mut visits = FuturesUnordered::new();
	loop {
		while visits.len() < width {
			let Some(id) = open.pop() else { break };
			visits.push(visit(id));
		}
		let Some(children) = visits.next().await else { return Ok(all) };
		let new: Vec<_> = children?.into_iter().filter(|child| found.insert(*child)).collect();
		if found.len() > most {
			return Err(Error::TreeSize { root, limit: most });
		}
		all.extend(&new);
		open.extend(new.into_iter().rev());
	}
}

#[cfg(test)]
mod tests {
	use dgcs_content::content_id::raw;

	use super::*;

	/// A tree in which block `n` names blocks `2n + 1` and `2n + 2`, and block 0.
	fn below(id: ContentId, len: u32) -> Vec<ContentId> {
		let number = (0..len).find(|n| name(*n) == id).expect("one of these");
		let children = [2 * number + 1, 2 * number + 2].into_iter().filter(|child| *child < len);
		children.chain([0]).map(name).collect()
	}

	fn name(number: u32) -> ContentId {
		raw(&number.to_le_bytes())
	}

	#[tokio::test]
	async fn every_block_is_visited_once() {
		for width in [1, 7, 1000] {
			let visit = |id| async move { Ok(below(id, 100)) };
			let all = walk(name(0), 100, width, visit).await.expect("is small enough");
			assert_eq!(all.len(), 100);
			assert_eq!(all.into_iter().collect::<HashSet<_>>(), (0..100).map(name).collect());
		}
	}

	#[tokio::test]
	async fn a_tree_that_is_larger_than_it_says_is_refused() {
		let visit = |id| async move { Ok(below(id, 100)) };
		let Err(Error::TreeSize { root, limit: 99 }) = walk(name(0), 99, 8, visit).await else {
			panic!()
		};
		assert_eq!(root, name(0));
	}

	#[tokio::test]
	async fn the_first_error_ends_it() {
		let visit = |id| async move {
			if id == name(9) {
				return Err(Error::Missing(id));
			}
			Ok(below(id, 100))
		};
		let end = walk(name(0), 100, 4, visit).await;
		assert!(matches!(end, Err(Error::Missing(id)) if id == name(9)));
	}
}
