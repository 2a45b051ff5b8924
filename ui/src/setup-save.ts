/** Saves of the set-up that lose nobody's changes: what was entered here and what was changed elsewhere are put together. */

import { SETUP_CHANGED, toFault, type Backend, type SecretName } from './backend';
import { ownFault } from './backend/own';
import type { Fault } from './bindings/Fault';
import type { Setup } from './bindings/Setup';
import type { SetupView } from './bindings/SetupView';
import { say } from './text/say';

/** Whose value counts where both have changed the same. */
export type Keep = 'mine' | 'theirs';

/** Something that was changed here and elsewhere, each in its own way. */
export interface Clash {
  /** The way to it in the set-up: keys, and names of rows. */
  path: string[];
  mine: unknown;
  theirs: unknown;
  /** Each has added something of its own under the same id: what refers to one must not come to the other. */
  sameId?: true;
}

/** Asks the person; undefined when nothing is to be saved. */
export type Ask = (clashes: Clash[]) => Promise<Keep | undefined>;

/** How often the set-up may change under a save before that is told. */
const ROUNDS = 5;

/** The one of these that the rows of a list have names them. */
const NAMES = ['id', 'job', 'building', 'reason'];

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether both say the same; a key without a value is none. */
function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => same(item, b[index]));
  }
  if (!isFields(a) || !isFields(b)) return a === b;
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => same(a[key], b[key]));
}

/** The rows by their names; undefined where they have none or one of them twice. */
function named(lists: unknown[]): Map<string, Fields>[] | undefined {
  const rows = lists.flat();
  const name = NAMES.find((key) => rows.every((row) => isFields(row) && ['string', 'number'].includes(typeof row[key])));
  if (name === undefined) return undefined;
  const maps = lists.map((list) => new Map((list as Fields[]).map((row) => [String(row[name]), row])));
  return maps.every((map, index) => map.size === (lists[index] as Fields[]).length) ? maps : undefined;
}

/**
 * Parts whose fields mean something only together: a server and who signs in there, a connection and a folder on it, a time
 * and the zone of its clock. Put together from two people's changes they would be what neither has meant.
 */
function together(path: string[]): string[] {
  if (path.at(-2) === 'connections') return ['protocol', 'host', 'port', 'username', 'sign_in'];
  switch (path.at(-1)) {
    case 'powerschool':
      return ['url', 'client_id'];
    case 'mail':
      return ['host', 'port', 'security', 'username'];
    case 'connection':
      return ['connection', 'folder'];
    case 'proxy':
      return ['mode', 'url', 'username'];
    case 'hero_side':
      return ['zone', 'imports_at', 'exports_at'];
    case 'window':
      return ['zone', 'opens'];
    case 'schedule':
      return ['when', 'zone'];
    default:
      return [];
  }
}

/** Whether a secret would be used at the same place by both: for the same server, by the same user. */
export function samePlace(secret: SecretName, one: Setup, other: Setup): boolean {
  const [placeInOne, placeInOther] = [one, other].map(({ connections, mail, powerschool }) => {
    const place = (name: string, fields: Fields | undefined) =>
      together(['', name]).map((key) => fields?.[key]);
    switch (secret) {
      case 'powerschool.client-secret':
        return place('powerschool', { ...powerschool });
      case 'proxy.password':
        return place('proxy', { ...powerschool.proxy });
      case 'smtp.password':
        return place('mail', { ...mail });
      default: {
        const connection = connections.find(({ id }) => secret.startsWith(`${id}.`));
        return connection && together(['connections', connection.id]).map((key) => (connection as unknown as Fields)[key]);
      }
    }
  });
  return same(placeInOne, placeInOther);
}

/** What only has a meaning as a whole: a value of one of several kinds. */
function isWhole(value: unknown): boolean {
  return isFields(value) && 'kind' in value;
}

function mergeValue(base: unknown, mine: unknown, theirs: unknown, path: string[], keep: Keep, clashes: Clash[]): unknown {
  if (same(mine, theirs) || same(mine, base)) return theirs;
  if (same(theirs, base)) return mine;
  const all = [base, mine, theirs];
  if (all.every(isFields) && !all.some(isWhole)) {
    const keys = new Set(all.flatMap((value) => Object.keys(value as Fields)));
    const merged: Fields = {};
    const [of, by, from] = all.map((value) => together(path).map((key) => (value as Fields)[key]));
    const both = !same(of, by) && !same(of, from) && !same(by, from) ? together(path) : [];
    for (const key of keys) {
      const [of, by, from] = all.map((value) => (value as Fields)[key]);
      if (both.includes(key) && !same(by, from)) {
        clashes.push({ path: [...path, key], mine: by, theirs: from });
        const kept = keep === 'mine' ? by : from;
        if (kept !== undefined) merged[key] = kept;
        continue;
      }
      const value = mergeValue(of, by, from, [...path, key], keep, clashes);
      if (value !== undefined) merged[key] = value;
    }
    return merged;
  }
  if (all.every(Array.isArray)) {
    const [of, by, from] = named(all) ?? [];
    if (of !== undefined && by !== undefined && from !== undefined) {
      // In the order of whoever has changed it.
      const moved = !same([...of.keys()].filter((name) => by.has(name)), [...by.keys()].filter((name) => of.has(name)));
      const names = new Set(moved ? [...by.keys(), ...from.keys()] : [...from.keys(), ...by.keys()]);
      return [...names].flatMap((name) => {
        const row = mergeValue(of.get(name), by.get(name), from.get(name), [...path, name], keep, clashes);
        return row === undefined ? [] : [row];
      });
    }
  }
  const added = base === undefined && isFields(mine) && isFields(theirs) && 'id' in mine;
  clashes.push({ path, mine, theirs, ...(added ? { sameId: true } : {}) });
  return keep === 'mine' ? mine : theirs;
}

/** What was made of `base` here and elsewhere, in one; where both have changed the same, `keep` says whose value counts. */
export function merge(base: Setup, mine: Setup, theirs: Setup, keep: Keep): { setup: Setup; clashes: Clash[] } {
  const clashes: Clash[] = [];
  return { setup: mergeValue(base, mine, theirs, [], keep, clashes) as Setup, clashes };
}

function changedElsewhere(): Fault {
  return ownFault(
    SETUP_CHANGED,
    say('The set-up was changed elsewhere meanwhile.'),
    say('Nothing was saved. Look at the set-up as it is now, and make the change again.'),
  );
}

/**
 * Saves what was made of `base`, over the set-up as it is now. Where that is another one by now, what does not stand
 * against each other is put together, and the person is asked about the rest. `merged`: what is saved is not what was
 * entered alone. Rejects with a `Fault`.
 */
export async function saveOver(
  backend: Backend,
  { base, entered, now }: { base: Setup; entered: Setup; now: SetupView },
  ask: Ask,
): Promise<{ view: SetupView; merged: boolean }> {
  let current = now;
  for (let round = 1; ; round += 1) {
    let { setup, clashes } = merge(base, entered, current.setup, 'mine');
    if (clashes.length > 0) {
      // Neither is the other: the one here gets an id of its own when it is made again.
      const keep = clashes.some(({ sameId }) => sameId) ? undefined : await ask(clashes);
      if (keep === undefined) throw changedElsewhere();
      setup = merge(base, entered, current.setup, keep).setup;
    }
    try {
      return { view: await backend.saveSetup(setup, current.revision), merged: !same(setup, entered) };
    } catch (thrown) {
      const fault = toFault(thrown);
      if (fault.code !== SETUP_CHANGED || round === ROUNDS) throw fault;
      current = await backend.setup();
    }
  }
}
