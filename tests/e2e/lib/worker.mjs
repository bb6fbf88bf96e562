// Workers that follow a script. They do on the chain just what a worker does, and compute nothing:
// the digest of a result follows from its place alone.

import { randomBytes } from 'node:crypto';

import { u8aToHex } from '@polkadot/util';

import { account, plain, send, until } from './chain.mjs';
import { bits, commitment, digestOf } from './votes.mjs';

/**
 * - honest
 * - liar: commits to and reveals other digests than everybody else
 * - silentAfterCommit: never reveals
 * - neverCommits: lets its lease lapse
 * - copycat: commits to what another worker has committed to, then shows what that one showed
 * - replayer: votes honestly on its first lease, and on each later one with that vote again
 * @typedef {'honest' | 'liar' | 'silentAfterCommit' | 'neverCommits' | 'copycat' | 'replayer'} Conduct
 */

const COMPUTE = 1;

/** What an honest worker finds for a subtask, in whatever round it is asked. */
export function truth(task, range, subtask) {
	return digestOf('result', task, range, subtask);
}

export class Worker {
	/**
	 * @param {import('@polkadot/api').ApiPromise} api
	 * @param {import('./chain.mjs').EventLog} log
	 * @param {string} name from which its two accounts are derived
	 * @param {object} [options]
	 * @param {Conduct} [options.conduct]
	 * @param {number} [options.slots]
	 * @param {number} [options.memoryMib] what a program may have on it
	 * @param {(vote: { task: number, range: number }) => unknown} [options.beforeReveal] is awaited
	 */
	constructor(api, log, name, options = {}) {
		const { conduct = 'honest', slots = 1, memoryMib = 1024, beforeReveal = () => {} } = options;
		Object.assign(this, { api, log, name, conduct, slots, memoryMib, beforeReveal });
		this.account = account(name);
		this.operator = account(`${name}//operator`);
		/** What it can reveal, by task, range and round. A copycat's are empty. */
		this.secrets = new Map();
		/** What it did, and what came of it: `{ what, task, range, fee, error }`. */
		this.actions = [];
	}

	get address() {
		return this.account.address;
	}

	/** The call that registers it. */
	registration() {
		const key = digestOf('key', this.name);
		const capacity = { slots: this.slots, memoryMib: this.memoryMib };
		return this.api.tx.workers.register(this.operator.address, key, capacity, COMPUTE);
	}

