// Adds accounts to the state of a raw chain specification: fill-state.mjs SPEC COUNT. They are of no
// use but to make the state as large as that of a chain that many people use.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

const [file, count] = process.argv.slice(2);
const spec = JSON.parse(readFileSync(file));
// The prefix of `System::Account`, whose keys end with the account, and a hash of it before.
const ACCOUNTS = '0x26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9';
const hash = (index, length) =>
	createHash('shake256', { outputLength: length }).update(`account ${index}`).digest('hex');
for (let index = 0; index < Number(count); index++) {
	spec.genesis.raw.top[ACCOUNTS + hash(index, 48)] = `0x${hash(index, 80)}`;
}
writeFileSync(file, JSON.stringify(spec));
