import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { reach, readTree, type Tree } from './tree.js';
import { isUpdating, PAGE, pageOf, readRecords, type ConnectorRecord } from '../helpers/connector-record.js';

/** Connectors whose source or sink has no record of the suite, or no contract test that makes one. */
function unproven(tree: Tree, records: Readonly<Record<string, ConnectorRecord>>): string[] {
  const made = [...tree.keys()].flatMap((path) => /^src\/(?:sources|sinks)\/([a-z]+)\.ts$/.exec(path)?.[1] ?? []);
  return [...new Set(made)].filter((name) => {
    const isRecorded = Object.entries(records).some(
      ([of, { proven }]) => of.toLowerCase().startsWith(name) && proven > 0,
    );
    const contracts = [...tree.keys()].filter((path) =>
      new RegExp(`^test/(contract|integration)/${name}[\\w-]*\\.contract\\.test\\.ts$`).test(path),
    );
    const isRun = contracts.some((path) => [...reach(tree, path).files].includes('test/helpers/connector-record.ts'));
    return !isRecorded || !isRun;
  });
}

describe('the page of connectors', () => {
  it('has a record for every source and sink, each made by the one suite (S0.8)', () => {
    const tree = readTree('src', 'test');
    expect(unproven(tree, readRecords())).toEqual([]);
    const without = Object.fromEntries(Object.entries(readRecords()).filter(([name]) => !name.startsWith('MQTT')));
    expect(unproven(tree, without)).toEqual(['mqtt']);
    const dry = new Map([...tree].filter(([path]) => path !== 'test/contract/file.contract.test.ts'));
    expect(unproven(dry, readRecords())).toEqual(['file']);
  });

  it('is made from the record of the suite, guarantees included (S2.15)', () => {
    const page = pageOf(readRecords());
    if (isUpdating) writeFileSync(PAGE, page);
    expect(readFileSync(PAGE, 'utf8')).toBe(page);
  });

  it('has a row for each feature that somebody has, and a reason for each case that is skipped', () => {
    const base = { ack: 'manual', confirms: 'local', flowControl: 'credit', headers: 'none' } as const;
    const one: ConnectorRecord = {
      guarantee: 'at least once',
      features: { ...base, backlog: true, finite: false },
      proven: 50,
      skipped: { 'needs the flag finite': ['SRC-04'] },
    };
    const other: ConnectorRecord = { ...one, guarantee: 'at most once', features: base, skipped: {} };
    const page = pageOf({ one, other });
    expect(page).toContain('|  | one | other |');
    expect(page).toContain('| guarantee | at least once | at most once |');
    expect(page).toContain('| keeps what comes while nobody reads | yes |  |');
    expect(page).toContain('### one\n\n- SRC-04: needs the flag finite\n');
    expect(page).not.toContain('ends by itself');
  });
});
