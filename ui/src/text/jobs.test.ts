import { describe, expect, test } from 'vitest';
import type { HeroAccount } from '../bindings/HeroAccount';
import type { Setup } from '../bindings/Setup';
import { accountName, accountWords, jobOf } from './jobs';
import { accountOf, kindOf } from './names';

const account = (id: number, name: string) => ({ id, name }) as HeroAccount;
const setupOf = (...accounts: HeroAccount[]) => ({ hero: { accounts } }) as Setup;

describe('exchanges of an account', () => {
  test.each([
    ['hero-students', 'hero-students', 1],
    ['hero-attendance-2', 'hero-attendance', 2],
    ['hero-teachers-12', 'hero-teachers', 12],
    ['raptor-roster', 'raptor-roster', 1],
  ] as const)('%s is %s of account %i', (job, kind, id) => {
    expect(kindOf(job)).toBe(kind);
    expect(accountOf(job)).toBe(id);
    expect(jobOf(kind, id)).toBe(job);
  });

  test('an account is named only where there are several', () => {
    expect(accountWords('hero-students', setupOf(account(1, 'Hero')))).toBeUndefined();
    const two = setupOf(account(1, 'Hero'), account(2, ' Cedar Ridge '));
    expect(accountWords('hero-students-2', two)).toBe('Cedar Ridge');
    expect(accountWords('hero-students-3', two)).toBe('Account 3');
    expect(accountWords('raptor-roster', two)).toBeUndefined();
    expect(accountName(account(4, '  '))).toBe('Account 4');
  });
});
