import { describe, expect, test, vi } from 'vitest';
import { Backend, SETUP_CHANGED } from './backend';
import { emptySetup } from './backend/fixture-data';
import type { Host } from './backend/host';
import type { Setup } from './bindings/Setup';
import { merge, saveOver, type Ask } from './setup-save';

const building = (name: string, school: number | null) => ({ building: name, school, enabled: true }) as Setup['mappings']['buildings'][number];

/** A set-up with these two buildings. */
function base(): Setup {
  const setup = emptySetup();
  return {
    ...setup,
    powerschool: { ...setup.powerschool, url: 'https://ps.northfield.org', client_id: 'first' },
    mappings: { ...setup.mappings, buildings: [building('North', 100), building('South', 200)] },
  };
}

const changed = (setup: Setup, change: (setup: Setup) => void): Setup => {
  const copy = structuredClone(setup);
  change(copy);
  return copy;
};

describe('what two have made of one set-up', () => {
  test('is put together where each has changed something else', () => {
    const mine = changed(base(), (setup) => {
      setup.powerschool.proxy = { ...setup.powerschool.proxy, mode: 'none' };
      setup.mappings.buildings = [building('North', 101), building('South', 200), building('East', 300)];
    });
    const theirs = changed(base(), (setup) => {
      setup.powerschool.url = 'https://ps2.northfield.org';
      setup.mail.host = 'smtp.northfield.org';
      setup.mappings.buildings = [building('West', 400), building('North', 100)];
      const [job] = setup.jobs;
      if (job !== undefined) job.enabled = !job.enabled;
    });
    const { setup, clashes } = merge(base(), mine, theirs, 'mine');
    expect(clashes).toEqual([]);
    expect(setup.powerschool).toMatchObject({ url: 'https://ps2.northfield.org', client_id: 'first', proxy: { mode: 'none' } });
    expect(setup.mail.host).toBe('smtp.northfield.org');
    expect(setup.jobs).toEqual(theirs.jobs);
    expect(setup.mappings.buildings).toEqual([building('West', 400), building('North', 101), building('East', 300)]);
  });

  test('stands against each other where both have changed the same, each in its own way', () => {
    const mine = changed(base(), (setup) => {
      setup.powerschool.client_id = 'mine';
      setup.mappings.buildings = [building('North', 101), building('South', 200)];
      setup.summer = 'send_pre_registered';
    });
    const theirs = changed(base(), (setup) => {
      setup.powerschool.client_id = 'theirs';
      setup.mappings.buildings = [building('South', 201)];
      setup.summer = 'send_pre_registered';
    });
    const kept = merge(base(), mine, theirs, 'mine');
    expect(kept.clashes.map(({ path }) => path)).toEqual([
      ['powerschool', 'client_id'],
      ['mappings', 'buildings', 'North'],
    ]);
    expect(kept.setup.powerschool.client_id).toBe('mine');
    expect(kept.setup.mappings.buildings).toEqual([building('South', 201), building('North', 101)]);
    const given = merge(base(), mine, theirs, 'theirs').setup;
    expect(given.powerschool.client_id).toBe('theirs');
    expect(given.mappings.buildings).toEqual([building('South', 201)]);
  });

  test('is asked about where what belongs together would come from both', () => {
    const mine = changed(base(), (setup) => {
      setup.powerschool.client_id = 'mine';
      setup.raptor.connection = { kind: 'folder', path: '/mine' } as never;
    });
    const theirs = changed(base(), (setup) => (setup.powerschool.url = 'https://ps2.northfield.org'));
    for (const [keep, url, id] of [['mine', 'https://ps.northfield.org', 'mine'], ['theirs', 'https://ps2.northfield.org', 'first']] as const) {
      const { setup, clashes } = merge(base(), mine, theirs, keep);
      expect(clashes.map(({ path }) => path.join('.')).sort()).toEqual(['powerschool.client_id', 'powerschool.url']);
      expect(setup.powerschool).toMatchObject({ url, client_id: id });
      expect(setup.raptor.connection).toEqual({ kind: 'folder', path: '/mine' });
    }
  });

  test('of two things made under one id keeps neither in place of the other', async () => {
    const connection = (host: string) => ({ id: 'sftp-2', name: host, host }) as unknown as Setup['connections'][number];
    const mine = changed(base(), (setup) => void setup.connections.push(connection('mine.example.org')));
    const theirs = changed(base(), (setup) => void setup.connections.push(connection('theirs.example.org')));
    expect(merge(base(), mine, theirs, 'mine').clashes).toMatchObject([{ path: ['connections', 'sftp-2'], sameId: true }]);
    const ask = vi.fn<Ask>();
    const backend = { setup: async () => ({ setup: theirs, revision: '2' }) } as unknown as Backend;
    const now = { setup: theirs, revision: '2' } as never;
    await expect(saveOver(backend, { base: base(), entered: mine, now }, ask)).rejects.toMatchObject({ code: SETUP_CHANGED });
    expect(ask).not.toHaveBeenCalled();
  });

  test('is asked about where one has moved the district to another zone and the other an exchange to another time', () => {
    const scheduled = (time: string, zone: string) =>
      changed(base(), (setup) => {
        const schedule = (hour: string) => ({ when: { kind: 'weekly', days: 'MTWHF', times: [hour] }, zone });
        setup.jobs = [
          { job: 'hero-students', enabled: true, schedule: schedule(time) },
          { job: 'hero-teachers', enabled: true, schedule: schedule('04:00') },
        ] as unknown as Setup['jobs'];
      });
    const before = scheduled('03:00', 'America/Chicago');
    const { setup, clashes } = merge(before, scheduled('03:00', 'America/Denver'), scheduled('05:00', 'America/Chicago'), 'mine');
    const path = ['jobs', 'hero-students', 'schedule'];
    expect(clashes.map((clash) => clash.path)).toEqual([[...path, 'when'], [...path, 'zone']]);
    expect(setup.jobs).toEqual(scheduled('03:00', 'America/Denver').jobs);
  });

  test('has no value put together of two kinds', () => {
    const scheduled = (when: object) =>
      changed(base(), (setup) => {
        setup.jobs = [{ job: 'hero-students', enabled: true, schedule: { when, zone: 'America/Chicago' } } as unknown as Setup['jobs'][number]];
      });
    const { clashes } = merge(
      scheduled({ kind: 'every', minutes: 5 }),
      scheduled({ kind: 'every', minutes: 10 }),
      scheduled({ kind: 'daily', times: ['03:00'] }),
      'mine',
    );
    expect(clashes.map(({ path }) => path)).toEqual([['jobs', 'hero-students', 'schedule', 'when']]);
  });
});

