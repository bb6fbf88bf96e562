// One connection to a node: transactions, events and what is stored, in plain JavaScript values.

import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import { Enum, Option, Struct, Tuple } from '@polkadot/types';
import { cryptoWaitReady } from '@polkadot/util-crypto';

import { deadline, MINUTE } from './time.mjs';

/** @typedef {import('@polkadot/api').ApiPromise} ApiPromise */
/** @typedef {import('@polkadot/keyring/types').KeyringPair} KeyringPair */
/** @typedef {{ block: number, pallet: string, name: string, data: any }} Event */

/** How long to wait for something that takes a few blocks. */
export const SOON = 5 * MINUTE;

/**
 * Connects to a node.
 * @param {string} url
 */
export async function connect(url) {
	const provider = new WsProvider(url, 500);
	const api = new ApiPromise({ provider, noInitWarn: true });
	await deadline(api.isReadyOrError, MINUTE, `an answer from ${url}`);
	urls.set(api, url);
	return api;
}

/** Where each connection goes to. @type {WeakMap<ApiPromise, string>} */
const urls = new WeakMap();

await cryptoWaitReady();
const keyring = new Keyring({ type: 'sr25519' });

/** The well-known account, or one derived from the well-known phrase. @param {string} path */
export function account(path) {
	return keyring.addFromUri(path.startsWith('//') ? path : `//${path}`);
}

// Values ---------------------------------------------------------------------------------------

/**
 * A value of the chain as a plain one: amounts as BigInt, other numbers as numbers, accounts as
 * addresses, hashes as hex, a variant without content as its name, one with content as
 * `{ name: content }`, nothing as null.
 * @param {any} codec
 * @returns {any}
 */
export function plain(codec) {
	if (codec instanceof Option) return codec.isNone ? null : plain(codec.unwrap());
	if (codec instanceof Enum) {
		if (codec.isBasic || codec.isNone) return codec.type;
		return { [codec.type]: plain(codec.inner) };
	}
	if (codec instanceof Struct) return fields([...codec.keys()], [...codec.values()]);
	if (codec instanceof Tuple) return codec.map(plain);
	if (typeof codec.unwrap === 'function') return plain(codec.unwrap()); // Compact
	if (typeof codec.bitLength === 'function' && typeof codec.toBigInt === 'function') {
		// An amount is a BigInt however small it is.
		const exact = codec.bitLength() <= 64 && codec.toBigInt() <= Number.MAX_SAFE_INTEGER;
		return exact ? Number(codec.toBigInt()) : codec.toBigInt();
	}
	if (Array.isArray(codec)) return codec.map(plain);
	if (codec.isEmpty && codec.toRawType?.() === 'Null') return null;
	if (codec.toRawType?.() === 'bool') return codec.isTrue;
	return codec.toString();
}

/** polkadot.js adds an underscore to names that its own objects have, such as `hash`. */
function fields(names, values) {
	return Object.fromEntries(names.map((name, i) => [camel(name).replace(/_$/, ''), plain(values[i])]));
}

/** An event with its fields by name. */
function plainEvent(block, { event }) {
	const { section, method, data } = event;
	const names = data.names;
	return {
		block,
		pallet: section,
		name: method,
		data: names ? fields(names, [...data]) : [...data].map(plain),
	};
}

function camel(name) {
	return name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}

/**
 * What is stored under a key, as a plain value.
 * @param {Promise<any>} query
 */
export async function stored(query) {
	return plain(await query);
}

// Errors ---------------------------------------------------------------------------------------

/** A transaction that failed. `name` is `pallet.Error`, `system.BadOrigin` or the pool's words. */
export class ChainError extends Error {
	constructor(name, message) {
		super(`${name}: ${message}`);
		this.name = name;
	}
}

/** @param {ApiPromise} api */
function dispatchError(api, error) {
	if (!error.isModule) {
		const name = error.isToken ? `token.${error.asToken.type}` : `dispatch.${error.type}`;
		return new ChainError(name, error.toString());
	}
	const { section, name, docs } = api.registry.findMetaError(error.asModule);
	return new ChainError(`${section}.${name}`, docs.join(' '));
}

// Transactions ---------------------------------------------------------------------------------

/** The last transaction of each account that is on its way to the pool: one at a time. */
const queues = new Map();
/** The nonce after that. A node may take a moment until it counts what it has just accepted. */
const nonces = new Map();
/** What the pool says of a nonce that another transaction has. */
const TAKEN = /^1014: Priority is too low/;

/**
 * Signs a transaction, sends it and follows it to its end.
 * @param {ApiPromise} api
 * @param {import('@polkadot/api/types').SubmittableExtrinsic<'promise'>} tx
 * @param {KeyringPair} signer
 * @returns {Promise<{ block: number, hash: string, events: Event[], fee: bigint }>} once it is final
 * @throws {ChainError} if it was refused, or if it failed (once that is final)
 */
