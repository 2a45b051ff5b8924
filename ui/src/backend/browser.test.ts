import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Event } from '../bindings/Event';
import { browserHost, takeKey } from './browser';

/** An answer that comes in these parts. */
function answering(status: number, ...parts: string[]) {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
      controller.close();
    },
  });
  const fetched = vi.fn(async (_path: string, _request: RequestInit) => new Response(body, { status }));
  vi.stubGlobal('fetch', fetched);
  return fetched;
}

afterEach(() => {
  vi.unstubAllGlobals();
  window.sessionStorage.clear();
});

describe('the browser host', () => {
  it('takes its key out of the address and knows it after a reload', () => {
    expect(takeKey()).toBeNull();
    window.location.hash = '#key=abc';
    expect(takeKey()).toBe('abc');
    expect(window.location.href).not.toContain('abc');
    expect(takeKey()).toBe('abc');
  });

  it('tells events as they come, wherever the answer is cut, and then the answer', async () => {
    const finished = '{"event":{"event":"stage","data":{"stage":"dns"}}}\n';
    const fetched = answering(200, finished.slice(0, 9), `${finished.slice(9)}${finished}{"ans`, 'wer":{"kind":"done"}}\n');
    const events: Event[] = [];
    const answer = await browserHost('abc').call('north', { op: 'status' }, (event) => events.push(event));
    expect(answer).toEqual({ kind: 'done' });
    expect(events.map(({ event }) => event)).toEqual(['stage', 'stage']);
    const [path, { headers, body }] = fetched.mock.calls[0] ?? ['', {}];
    expect(path).toBe('/command');
    expect(headers).toHaveProperty('X-RosterBridge-Key', 'abc');
    expect(JSON.parse(String(body))).toEqual({ command: 'call', profile: 'north', request: { op: 'status' } });
  });

  it('rejects with the fault, and with one of its own when it is refused or cut off', async () => {
    const call = () => browserHost('abc').call('north', { op: 'status' }, () => {});
    answering(200, '{"fault":{"code":"a.b","message":"No.","remedy":"Do."}}\n');
    await expect(call()).rejects.toEqual({ code: 'a.b', message: 'No.', remedy: 'Do.' });
    answering(403);
    await expect(call()).rejects.toHaveProperty('code', 'window.no_shell');
    answering(200, '{"event":');
    await expect(call()).rejects.toHaveProperty('code', 'window.no_shell');
  });
});