	/** Registers and begins to do what its leases oblige it to, or what its conduct makes of that. */
	async start() {
		await send(this.api, this.registration(), this.account);
		this.genesis = this.api.genesisHash.toHex();
		this.log.listen((event) => this.#react(event));
	}

	/**
	 * Asks for work, and returns what came of it: how many ranges it got, or why none.
	 * @param {number} [slots]
	 */
	async take(slots = this.slots) {
		const asked = await send(this.api, this.api.tx.tasks.take(slots), this.account);
		const answers = ['tasks.Served', 'tasks.NothingFound'];
		const { data } = await this.log.wait(answers, { worker: this.address }, { from: asked.block });
		return { ...asked, leased: data.leased ?? 0, reason: data.reason };
	}

	/** What it did of a kind. @param {'commit' | 'reveal'} what */
	did(what) {
		return this.actions.filter((action) => action.what === what);
	}

	#react({ pallet, name, data }) {
		const mine = data.worker === this.address;
		if (pallet === 'tasks' && name === 'Leased' && mine) {
			if (this.conduct === 'neverCommits') return;
			this.#act('commit', data, () => {
				return this.conduct === 'copycat' ? this.#copy(data) : this.#commit(data);
			});
		} else if (pallet === 'verdicts' && name === 'RevealStarted') {
			const secret = this.secrets.get(place(data));
			if (secret && !secret.copied) this.#act('reveal', data, () => this.#reveal(data, secret));
		} else if (pallet === 'verdicts' && name === 'Revealed') {
			const copied = this.secrets.get(place(data))?.copied === data.worker;
			if (copied) this.#act('reveal', data, () => this.#revealCopy(data));
		}
	}

	/** Does something on its own account, and writes down what came of it. */
	async #act(what, { task, range }, doIt) {
		try {
			const done = await doIt();
			if (!done) return;
			this.actions.push({ what, task, range, ...done });
		} catch (error) {
			this.actions.push({ what, task, range, error: error.name, fee: error.fee });
		}
	}

	async #commit({ task, range }) {
		// Before anything is awaited: two leases may come with one block.
		const salt = u8aToHex(randomBytes(32));
		this.first ??= { task, range, round: 0, salt };
		const { round, open } = await this.#vote(task, range);
		const now = { task, range, round, salt };
		// All tasks that a replayer meets have ranges of the same length.
		const voted = this.conduct === 'replayer' ? this.first : now;
		const digests = bits(open).map((subtask) => this.#digest(voted, subtask));
		const ballot = { ...voted, genesis: this.genesis };
		const hash = commitment(ballot, this.address, digests, voted.salt);
		this.secrets.set(place(now), { digests, salt: voted.salt });
		return send(this.api, this.api.tx.verdicts.commit(task, range, hash), this.account);
	}

	async #reveal({ task, range }, { digests, salt }) {
		if (this.conduct === 'silentAfterCommit') return null;
		await this.beforeReveal({ task, range });
		return send(this.api, this.api.tx.verdicts.reveal(task, range, digests, salt), this.account);
	}

	/** Commits to what another worker has committed to, without having computed anything. */
	async #copy({ task, range }) {
		const committed = (vote) => vote.seats.find((seat) => seat.state.Committed);
		const vote = await until(this.api, `somebody commits to range ${range}`, async () => {
			const vote = await this.#vote(task, range);
			return committed(vote) && vote;
		});
		const { worker, state } = committed(vote);
		this.secrets.set(place({ task, range, round: vote.round }), { copied: worker });
		const call = this.api.tx.verdicts.commit(task, range, state.Committed);
		return send(this.api, call, this.account);
	}

	/** Shows what the other one has shown, read from its transaction. */
	async #revealCopy({ task, range, worker }) {
		const { digests, salt } = await revealBy(this.api, worker, task, range);
		return send(this.api, this.api.tx.verdicts.reveal(task, range, digests, salt), this.account);
	}

	#digest({ task, range }, subtask) {
		if (this.conduct === 'liar') return digestOf('lie', this.name, task, range, subtask);
		return truth(task, range, subtask);
	}

	/** The vote on a range: round, open subtasks and seats. */
	async #vote(task, range) {
		const vote = await this.api.query.verdicts.ranges(task, range);
		if (vote.isNone) throw new Error(`nobody votes on range ${range} of task ${task}`);
		return { ...plain(vote), open: vote.unwrap().open.toBigInt() };
	}
}

/** What another worker revealed lately. */
async function revealBy(api, worker, task, range) {
	let hash = await api.rpc.chain.getBlockHash();
	for (let blocks = 0; blocks < 32; blocks++) {
		const { block } = await api.rpc.chain.getBlock(hash);
		for (const { method, signer } of block.extrinsics) {
			if (!api.tx.verdicts.reveal.is(method) || signer.toString() !== worker) continue;
			const [ofTask, ofRange, digests, salt] = method.args;
			if (ofTask.toNumber() === task && ofRange.toNumber() === range) {
				return { digests: digests.toJSON(), salt: salt.toHex() };
			}
		}
		hash = block.header.parentHash;
	}
	throw new Error(`${worker} did not reveal range ${range} of task ${task} lately`);
}

function place({ task, range, round }) {
	return `${task}/${range}/${round}`;
}

/**
 * Registered workers with enough money, all following their scripts.
 * @param {import('@polkadot/api').ApiPromise} api
 * @param {import('./chain.mjs').EventLog} log
 * @param {import('@polkadot/keyring/types').KeyringPair} sponsor pays for all
 * @param {Worker[]} workers
 */
export async function startWorkers(api, log, sponsor, workers) {
	const bond = BigInt(api.consts.workers.bond.toString());
	const spare = 10n * 10n ** 12n;
	const gifts = workers.flatMap((worker) => [
		api.tx.balances.transferKeepAlive(worker.address, bond * BigInt(worker.slots) + spare),
		// An operator's account has to be there for what it earns, however little that is.
		api.tx.balances.transferKeepAlive(worker.operator.address, spare),
	]);
	await send(api, api.tx.utility.batchAll(gifts), sponsor);
	await Promise.all(workers.map((worker) => worker.start()));
}
