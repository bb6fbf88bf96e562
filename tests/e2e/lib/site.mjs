// A network on which real work is done: masternodes that say where they are reached, real workers,
// and owners with their folders.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

import { account, EventLog, rpc, send, until } from './chain.mjs';
import { dgcs, RealWorker } from './dgcs.mjs';
import { startDevelopment, startLocal } from './network.mjs';

/** The programs for the sandbox, by scripts/build-examples.sh. */
const PROGRAMS = process.env.DGCS_PROGRAMS;
/** Memory of a slot: 512 MiB for a program, and what it takes to serve it. */
const SLOT_MIB = 704;
const ROOT = new URL('../../../', import.meta.url).pathname;

/** Well-known accounts, so that they have money for their bond. */
const WORKERS = ['//Ferdie', ...['Alice', 'Bob', 'Charlie', 'Dave'].map((name) => `//${name}//stash`)];

export class Site {
	/**
	 * Four masternodes, or with `alone` one with a chain of its own.
	 * @param {string} name of the folder for its logs
	 * @param {{ alone?: boolean, stores?: Function }} [options] `stores` as `startLocal` takes it
	 */
	static async start(name, { alone = false, stores } = {}) {
		const site = new Site();
		site.network = await (alone ? startDevelopment(name) : startLocal(name, { stores }));
		try {
			await site.#open();
			return site;
		} catch (error) {
			await site.stop();
			throw error;
		}
	}

	async #open() {
		const { network } = this;
		this.folder = network.folder;
		/** @type {RealWorker[]} */
		this.workers = [];
		this.api = network.api('alice');
		this.log = await EventLog.follow(this.api);
		// Where owners and workers reach them: the chain's first state names other ports.
		const known = await rpc(this.api, 'dgcs_masternodes');
		await Promise.all([...network.nodes.values()].map(({ name, url }) => {
			const who = account(`//${name[0].toUpperCase()}${name.slice(1)}`);
			const { key } = known.find((each) => each.account === who.address);
			return send(this.api, this.api.tx.masternodes.update(key, url), who);
		}));
	}

	/**
	 * Starts workers, and returns once all are registered.
	 * @param {number} count
	 * @param {{ slots?: number, kubos?: import('./kubo.mjs').Kubo[], chain?: string }} [options] how many
	 * slots each has, the stores of the first so many, and the one node that all ask in place of any
	 */
	async hire(count, { slots = 1, kubos = [], chain } = {}) {
		const config = this.path('worker.toml');
		// As many as there are cores, and not more.
		const lent = `cores = "100%"\nmemory = ${slots * SLOT_MIB}`;
		writeFileSync(config, `nice = 5\nslot_memory_mib = ${SLOT_MIB}\n[idle]\n${lent}\n`);
		this.workers = WORKERS.slice(0, count).map((uri, i) => {
			return new RealWorker(this.network, `worker-${i + 1}`, uri, config, kubos[i], chain);
		});
		this.workers.forEach((worker) => worker.start());
		await until(this.api, 'the workers are registered', async () => {
			const ended = this.workers.find((worker) => worker.child.exitCode !== null);
			if (ended) throw new Error(`${ended.name} has ended; its log is ${ended.log}`);
			return (await this.api.query.workers.workers.keys()).length >= count;
		});
	}

	/** Something in the network's folder. */
	path(...names) {
		return path.join(this.folder, ...names);
	}

	/** A program for the sandbox. */
	program(name) {
		if (!PROGRAMS) throw new Error('DGCS_PROGRAMS is not set: scripts/test.sh work does so');
		return path.join(PROGRAMS, name);
	}

	/**
	 * Types an owner's command.
	 * @param {string} who whose folder it is
	 * @param {string[]} args
	 * @param {object} [options] those of `dgcs`
	 */
	owner(who, args, options) {
		const node = this.network.nodes.get('bob') ?? this.network.node('alice');
		return dgcs(node.url, this.path(who), args, options);
	}

	/** Runs an example at home, compiled for this machine. */
	native(name, args, input = Buffer.alloc(0)) {
		const program = this.path(name);
		if (!existsSync(program)) {
			const source = path.join(ROOT, 'examples', name, `${name}.c`);
			execFileSync('clang', ['-O2', '-ffp-contract=off', source, '-o', program, '-lm']);
		}
		return execFileSync(program, args, { input, maxBuffer: 2 ** 30 });
	}

	async stop() {
		this.log?.stop();
		await Promise.all(this.workers?.map((worker) => worker.kill()) ?? []);
		await this.network.stop();
	}
}

/** So many bytes of text that people have written: the crates that this is built from, none of it twice. */
export function realText(bytes) {
	const folder = path.join(process.env.CARGO_HOME ?? path.join(homedir(), '.cargo'), 'registry/src');
	const names = readdirSync(folder, { recursive: true }).filter((name) => /\.(md|rs)$/.test(name)).sort();
	const text = Buffer.alloc(bytes);
	let at = 0;
	for (const name of names) {
		at += readFileSync(path.join(folder, name)).copy(text, at);
		if (at === bytes) return text;
	}
	throw new Error(`there are ${at} bytes of text in ${folder}, and ${bytes} are wanted`);
}
