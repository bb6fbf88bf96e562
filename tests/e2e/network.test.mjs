// Consensus: a network of four masternodes that lose one, crash, gain two, and catch a cheat.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { u8aToHex } from '@polkadot/util';

import { account, caughtUp, EventLog, finalizedNumber, reached, rpc, send, stored, until } from './lib/chain.mjs';
import { MASTERNODES, startLocal } from './lib/network.mjs';
import { MINUTE } from './lib/time.mjs';
import { digestOf } from './lib/votes.mjs';

const accounts = Object.fromEntries(['Alice', 'Bob', 'Charlie', 'Dave', 'Eve', 'Ferdie'].map((name) => {
	return [name.toLowerCase(), account(`//${name}`)];
}));
/** A session is a minute long; who is chosen in one becomes active two later. */
const SESSIONS = 8 * MINUTE;

describe('masternodes', () => {
	/** @type {import('./lib/network.mjs').Network} */
	let network;

	before(async () => {
		network = await startLocal('network');
	});

	after(() => network?.stop());

	/**
	 * Waits until it is final that the accounts named, and nobody else, are active. Before, those
	 * that were active in their place must not be stopped: they have to sign the change.
	 */
	async function active(api, ...names) {
		const wanted = names.map((name) => accounts[name].address).sort();
		await until(api, `${names} are active`, async (_, header) => {
			const at = await api.at(header.hash);
			const now = await stored(at.query.session.validators());
			return String(now.sort()) === String(wanted);
		}, SESSIONS);
	}

	/** Waits until each of the accounts named has authored a block that is final, from now on. */
	async function author(api, ...names) {
		const missing = new Set(names.map((name) => accounts[name].address));
		await until(api, `${names} author blocks`, async (_, header) => {
			const { author } = await api.derive.chain.getHeader(header.hash);
			missing.delete(author?.toString());
			return missing.size === 0;
		});
	}

	it('author and finalise together', async () => {
		await author(network.api('alice'), ...MASTERNODES);
		const number = await finalizedNumber(network.api('alice'));
		const hashes = await Promise.all(MASTERNODES.map(async (name) => {
			await reached(network.api(name), number);
			return (await network.api(name).rpc.chain.getBlockHash(number)).toHex();
		}));
		assert.equal(new Set(hashes).size, 1, 'all have the same block');
	});

	it('go on while one is gone, which catches up when it is back', async () => {
		await network.node('dave').kill();
		const alice = network.api('alice');
		const number = await finalizedNumber(alice);
		await reached(alice, number + 8);
		await author(alice, 'alice', 'bob', 'charlie');

		const dave = await network.node('dave').start(network.peers(network.node('dave')));
		await reached(dave, await finalizedNumber(alice));
		await author(alice, 'dave');
	});

	it('go on where they were after all of them were killed', async () => {
		const number = await finalizedNumber(network.api('alice'));
		const hash = (await network.api('alice').rpc.chain.getBlockHash(number)).toHex();
		await network.kill();
		await network.start();
		await Promise.all(MASTERNODES.map((name) => reached(network.api(name), number + 5)));
		for (const name of MASTERNODES) {
			const now = (await network.api(name).rpc.chain.getBlockHash(number)).toHex();
			assert.equal(now, hash, `${name} still has what was final`);
		}
	});

	it('let others join by transactions alone', async () => {
		const alice = network.api('alice');
		await Promise.all(['eve', 'ferdie'].map((name) => join(name)));
		await active(alice, ...MASTERNODES, 'eve', 'ferdie');
		await author(alice, 'eve', 'ferdie');
		const listed = await rpc(alice, 'dgcs_masternodes');
		assert.equal(listed.length, 6);
		assert.ok(listed.every((each) => each.active));
	});

	/** Starts a node that knows one other, makes keys on it, registers them, bonds. */
	async function join(name) {
		const who = accounts[name];
		const node = await network.add(name, ['--name', name]);
		const api = await node.start(['--bootnodes', network.node('alice').address]);
		await caughtUp(api, network.api('alice'));

		const bond = BigInt(api.consts.masternodes.minBond.toString());
		const address = `http://127.0.0.1:${node.rpcPort}`;
		const call = api.tx.masternodes.join(bond, digestOf(name), address);
		await assert.rejects(send(api, call, who), { name: 'masternodes.NoSessionKeys' });

		const made = await rpc(api, 'author_rotateKeysWithOwner', u8aToHex(who.publicKey));
		const register = api.tx.session.setKeys(made.keys, made.proof);
		// The proof says whose keys they are: nobody else can take them.
		await assert.rejects(send(api, register, accounts.bob), { name: 'session.InvalidProof' });
		await send(api, register, who);
		await send(api, call, who);
		await assert.rejects(send(api, call, who), { name: 'masternodes.AlreadyCandidate' });

		const listed = (await rpc(api, 'dgcs_masternodes')).find((each) => each.account === who.address);
		assert.deepEqual([listed.bond, listed.address, listed.active], [String(bond), address, false]);
	}

	it('pay for the blocks that they author', async () => {
		const alice = network.api('alice');
		const log = await EventLog.follow(alice);
		await send(alice, alice.tx.system.remark('0x00'), account('//Ferdie'));
		const { data } = await log.wait('masternodes.Rewarded');
		assert.ok(data.amount > 0n && data.authored > 0);
		log.stop();
	});

	it('catch one that runs twice, and let one leave', async () => {
		const alice = network.api('alice');
		const log = await EventLog.follow(alice);
		const bond = async (name) => {
			return (await stored(alice.query.masternodes.candidates(accounts[name].address)))?.bond;
		};
		const daves = await bond('dave');
		const charlies = await bond('charlie');

		await send(alice, alice.tx.masternodes.leave(), accounts.charlie);
		const twin = await network.add('dave-twin', ['--dave']);
		await twin.start(network.peers(twin));
		const who = accounts.dave.address;
		const slashed = await log.wait('masternodes.Slashed', { who }, { timeout: SESSIONS });
		const [offence] = log.all('offences.Offence');
		assert.ok(offence, 'the offence is on record');
		assert.ok(slashed.data.amount > 0n);
		const chilled = await log.wait('masternodes.Chilled', { who });
		assert.ok(chilled.data.amount < daves);
		await twin.stop();

		await active(alice, 'alice', 'bob', 'eve', 'ferdie');
		await Promise.all(['charlie', 'dave'].map((name) => network.node(name).stop()));
		await author(alice, 'alice', 'bob', 'eve', 'ferdie');
		assert.equal(await bond('dave'), undefined);
		const unbonding = await stored(alice.query.masternodes.unbonding(accounts.charlie.address));
		assert.equal(unbonding.amount, charlies, 'who leaves in peace keeps its bond');
		await assert.rejects(
			send(alice, alice.tx.masternodes.withdraw(accounts.charlie.address), accounts.charlie),
			{ name: 'masternodes.NotDue' },
			'but not at once',
		);
		await assert.rejects(
			send(alice, alice.tx.masternodes.leave(), accounts.charlie),
			{ name: 'masternodes.NotCandidate' },
		);
		await assert.rejects(
			send(alice, alice.tx.masternodes.leave(), accounts.bob),
			{ name: 'masternodes.TooFewLeft' },
			'four are the fewest',
		);
		log.stop();
	});
});