export async function send(api, tx, signer) {
	const label = `${tx.method.section}.${tx.method.method}`;
	let settle;
	const final = new Promise((resolve, reject) => (settle = { resolve, reject }));
	// A rejection may come before anybody waits for `final`.
	final.catch(() => {});

	const before = queues.get(signer.address) ?? Promise.resolve();
	const accepted = before.then(async () => {
		const watch = (result) => follow(api, result, label, settle);
		for (let tries = 0; ; tries++) {
			const known = (await api.rpc.system.accountNextIndex(signer.address)).toNumber();
			const nonce = Math.max(known, nonces.get(signer.address) ?? 0);
			try {
				const unsubscribe = await tx.signAndSend(signer, { nonce }, watch);
				nonces.set(signer.address, nonce + 1);
				return unsubscribe;
			} catch (error) {
				// A command of the same account's, at the same time, was faster.
				if (tries === 5 || !TAKEN.test(error.message)) throw error;
			}
		}
	});
	queues.set(signer.address, accepted.catch(() => {}));
	const unsubscribe = await accepted.catch((error) => {
		throw new ChainError('pool', error.message);
	});
	try {
		const { hash, index } = await deadline(final, SOON, `${label} to be final`);
		return await outcome(api, hash, index, signer.address);
	} catch (error) {
		// The one that never came leaves a gap, which the next one is to fill.
		if (!error.hash) nonces.delete(signer.address);
		throw error;
	} finally {
		unsubscribe();
	}
}

function follow(api, { status, txIndex, isError }, label, { resolve, reject }) {
	if (status.isFinalized) {
		resolve({ hash: status.asFinalized.toHex(), index: txIndex });
	} else if (isError) {
		reject(new ChainError('pool', `${label} was dropped: ${status.type}`));
	}
}

/**
 * The events of a block, in the types of the runtime that made them. Those of the block that brings a new
 * one are read by a fresh connection: one that takes over the new types just then mixes them up with the
 * old ones, for this block and for ever.
 */
async function eventsAt(api, hash) {
	const { parentHash } = await api.rpc.chain.getHeader(hash);
	const [before, after] = await Promise.all([parentHash, hash].map((block) => api.rpc.state.getRuntimeVersion(block)));
	const read = async (by) => (await by.at(hash)).query.system.events();
	if (before.specVersion.eq(after.specVersion)) {
		try {
			return await read(api);
		} catch (error) {
			if (!api.isConnected) throw error;
			console.error(`events of ${hash}, read once more:`, error.message);
		}
	}
	const fresh = await connect(urls.get(api));
	try {
		return await read(fresh);
	} finally {
		await fresh.disconnect();
	}
}

/** What a transaction did, by the events of its block. */
async function outcome(api, hash, index, signer) {
	const [header, records] = await Promise.all([
		api.rpc.chain.getHeader(hash),
		eventsAt(api, hash),
	]);
	const own = records.filter((record) => {
		return record.phase.isApplyExtrinsic && record.phase.asApplyExtrinsic.toNumber() === index;
	});
	const failed = own.find(({ event }) => api.events.system.ExtrinsicFailed.is(event));
	const block = header.number.toNumber();
	const events = own.map((record) => plainEvent(block, record));
	const paid = events.find(({ name, data }) => {
		return name === 'TransactionFeePaid' && data.who === signer;
	});
	const fee = paid ? paid.data.actualFee : 0n;
	if (failed) {
		const error = dispatchError(api, failed.event.data[0]);
		throw Object.assign(error, { block, hash, events, fee });
	}
	const sudo = own.find(({ event }) => api.events.sudo?.Sudid.is(event));
	if (sudo?.event.data[0].isErr) throw dispatchError(api, sudo.event.data[0].asErr);
	return { block, hash, events, fee };
}

/**
 * The one event of this kind.
 * @param {Event[]} events
 * @param {string} kind as `pallet.Name`
 */
export function only(events, kind) {
	const found = events.filter((event) => is(event, kind));
	if (found.length !== 1) throw new Error(`${found.length} events are ${kind}, not one`);
	return found[0].data;
}

/** Whether an event is of a kind and has these fields. */
export function is(event, kind, wanted = {}) {
	return `${event.pallet}.${event.name}` === kind &&
		Object.entries(wanted).every(([field, value]) => event.data[field] === value);
}

// Blocks ---------------------------------------------------------------------------------------

/** @param {ApiPromise} api */
export async function finalizedNumber(api) {
	const hash = await api.rpc.chain.getFinalizedHead();
	return (await api.rpc.chain.getHeader(hash)).number.toNumber();
}

/**
 * Waits until `check` returns something true, asking anew at every finalised block.
 * @template T
 * @param {ApiPromise} api
 * @param {string} what is waited for, as a sentence: "the first block is final"
 * @param {(api: ApiPromise, header: any) => T | Promise<T>} check
 * @param {number} [milliseconds]
 * @returns {Promise<T>} what `check` returned
 */
