import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isUpdating, PAGE, pageOf, readRecords, type ConnectorRecord } from '../helpers/connector-record.js';

describe('the page of connectors', () => {
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
