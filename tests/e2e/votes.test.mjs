// The encodings of this library against the test vectors of the protocol: without a node.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { encodeAddress } from '@polkadot/util-crypto';

import { rangeRoot } from './lib/merkle.mjs';
import { price } from './lib/task.mjs';
import { bytes, commitment } from './lib/votes.mjs';

const vectors = JSON.parse(readFileSync(new URL('../../docs/protocol-vectors.json', import.meta.url)));

describe('test vectors', () => {
	it('commitment', () => {
		const { worker, digests, salt, commitment: expected, ...ballot } = vectors.commitment;
		assert.equal(commitment(ballot, encodeAddress(worker), digests, salt), expected);
	});

	it('mountain range', () => {
		const leaves = vectors.accumulator.roots.map((_, i) => new Uint8Array(32).fill(i + 1));
		const roots = leaves.map((_, i) => rangeRoot(leaves.slice(0, i + 1)));
		assert.deepEqual(roots, vectors.accumulator.roots);
		assert.equal(bytes(roots[0]).length, 32);
	});

	it('price', () => {
		const { json, priceAtFivePercent } = vectors.taskSpec;
		const { rewards, reserve, masternodes } = price({ ...json, reward: BigInt(json.reward) }, 50_000_000n);
		const { rewards: a, reserve: b, masternodes: c } = priceAtFivePercent;
		assert.deepEqual([rewards, reserve, masternodes].map(String), [a, b, c]);
	});
});
