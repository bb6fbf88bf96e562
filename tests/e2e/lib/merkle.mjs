// The two kinds of tree that the chain commits to verdicts with, written down anew from the protocol.

import { u8aConcat, u8aToHex } from '@polkadot/util';
import { blake2AsU8a } from '@polkadot/util-crypto';

/**
 * Root of a binary Merkle tree: leaves are hashed once, an odd node is promoted.
 * @param {Uint8Array[]} leaves
 */
export function merkleRoot(leaves) {
	if (leaves.length === 0) return u8aToHex(new Uint8Array(32));
	let level = leaves.map((leaf) => blake2AsU8a(leaf));
	while (level.length > 1) {
		const next = [];
		for (let i = 0; i < level.length; i += 2) {
			next.push(i + 1 < level.length ? blake2AsU8a(u8aConcat(level[i], level[i + 1])) : level[i]);
		}
		level = next;
	}
	return u8aToHex(level[0]);
}

/**
 * Root of a Merkle mountain range.
 * @param {Uint8Array[]} roots of which the leaves are made
 */
export function rangeRoot(roots) {
	if (roots.length === 0) return u8aToHex(new Uint8Array(32));
	/** Mountains, left to right: how many leaves each has, and its peak. */
	const mountains = [];
	for (const root of roots) {
		let mountain = { leaves: 1, peak: blake2AsU8a(u8aConcat([0], root)) };
		while (mountains.at(-1)?.leaves === mountain.leaves) {
			const left = mountains.pop();
			mountain = { leaves: 2 * mountain.leaves, peak: join(left.peak, mountain.peak) };
		}
		mountains.push(mountain);
	}
	// The peak further right comes first.
	const bagged = mountains.map(({ peak }) => peak).reduceRight((right, left) => join(right, left));
	return u8aToHex(bagged);
}

function join(left, right) {
	return blake2AsU8a(u8aConcat([1], left, right));
}
