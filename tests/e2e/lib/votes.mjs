// What a worker votes with, written down anew from the protocol: nothing here asks the chain how.

import { compactToU8a, bnToU8a, stringToU8a, u8aConcat, u8aToHex } from '@polkadot/util';
import { blake2AsU8a, decodeAddress, sha256AsU8a } from '@polkadot/util-crypto';

import { merkleRoot } from './merkle.mjs';

/** @typedef {{ genesis: string, task: number, range: number, round: number }} Ballot */

const number = (value, bits) => bnToU8a(value, { bitLength: bits, isLe: true });
const tag = (text) => u8aConcat(stringToU8a(text), new Uint8Array(16 - text.length));

/** The bytes of a hex string. */
export function bytes(hex) {
	return Uint8Array.from(Buffer.from(hex.slice(2), 'hex'));
}

/**
 * What a worker commits to: its digests under a salt, bound to ballot and worker.
 * @param {Ballot} ballot
 * @param {string} worker its address
 * @param {string[]} digests
 * @param {string} salt
 */
export function commitment(ballot, worker, digests, salt) {
	return u8aToHex(blake2AsU8a(u8aConcat(
		tag('dgcs/commit/v1'),
		bytes(ballot.genesis),
		number(ballot.task, 64),
		number(ballot.range, 32),
		number(ballot.round, 8),
		decodeAddress(worker),
		compactToU8a(digests.length),
		...digests.map(bytes),
		bytes(salt),
	)));
}

/** Any 32 bytes that follow from the words given. */
export function digestOf(...words) {
	return u8aToHex(sha256AsU8a(words.join('/')));
}

/**
 * The hash of a block of a work chain.
 * @param {object} block as stored
 */
export function workBlockHash(block) {
	return u8aToHex(blake2AsU8a(u8aConcat(
		tag('dgcs/work/v1'),
		number(block.task, 64),
		number(block.index, 32),
		bytes(block.parent),
		number(block.when, 32),
		number(block.openSubtasks, 32),
		number(block.range, 32),
		number(block.round, 8),
		compactToU8a(block.verdicts.length),
		...block.verdicts.map(verdict),
		bytes(block.receiptsRoot),
	)));
}

function verdict({ subtask, outcome }) {
	if (outcome === 'Failed') return u8aConcat(number(subtask, 8), [1]);
	return u8aConcat(number(subtask, 8), [0], bytes(outcome.Agreed));
}

/** Root over the verdicts of a block: its leaf of the solution root. */
export function verdictsRoot({ range, verdicts }) {
	return merkleRoot(verdicts.map((each) => u8aConcat(number(range, 32), verdict(each))));
}

/** Root over the receipts of a block. @param {object[]} receipts as in `verdicts.Decided` */
export function receiptsRoot(receipts) {
	return merkleRoot(receipts.map(({ worker, agreed, dissented, paid }) => u8aConcat(
		decodeAddress(worker),
		number(agreed, 32),
		number(dissented, 32),
		number(paid, 128),
	)));
}

/** The places of the bits that are set in a mask of up to 64. @param {bigint} mask */
export function bits(mask) {
	return Array.from({ length: 64 }, (_, i) => i).filter((i) => (mask >> BigInt(i)) & 1n);
}