export async function until(api, what, check, milliseconds = SOON) {
	let unsubscribe = () => {};
	let last = 'none';
	let busy = false;
	const found = new Promise((resolve, reject) => {
		const ask = async (header) => {
			last = `#${header.number}`;
			if (busy) return;
			busy = true;
			try {
				const value = await check(api, header);
				if (value) resolve(value);
			} catch (error) {
				reject(error);
			} finally {
				busy = false;
			}
		};
		api.rpc.chain.subscribeFinalizedHeads(ask).then((stop) => (unsubscribe = stop), reject);
	});
	try {
		const why = () => `this: ${what} (last finalised block seen: ${last})`;
		return await deadline(found, milliseconds, why);
	} finally {
		unsubscribe();
	}
}

/**
 * Waits for the finalised block with this number, or a later one.
 * @param {ApiPromise} api
 * @param {number} number
 * @param {number} [milliseconds]
 */
export function reached(api, number, milliseconds) {
	const check = (_, header) => header.number.toNumber() >= number;
	return until(api, `block #${number} is final`, check, milliseconds);
}

/**
 * Waits until a node that was just started has what another one has, and takes transactions.
 * @param {ApiPromise} api
 * @param {ApiPromise} other
 */
export async function caughtUp(api, other) {
	await reached(api, await finalizedNumber(other));
	// While a node is behind, its pool checks transactions against a block of long ago.
	await until(api, 'the node is not behind', async () => !(await api.rpc.system.health()).isSyncing.isTrue);
	await reached(api, (await finalizedNumber(api)) + 2);
}

/** All events of finalised blocks from now on, in order, each block once. */
export class EventLog {
	/** @param {ApiPromise} api */
	static async follow(api) {
		const log = new EventLog(api);
		log.next = (await finalizedNumber(api)) + 1;
		log.unsubscribe = await api.rpc.chain.subscribeFinalizedHeads((header) => {
			log.#read(header.number.toNumber());
		});
		return log;
	}

	constructor(api) {
		this.api = api;
		/** @type {Event[]} */
		this.events = [];
		this.listeners = new Set();
		this.reading = Promise.resolve();
	}

	#read(upTo) {
		this.reading = this.reading.then(async () => {
			for (; this.next <= upTo; this.next++) {
				const hash = await this.api.rpc.chain.getBlockHash(this.next);
				const records = await eventsAt(this.api, hash);
				for (const record of records) {
					const event = plainEvent(this.next, record);
					this.events.push(event);
					this.listeners.forEach((listener) => listener(event));
				}
			}
		}).catch((error) => {
			if (this.api.isConnected) console.error(`events of block #${this.next}:`, error);
		});
	}

	/** Calls `listener` with every event that is in the log, and every one to come. */
	listen(listener) {
		this.events.forEach((event) => listener(event));
		this.listeners.add(listener);
		return () => this.listeners.delete(listener);
	}

	/** Those of a kind that are in the log. */
	all(kind, wanted) {
		return this.events.filter((event) => is(event, kind, wanted));
	}

	/**
	 * The first event of a kind, or of one of several, with these fields, from block `from` on.
	 * @param {string | string[]} kinds as `pallet.Name`
	 * @param {object} [wanted] fields that it has
	 * @param {{ from?: number, timeout?: number }} [options]
	 * @returns {Promise<Event>}
	 */
	async wait(kinds, wanted = {}, { from = 0, timeout = SOON } = {}) {
		let stop = () => {};
		const found = new Promise((resolve) => {
			stop = this.listen((event) => {
				const found = [kinds].flat().some((kind) => is(event, kind, wanted));
				if (event.block >= from && found) resolve(event);
			});
		});
		try {
			const what = () => `${kinds} ${JSON.stringify(wanted)} (block #${this.next} is next)`;
			return await deadline(found, timeout, what);
		} finally {
			stop();
		}
	}

	stop() {
		this.unsubscribe?.();
	}
}

// Accounts -------------------------------------------------------------------------------------

/**
 * What an account owns.
 * @param {ApiPromise} api
 * @param {string} address
 * @param {string} [hash] the block to look at; by default the best
 * @returns {Promise<{ free: bigint, reserved: bigint, total: bigint }>}
 */
export async function balance(api, address, hash) {
	const at = hash ? await api.at(hash) : api;
	const { free, reserved } = (await stored(at.query.system.account(address))).data;
	return { free, reserved, total: free + reserved };
}

/**
 * Calls a method that polkadot.js has no definition of. An error has `code`, `message` and `data`.
 * @param {ApiPromise} api
 * @param {string} method
 * @param {...any} params
 */
export function rpc(api, method, ...params) {
	return api._rpcCore.provider.send(method, params);
}