describe('a save', () => {
  /** A backend whose set-up somebody else changes before each of the next saves. */
  function shared(changes: ((setup: Setup) => void)[]) {
    let kept = base();
    const view = () => ({ kind: 'setup', data: { setup: structuredClone(kept), revision: JSON.stringify(kept) } });
    const host = {
      call: async (_profile: string, request: { op: string; setup?: Setup; revision?: string }) => {
        if (request.op === 'save_setup' && request.setup !== undefined) {
          const change = changes.shift();
          if (change !== undefined) kept = changed(kept, change);
          if (request.revision !== JSON.stringify(kept)) throw { code: SETUP_CHANGED, message: 'Changed.', remedy: '' };
          kept = request.setup;
        }
        return view();
      },
    } as unknown as Host;
    return { backend: new Backend(host, 'default'), now: () => kept };
  }

  async function save(changes: ((setup: Setup) => void)[], ask: Ask) {
    const { backend, now } = shared(changes);
    const entered = changed(base(), (setup) => (setup.powerschool.client_id = 'mine'));
    const saving = saveOver(backend, { base: base(), entered, now: await backend.setup() }, ask);
    return { saving, now };
  }

  test('goes through where nobody else has saved', async () => {
    const ask = vi.fn<Ask>();
    const { saving, now } = await save([], ask);
    expect((await saving).merged).toBe(false);
    expect(now().powerschool.client_id).toBe('mine');
    expect(ask).not.toHaveBeenCalled();
  });

  test('takes over what was changed elsewhere, also twice', async () => {
    const ask = vi.fn<Ask>();
    const { saving, now } = await save([(setup) => (setup.mail.host = 'smtp'), (setup) => (setup.retention_days = 30)], ask);
    expect((await saving).merged).toBe(true);
    expect(now()).toMatchObject({ powerschool: { client_id: 'mine' }, mail: { host: 'smtp' }, retention_days: 30 });
    expect(ask).not.toHaveBeenCalled();
  });

  test('asks whose value counts, and saves nothing without an answer', async () => {
    for (const [keep, saved] of [['mine', 'mine'], ['theirs', 'theirs'], [undefined, 'theirs']] as const) {
      const ask = vi.fn<Ask>().mockResolvedValue(keep);
      const { saving, now } = await save([(setup) => (setup.powerschool.client_id = 'theirs')], ask);
      if (keep === undefined) await expect(saving).rejects.toMatchObject({ code: SETUP_CHANGED });
      else await saving;
      expect(now().powerschool.client_id).toBe(saved);
      expect(ask).toHaveBeenCalledExactlyOnceWith([{ path: ['powerschool', 'client_id'], mine: 'mine', theirs: 'theirs' }]);
    }
  });

  test('that never finds the set-up at rest is given up', async () => {
    const restless = Array.from({ length: 9 }, (_, days) => (setup: Setup) => void (setup.retention_days = days + 30));
    const { saving } = await save(restless, vi.fn<Ask>());
    await expect(saving).rejects.toMatchObject({ code: SETUP_CHANGED });
  });
});
